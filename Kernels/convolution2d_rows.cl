// Direct convolution for CPUs where a layer has few input or output channels, so that packing patches
// (convolution2d_packed.cl) would cost as much as multiplying them:
//
//     y[n, i, j, o]  = Σ over t, k of line[t][j·STEP + k] · w[t, k, o]          k = u·C + c,  STEP = stride · C
//     dw[t, k, o]    = Σ over n, i, j of line[t][j·STEP + k] · dy[n, i, j, o],  db[o] = Σ over n, i, j of dy[n, i, j, o]
//
// A work-item copies the KH image rows under a row of results into local memory, with the padding's zeros; there, what
// lies under the filter's row t at column j is one run of KW·C floats, and its neighbour's begins STEP further on. The
// input gradient of a convolution with stride 1 is the first sum with dy for the image and the filter transposed and
// mirrored.
//
// Buffers: x [N][H][W][C]; packed filter as in convolution2d.cl; bias [O]; y, dy and mask [N][H′][W′][O].
// Constants: LANES, STEP, COLUMNS (vectors of output channels a register tile), ROWS (columns j, or
// places k, a register tile), TAPS (filter rows a register tile of the filter gradient; divides KH).

// The image rows under the result's row `row` of all N·H′. Clearing the last may write a vector behind it.
static inline void copy_lines(__local float *lines, __global const float *restrict x, int row, const PatchGeometry *g) {
    const int i = row % g->output_height, n = row / g->output_height;
    const int before = g->padding_width * g->channels, length = g->width * g->channels;
    for (int t = 0; t < g->kernel_height; t++, lines += g->patch_stride) {
        const int y = i * g->stride_height - g->padding_height + t;
        if ((uint)y >= (uint)g->height) {
            clear_run(lines, g->patch_stride);
            continue;
        }
        clear_run(lines, before);
        copy_run(lines + before, x + ((size_t)n * g->height + y) * length, length);
        clear_run(lines + before + length, g->patch_stride - before - length);
    }
}

// Forward and input gradient of stride 1. ROWS columns by COLUMNS vectors of sums in registers; the last tile of a row
// is moved to the left where it would stick out. Work-items: global (N·H′). Local: lines [KH][patch_stride] and a vector.
__kernel WORK_GROUP
void convolution2d_rows(__global const float *restrict x, __global const float *restrict filter,
                        __global const float *restrict bias, __global const float *restrict mask,
                        __global float *restrict y, __local float *restrict lines, const PatchGeometry g) {
    const int row = get_global_id(0), run = g.kernel_width * g.channels;
    copy_lines(lines, x, row, &g);
    __global const float *tile_filter = filter;
    for (int tile_channel = 0; tile_channel < g.output_channels; tile_channel += TILE_CHANNELS) {
        for (int start = 0; start < g.output_width; start += ROWS) {
            const int first = min(start, max(g.output_width - ROWS, 0));
            lanes sums[ROWS][COLUMNS];
            UNROLL for (int m = 0; m < ROWS; m++)
                UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
            __global const float *w = tile_filter;
            for (int t = 0; t < g.kernel_height; t++) {
                __local const float *values = lines + t * g.patch_stride + first * STEP;
                for (int k = 0; k < run; k++, w += TILE_CHANNELS) {
                    lanes weights[COLUMNS];
                    UNROLL for (int v = 0; v < COLUMNS; v++) weights[v] = LOAD(w + v * LANES);
                    UNROLL for (int m = 0; m < ROWS; m++) {
                        const lanes value = (lanes)(values[m * STEP + k]);
                        UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, weights[v], sums[m][v]);
                    }
                }
            }
            lanes results[ROWS][COLUMNS];
            COPY_TILE(results, sums)
            for (int m = 0; m < min(ROWS, g.output_width - first); m++)
                for (int v = 0; v < COLUMNS; v++) {
                    const int channel = tile_channel + v * LANES, count = g.output_channels - channel;
                    const size_t at = ((size_t)row * g.output_width + first + m) * g.output_channels + channel;
                    if (count > 0)
                        store_first(finished(results[m][v], bias + channel, mask + at, count, &g), y + at, count);
                }
        }
        tile_filter += (size_t)g.kernel_height * run * TILE_CHANNELS;
    }
}

// Filter and bias gradient. A work-item goes through its split of the N·H′ rows and adds to its sums, which stay in
// local memory, TAPS × ROWS × COLUMNS vectors of them in registers for the length of a row.
// convolution2d_filter_reduce (convolution2d_filter_gradient.cl) adds the splits in order.
// Work-items: global (splits). partial [splits][KH·KW·C + 1][O], the last row the bias's. Local: lines [KH][patch_stride]
// and a vector; sums [channel tiles][KH][part_rows][TILE_CHANNELS], part_rows being KW·C in whole tiles of ROWS, and behind them
// [channel tiles][TILE_CHANNELS] of the bias.
__kernel WORK_GROUP
void convolution2d_filter_gradient_rows(__global const float *restrict x, __global const float *restrict dy,
                                        __global float *restrict partial, __local float *restrict lines,
                                        __local float *restrict sums, const PatchGeometry g) {
    const int split = get_global_id(0), all_rows = g.images * g.output_height;
    const int first_row = (int)((long)all_rows * split / g.splits);
    const int end_row = (int)((long)all_rows * (split + 1) / g.splits);
    const int outputs = g.output_channels, tiles = (outputs + TILE_CHANNELS - 1) / TILE_CHANNELS;
    const int run = g.kernel_width * g.channels, step = g.stride_width * g.channels;
    __local float *bias_sums = sums + tiles * g.kernel_height * g.part_rows * TILE_CHANNELS;
    clear_run(sums, tiles * (g.kernel_height * g.part_rows + 1) * TILE_CHANNELS);

    for (int row = first_row; row < end_row; row++) {
        copy_lines(lines, x, row, &g);
        for (int tile = 0; tile < tiles; tile++) {
            const int left = outputs - tile * TILE_CHANNELS;
            __global const float *first_gradient = dy + (size_t)row * g.output_width * outputs + tile * TILE_CHANNELS;
            for (int t = 0; t < g.kernel_height; t += TAPS) {
                for (int k = 0; k < run; k += ROWS) {
                    __local float *stored =
                        sums + ((tile * g.kernel_height + t) * g.part_rows + k) * TILE_CHANNELS;
                    __local const float *values = lines + t * g.patch_stride + k;
                    __global const float *gradient = first_gradient;
                    lanes held[TAPS][ROWS][COLUMNS];
                    UNROLL for (int a = 0; a < TAPS; a++)
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++)
                                held[a][m][v] = LOAD(stored + (a * g.part_rows + m) * TILE_CHANNELS + v * LANES);
                    for (int j = 0; j < g.output_width; j++, gradient += outputs, values += step) {
                        lanes d[COLUMNS];
                        UNROLL for (int v = 0; v < COLUMNS; v++)
                            d[v] = left > v * LANES ? load_first(gradient + v * LANES, left - v * LANES) : (lanes)(0.0f);
                        UNROLL for (int a = 0; a < TAPS; a++)
                            UNROLL for (int m = 0; m < ROWS; m++) {
                                // Past the run's end these are the next columns', whose sums nobody stores.
                                const lanes value = (lanes)(values[a * g.patch_stride + m]);
                                UNROLL for (int v = 0; v < COLUMNS; v++)
                                    held[a][m][v] = fma(value, d[v], held[a][m][v]);
                            }
                    }
                    UNROLL for (int a = 0; a < TAPS; a++)
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++)
                                STORE(held[a][m][v], stored + (a * g.part_rows + m) * TILE_CHANNELS + v * LANES);
                }
            }
            if (g.has_bias) {
                for (int v = 0; v < COLUMNS && left > v * LANES; v++) {
                    __local float *stored = bias_sums + tile * TILE_CHANNELS + v * LANES;
                    lanes sum = LOAD(stored);
                    for (int j = 0; j < g.output_width; j++)
                        sum += load_first(first_gradient + j * outputs + v * LANES, left - v * LANES);
                    STORE(sum, stored);
                }
            }
        }
    }

    __global float *to = partial + (size_t)split * (g.kernel_height * run + 1) * outputs;
    for (int channel = 0; channel < outputs; channel += LANES) {
        const int tile = channel / TILE_CHANNELS, within = channel % TILE_CHANNELS, count = outputs - channel;
        for (int t = 0; t < g.kernel_height; t++)
            for (int k = 0; k < run; k++)
                store_first(LOAD(sums + ((tile * g.kernel_height + t) * g.part_rows + k) * TILE_CHANNELS + within),
                            to + (t * run + k) * outputs + channel, count);
        if (g.has_bias)
            store_first(LOAD(bias_sums + channel), to + g.kernel_height * run * outputs + channel, count);
    }
}
