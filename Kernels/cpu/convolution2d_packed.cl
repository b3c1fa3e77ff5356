// Convolution for CPUs, as a matrix product whose operands are packed piece by piece into local memory, which
// is a part of a core's cache:
//
//     y[p, o]  = Σ over k of patch[p, k] · w[k, o]         k = (t·KW + u)·C + c,  p = (n, i, j)
//     dw[k, o] = Σ over p of patch[p, k] · dy[p, o],       db[o] = Σ over p of dy[p, o]
//
// patch[p] is what lies under the filter at pixel p, zeros outside the image. The input gradient of a convolution
// with stride 1 is the first sum with dy for the image and the filter transposed and mirrored.
//
// Buffers: x [N][H][W][C]; packed filter as in convolution2d_gather.cl; bias [O]; y, dy and mask [N][H′][W′][O].
// `block` pixels are packed at a time. Constants: LANES, ROWS and COLUMNS (the register tile: ROWS pixels or filter
// rows by COLUMNS vectors of output channels; ROWS divides the block for the first sum, 4 for the second).

// A patch is then a pixel's channels.
static inline bool is_pointwise(const PatchGeometry *g) {
    return g->kernel_height * g->kernel_width * g->stride_height * g->stride_width == 1 &&
           g->padding_height + g->padding_width == 0 && g->output_height == g->height && g->output_width == g->width;
}

// What lies under `rows` rows of the filter from `first_row` on, at a pixel.
static inline void copy_patch(__local float *patch, __global const float *restrict x, int pixel, int first_row,
                              int rows, const PatchGeometry *g) {
    const int j = pixel % g->output_width, i = pixel / g->output_width % g->output_height;
    const int n = pixel / (g->output_width * g->output_height);
    const int left = j * g->stride_width - g->padding_width;
    const int before = clamp(-left, 0, g->kernel_width), after = clamp(g->width - left, before, g->kernel_width);
    for (int t = 0; t < rows; t++, patch += g->kernel_width * g->channels) {
        const int y = i * g->stride_height - g->padding_height + first_row + t;
        if ((uint)y >= (uint)g->height) {
            clear_run(patch, g->kernel_width * g->channels);
            continue;
        }
        clear_run(patch, before * g->channels);
        copy_run(patch + before * g->channels,
                 x + (((long)n * g->height + y) * g->width + left + before) * g->channels,
                 (after - before) * g->channels);
        clear_run(patch + after * g->channels, (g->kernel_width - after) * g->channels);
    }
}

// The same of all rows, as the vectors of `packed` that are this pixel's, `stride` floats apart, where channels fill
// vectors: nothing is copied twice.
static inline void pack_patch(__local float *packed, int stride, __global const float *restrict x, int pixel,
                              const PatchGeometry *g) {
    const int j = pixel % g->output_width, i = pixel / g->output_width % g->output_height;
    const int n = pixel / (g->output_width * g->output_height);
    for (int t = 0; t < g->kernel_height; t++) {
        const int y = i * g->stride_height - g->padding_height + t;
        for (int u = 0; u < g->kernel_width; u++) {
            const int column = j * g->stride_width - g->padding_width + u;
            const bool is_inside = (uint)y < (uint)g->height && (uint)column < (uint)g->width;
            __global const float *values = x + (((long)n * g->height + y) * g->width + column) * g->channels;
            for (int c = 0; c < g->channels; c += LANES, packed += stride)
                STORE(is_inside ? LOAD(values + c) : (lanes)(0.0f), packed);
        }
    }
}

// sums += ROWS values from `values`, LANES apart, for each of `count` rows of the filter.
#define ACCUMULATE(sums, values, w, count)                                                  \
    for (int lane = 0; lane < (count); lane++) {                                            \
        lanes row[COLUMNS];                                                                 \
        UNROLL for (int v = 0; v < COLUMNS; v++) row[v] = LOAD((w) + v * LANES);            \
        UNROLL for (int m = 0; m < ROWS; m++) {                                             \
            const lanes value = (lanes)((values)[m * LANES + lane]);                        \
            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, row[v], sums[m][v]); \
        }                                                                                   \
        (w) += TILE_CHANNELS;                                                               \
    }

// Forward and input gradient of stride 1. A work-item packs its block's patches, then goes through its group of channel
// tiles, `chunk` vectors of k at a time, so that a piece of the filter is read from memory once for all of the block's
// pixels: ROWS × COLUMNS vectors of sums are in registers, the block's others wait in cache and go on where they were.
// Work-items: global (blocks, groups).
// Local: packed [vectors of k][block][LANES], line [pitch], totals [block][TILE_CHANNELS].
__kernel WORK_GROUP
void convolution2d_packed(__global const float *restrict x, __global const float *restrict filter,
                          __global const float *restrict bias, __global const float *restrict addend,
                          __global const float *restrict mask,
                          __global float *restrict y, __local float *restrict packed, __local float *restrict line,
                          __local float *restrict totals, const PatchGeometry g) {
    const int pixels = g.images * g.output_height * g.output_width;
    const int first = get_global_id(0) * g.block;
    const int length = g.kernel_height * g.kernel_width * g.channels;
    const int whole = length / LANES, rest = length % LANES;

    for (int p = 0; p < g.block; p++) {
        const int pixel = min(first + p, pixels - 1);
        if (is_pointwise(&g)) {
            __global const float *values = x + (size_t)pixel * length;
            for (int vector = 0; vector * LANES < length; vector++)
                STORE(load_first(values + vector * LANES, length - vector * LANES),
                      packed + (vector * g.block + p) * LANES);
        } else if (g.channels % LANES == 0) {
            pack_patch(packed + p * LANES, g.block * LANES, x, pixel, &g);
        } else {
            copy_patch(line, x, pixel, 0, g.kernel_height, &g);
            for (int vector = 0; vector * LANES < length; vector++)
                STORE(LOAD(line + vector * LANES), packed + (vector * g.block + p) * LANES);
        }
    }

    const int first_tile = get_global_id(1) * g.group_tiles, block_pixels = min(g.block, pixels - first);
    const int tiles = min(g.group_tiles, (g.output_channels + TILE_CHANNELS - 1) / TILE_CHANNELS - first_tile);
    const int chunks = max((whole + g.chunk - 1) / g.chunk, 1);
    const int prefetched = (g.chunk * ROWS + block_pixels - 1) / block_pixels;
    for (int step = 0; step < tiles * chunks; step++) {
        const int tile_channel = (first_tile + step / chunks) * TILE_CHANNELS;
        const int from = step % chunks * g.chunk, end = min(from + g.chunk, whole);
        __global const float *chunk_filter = filter + (size_t)length * tile_channel + from * LANES * TILE_CHANNELS;
        for (int p = 0; p < block_pixels; p += ROWS) {
            // The next block of pixels comes into the cache while this one is multiplied.
            if (is_pointwise(&g) && tile_channel == 0 && from == 0 && first + g.block + p + ROWS <= pixels)
                prefetch_floats(x + (size_t)(first + g.block + p) * length, ROWS * length);
            // So do the next rows of the filter, some with each piece of this.
            if (g.chunk < whole && step + 1 < tiles * chunks)
                prefetch_floats(chunk_filter + (g.chunk + p / ROWS * prefetched) * LANES * TILE_CHANNELS,
                                prefetched * LANES * TILE_CHANNELS);
            __local float *total = totals + p * TILE_CHANNELS;
            lanes sums[ROWS][COLUMNS];
            if (from == 0) {
                UNROLL for (int m = 0; m < ROWS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
            } else {
                UNROLL for (int m = 0; m < ROWS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = LOAD(total + m * TILE_CHANNELS + v * LANES);
            }
            __local const float *values = packed + (from * g.block + p) * LANES;
            __global const float *w = chunk_filter;
            for (int vector = from; vector < end; vector++, values += g.block * LANES)
                _Pragma("unroll 4") ACCUMULATE(sums, values, w, LANES)
            if (end < whole) {
                UNROLL for (int m = 0; m < ROWS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) STORE(sums[m][v], total + m * TILE_CHANNELS + v * LANES);
                continue;
            }
            ACCUMULATE(sums, values, w, rest)
            lanes results[ROWS][COLUMNS];
            COPY_TILE(results, sums)
            const size_t tile_at = (size_t)(first + p) * g.result_stride + g.result_first + tile_channel;
            // What most tiles are and most layers have, without a question a vector: whole, with a bias or none, and a
            // ReLU or one that lets all through; or without a bias and with another epilogue.
            if (pixels - first - p >= ROWS && g.output_channels - tile_channel >= TILE_CHANNELS) {
                if (g.offset_kind != OFFSET_FACTOR && (IS_RELU ? g.epilogue <= EPILOGUE_ACTIVATION : !g.epilogue)) {
                    const lanes least = (lanes)(g.epilogue == EPILOGUE_ACTIVATION ? 0.0f : -INFINITY);
                    lanes offset[COLUMNS];
                    UNROLL for (int v = 0; v < COLUMNS; v++)
                        offset[v] = g.offset_kind ? LOAD(bias + tile_channel + v * LANES) : (lanes)(0.0f);
                    for (int m = 0; m < ROWS; m++)
                        UNROLL for (int v = 0; v < COLUMNS; v++) {
                            const lanes value = results[m][v] + offset[v];
                            STORE(select(value, least, value < least), y + tile_at + m * g.result_stride + v * LANES);
                        }
                    continue;
                }
                if (!g.offset_kind) {
                    for (int m = 0; m < ROWS; m++)
                        UNROLL for (int v = 0; v < COLUMNS; v++) {
                            const size_t at = tile_at + m * g.result_stride + v * LANES;
                            STORE(with_epilogue(results[m][v], g.epilogue, addend + at, mask + at, LANES), y + at);
                        }
                    continue;
                }
            }
            for (int m = 0; m < min(ROWS, pixels - first - p); m++)
                for (int v = 0; v < COLUMNS; v++) {
                    const int channel = tile_channel + v * LANES, count = g.output_channels - channel;
                    const size_t at = tile_at + (size_t)m * g.result_stride + v * LANES;
                    if (count > 0)
                        store_first(finished(results[m][v], bias + channel, addend + at, mask + at, count, &g),
                                    y + at, count);
                }
        }
    }
}

// Filter and bias gradient. A work-item goes through its split of the pixels in blocks: it packs the block's patches
// and gradients and adds their product to its sums, which stay in cache as well, ROWS × COLUMNS vectors of them in
// registers at a time. convolution2d_filter_reduce adds the splits in order; a single split's sums are the gradients
// themselves.
// Work-items: global (splits, groups of channel tiles, parts of the filter's rows).
// partial [splits][KH·KW·C + 1][O], the last row the bias's; of a single split dw, and db beside it.
// Local: patches [block][pitch], where pitch is at least ROWS more than a part's patch; gradients
// [tiles a group][block][TILE_CHANNELS].
__kernel WORK_GROUP
void convolution2d_filter_gradient_packed(__global const float *restrict x, __global const float *restrict dy,
                                          __global float *restrict partial, __global float *restrict db,
                                          __local float *restrict patches, __local float *restrict gradients,
                                          const PatchGeometry g) {
    const int split = get_global_id(0);
    const int first_channel = get_global_id(1) * g.group_tiles * TILE_CHANNELS;
    const int tiles =
        min(g.group_tiles, (g.output_channels - first_channel + TILE_CHANNELS - 1) / TILE_CHANNELS);
    const int first_row = get_global_id(2) * g.part_rows, rows = min(g.part_rows, g.kernel_height - first_row);
    const int run = g.kernel_width * g.channels;
    const int length = rows * run;
    const int outputs = g.output_channels;
    const int pixels = g.images * g.output_height * g.output_width;
    const int first_pixel = (int)((long)pixels * split / g.splits);
    const int end_pixel = (int)((long)pixels * (split + 1) / g.splits);
    __global float *sums_of_split = partial + (size_t)split * (g.kernel_height * run + 1) * outputs;

    for (int block = first_pixel; block < end_pixel; block += g.block) {
        for (int p = 0; p < g.block; p++) {
            const int pixel = block + p;
            __local float *patch = patches + p * g.pitch;
            if (pixel >= end_pixel) {
                clear_run(patch, length);
                for (int tile = 0; tile < tiles; tile++)
                    clear_run(gradients + (tile * g.block + p) * TILE_CHANNELS, TILE_CHANNELS);
                continue;
            }
            if (is_pointwise(&g)) copy_run(patch, x + (size_t)pixel * length, length);
            else copy_patch(patch, x, pixel, first_row, rows, &g);
            __global const float *gradient = dy + (size_t)pixel * outputs + first_channel;
            for (int channel = 0; channel < tiles * TILE_CHANNELS; channel += LANES) {
                const int left_over = outputs - first_channel - channel;
                STORE(left_over > 0 ? load_first(gradient + channel, left_over) : (lanes)(0.0f),
                      gradients + (channel / TILE_CHANNELS * g.block + p) * TILE_CHANNELS + channel % TILE_CHANNELS);
            }
        }

        for (int tile = 0; tile < tiles; tile++) {
            const int channel = first_channel + tile * TILE_CHANNELS;
            for (int k = 0; k < length; k += ROWS) {
                __global float *stored = sums_of_split + (size_t)(first_row * run + k) * outputs + channel;
                const bool has_sums = block > first_pixel;
                const bool is_whole = k + ROWS <= length && channel + TILE_CHANNELS <= outputs;
                lanes results[ROWS][COLUMNS], sums[ROWS][COLUMNS];
                if (is_whole && has_sums) {
                    for (int m = 0; m < ROWS; m++)
                        UNROLL for (int v = 0; v < COLUMNS; v++)
                            results[m][v] = LOAD(stored + m * outputs + v * LANES);
                } else {
                    for (int m = 0; m < ROWS; m++)
                        for (int v = 0; v < COLUMNS; v++) {
                            const int count = outputs - channel - v * LANES;
                            results[m][v] = has_sums && k + m < length && count > 0
                                                ? load_first(stored + m * outputs + v * LANES, count)
                                                : (lanes)(0.0f);
                        }
                }
                COPY_TILE(sums, results)
                __local const float *values = patches + k;
                __local const float *gradient = gradients + tile * g.block * TILE_CHANNELS;
                for (int p = 0; p < g.block; p += 4) {
                    UNROLL for (int next = 0; next < 4; next++) {
                        lanes d[COLUMNS];
                        UNROLL for (int v = 0; v < COLUMNS; v++) d[v] = LOAD(gradient + v * LANES);
                        UNROLL for (int m = 0; m < ROWS; m++) {
                            const lanes value = (lanes)(values[m]);
                            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, d[v], sums[m][v]);
                        }
                        values += g.pitch;
                        gradient += TILE_CHANNELS;
                    }
                }
                COPY_TILE(results, sums)
                if (is_whole) {
                    for (int m = 0; m < ROWS; m++)
                        UNROLL for (int v = 0; v < COLUMNS; v++)
                            STORE(results[m][v], stored + m * outputs + v * LANES);
                    continue;
                }
                for (int m = 0; m < min(ROWS, length - k); m++)
                    for (int v = 0; v < COLUMNS; v++) {
                        const int count = outputs - channel - v * LANES;
                        if (count > 0) store_first(results[m][v], stored + m * outputs + v * LANES, count);
                    }
            }
            if (g.has_bias && first_row == 0) {
                __global float *bias =
                    (g.splits == 1 ? db : sums_of_split + (size_t)g.kernel_height * run * outputs) + channel;
                for (int v = 0; v < COLUMNS; v++) {
                    const int count = outputs - channel - v * LANES;
                    if (count <= 0) break;
                    // Four sums, since one would wait for itself.
                    lanes parts[4] = {(lanes)(0.0f), (lanes)(0.0f), (lanes)(0.0f), (lanes)(0.0f)};
                    for (int p = 0; p < g.block; p += 4)
                        UNROLL for (int next = 0; next < 4; next++)
                            parts[next] += LOAD(gradients + (tile * g.block + p + next) * TILE_CHANNELS + v * LANES);
                    lanes sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
                    if (block > first_pixel) sum += load_first(bias + v * LANES, count);
                    store_first(sum, bias + v * LANES, count);
                }
            }
        }
    }
}
