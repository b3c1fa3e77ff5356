// Direct convolution for CPUs where a layer has few input or output channels, so that packing patches
// (convolution2d_packed.cl) would cost as much as multiplying them:
//
//     y[n, i, j, o]  = Σ over t, k of line[t][j·STEP + k] · w[t, k, o]          k = u·C + c,  STEP = stride · C
//     dw[t, k, o]    = Σ over n, i, j of line[t][j·STEP + k] · dy[n, i, j, o]
//     db[o]          = Σ over n, i, j of dy[n, i, j, o]
//     dline[t][j·STEP + k] += Σ over o of dy[n, i, j, o] · w[t, k, o]
//
// A work-item copies the KH image rows under a row of results into local memory, with the padding's zeros; there, what
// lies under the filter's row t at column j is one run of KW·C floats, and its neighbour's begins STEP further on. The
// input gradient is the last sum where image channels are fewest; elsewhere, with stride 1, the first with dy for the
// image and the filter transposed and mirrored.
//
// Buffers: x [N][H][W][C]; packed filter as in convolution2d_gather.cl; bias [O]; y, dy and mask [N][H′][W′][O].
// Constants: LANES, STEP, COLUMNS (vectors of output channels a register tile), ROWS (columns j, or
// places k, a register tile), TAPS (filter rows a register tile of the gradients; divides KH). PAIRS (0 or 1): whether
// two neighbouring pixels share a vector, o's sums in lanes 2o and 2o + 1. For one image channel, steps of 1, no more
// outputs than half a vector's lanes, and an even number of columns: the two values are then one load. RUN: KW·C, where
// the forward pass is to be unrolled over it, else 0.

// The filter's rows that lie on the image under the result's row `row` of all N·H′: the others would add zeros.
typedef struct {
    int first, end;
} Taps;

static inline Taps taps_at(int row, const PatchGeometry *g) {
    const int top = row % g->output_height * g->stride_height - g->padding_height;
    return (Taps){max(0, -top), min(g->kernel_height, g->height - top)};
}

// Image row y with the padding's zeros. The last vector copied may be a part of one, but it stays in the line.
static inline void copy_line(__local float *line, __global const float *restrict x, int n, int y,
                             const PatchGeometry *g) {
    const int length = g->width * g->channels;
    clear_run(line, g->pitch);
    copy_run(line + g->padding_width * g->channels, x + ((size_t)n * g->height + y) * length, length);
}

#if PAIRS
#define PIXELS 2
// Two neighbouring floats, lane by lane in turn.
#define SPREAD(pointer) as_float16((double8)(as_double(vload2(0, (pointer)))))
#define FIRST_OF_PAIR(pair) (lanes)((pair).even, (float8)(0.0f))
#define SECOND_OF_PAIR(pair) (lanes)((pair).odd, (float8)(0.0f))
#else
#define PIXELS 1
#define SPREAD(pointer) (lanes)(*(pointer))
#endif

// One image channel and steps of 1: what one column multiplies by, its neighbours do as well, a place further on.
// Unrolled, registers hold it, and a value is loaded once for all of them.
#if RUN
#define EACH_OF_RUN(k, run) UNROLL for (int k = 0; k < RUN; k++)
#else
#define EACH_OF_RUN(k, run) for (int k = 0; k < (run); k++)
#endif
#if STEP == 1 && !PAIRS
#define EACH_COLUMN(j, columns) _Pragma("unroll 4") for (int j = 0; j < (columns); j++)
#else
#define EACH_COLUMN(j, columns) for (int j = 0; j < (columns); j += PIXELS)
#endif

// Forward and input gradient of stride 1. A work-item goes through its share of the rows, ROWS columns by COLUMNS
// vectors of sums in registers; the last tile of a row is moved to the left where it would stick out. Image row y is
// line y mod KH, where it stays for the results below.
// Work-items: global (shares of the N·H′ rows). Local: lines [KH][pitch] and a vector.
__kernel WORK_GROUP
void convolution2d_rows(__global const float *restrict x, __global const float *restrict filter,
                        __global const float *restrict bias, __global const float *restrict addend,
                        __global const float *restrict mask,
                        __global float *restrict y, __local float *restrict lines, const PatchGeometry g) {
    const int run = g.kernel_width * g.channels, all_rows = g.images * g.output_height;
    const int end_row = (int)((long)all_rows * (get_global_id(0) + 1) / get_global_size(0));
    int held_image = -1, next = 0;          // of which image rows below `next` are in their lines
    for (int row = (int)((long)all_rows * get_global_id(0) / get_global_size(0)); row < end_row; row++) {
        const Taps taps = taps_at(row, &g);
        const int n = row / g.output_height, top = row % g.output_height * g.stride_height - g.padding_height;
        next = n == held_image ? max(next, top + taps.first) : top + taps.first;
        held_image = n;
        for (; next < top + taps.end; next++)
            copy_line(lines + next % g.kernel_height * g.pitch, x, n, next, &g);
        const int first_line = (top + taps.first) % g.kernel_height;
        __global const float *tile_filter = filter + taps.first * run * TILE_CHANNELS;
        for (int tile_channel = 0; tile_channel < g.output_channels; tile_channel += TILE_CHANNELS) {
            for (int start = 0; start < g.output_width; start += ROWS) {
                const int first = min(start, max(g.output_width - ROWS, 0));
                lanes sums[ROWS / PIXELS][COLUMNS], results[ROWS][COLUMNS];
                UNROLL for (int m = 0; m < ROWS / PIXELS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
                __global const float *w = tile_filter;
                for (int t = taps.first, line = first_line; t < taps.end; t++, line++) {
                    if (line == g.kernel_height) line = 0;
                    __local const float *values = lines + line * g.pitch + first * STEP;
                    EACH_OF_RUN(k, run) {
                        lanes weights[COLUMNS];
                        UNROLL for (int v = 0; v < COLUMNS; v++) weights[v] = LOAD(w + v * LANES);
#if PAIRS
                        weights[0] = weights[0].s0011223344556677;
#endif
                        UNROLL for (int m = 0; m < ROWS / PIXELS; m++) {
                            const lanes value = SPREAD(values + m * PIXELS * STEP + k);
                            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, weights[v], sums[m][v]);
                        }
                        w += TILE_CHANNELS;
                    }
                }
#if PAIRS
                UNROLL for (int m = 0; m < ROWS / 2; m++) {
                    results[2 * m][0] = FIRST_OF_PAIR(sums[m][0]);
                    results[2 * m + 1][0] = SECOND_OF_PAIR(sums[m][0]);
                }
#else
                COPY_TILE(results, sums)
#endif
                for (int v = 0; v < COLUMNS; v++) {
                    const int channel = tile_channel + v * LANES, count = g.output_channels - channel;
                    if (count <= 0) break;
                    size_t at = ((size_t)row * g.output_width + first) * g.result_stride + g.result_first + channel;
                    const int end = min(ROWS, g.output_width - first);
                    if (g.offset_kind == OFFSET_BIAS && (IS_RELU ? g.epilogue <= EPILOGUE_ACTIVATION : !g.epilogue)) {
                        // What most layers have, in a loop without questions: a ReLU, or one that lets all through.
                        const lanes offset = load_first(bias + channel, count);
                        const lanes least = (lanes)(g.epilogue == EPILOGUE_ACTIVATION ? 0.0f : -INFINITY);
                        // Of a pixel that is less than a vector, what is stored past it is the next one's place.
                        const bool covers_next = g.output_channels < LANES && g.output_channels == g.result_stride;
                        for (int m = 0; m < end; m++, at += g.result_stride) {
                            const lanes value = results[m][v] + offset;
                            store_first(select(value, least, value < least), y + at,
                                        covers_next ? (end - m) * g.output_channels : count);
                        }
                    } else {
                        for (int m = 0; m < end; m++, at += g.result_stride)
                            store_first(finished(results[m][v], bias + channel, addend + at, mask + at, count, &g),
                                        y + at, count);
                    }
                }
            }
            tile_filter += (size_t)g.kernel_height * run * TILE_CHANNELS;
        }
    }
}

// Input gradient for so few image channels that KW·C floats are a few vectors: where the sum above would leave many
// lanes empty, each pixel of dy adds Σ over o of dy[o] · w[t, k, o] to the KH · KW·C floats of dx under it, TAPS ×
// COLUMNS vectors of sums in registers for each of ROWS pixels, which lie apart: a load of what the neighbour's store
// has half overwritten would wait for it. A work-item gathers an image in local memory.
// Work-items: global (shares of the images). filter [KH, mirrored][O][TILE_CHANNELS], k its channels. Local: lines
// [gathered rows][pitch], the padding's among them.
__kernel WORK_GROUP
void convolution2d_input_gradient_rows(__global const float *restrict dy, __global const float *restrict filter,
                                       __global const float *restrict addend,
                                       __global const float *restrict mask, __global float *restrict dx,
                                       __local float *restrict lines, const PatchGeometry g) {
    const int outputs = g.output_channels, length = g.width * g.channels;
    const int gathered_rows =
        max((g.output_height - 1) * g.stride_height + g.kernel_height, g.padding_height + g.height);
    const int apart = (g.output_width + ROWS - 1) / ROWS;
    const int end_image = (int)((long)g.images * (get_global_id(0) + 1) / get_global_size(0));
    for (int n = (int)((long)g.images * get_global_id(0) / get_global_size(0)); n < end_image; n++) {
        clear_run(lines, gathered_rows * g.pitch);
        for (int i = 0; i < g.output_height; i++)
            for (int j = 0; j < apart; j++) {
                __global const float *values[ROWS];
                UNROLL for (int m = 0; m < ROWS; m++) {
                    const int column = min(j + m * apart, g.output_width - 1);
                    values[m] = dy + (((size_t)n * g.output_height + i) * g.output_width + column) * outputs;
                }
                __local float *corner = lines + i * g.stride_height * g.pitch + j * g.stride_width * g.channels;
                for (int first = 0; first < g.kernel_height; first += TAPS, corner += TAPS * g.pitch) {
                    // Of the filter's row `first`, and those of the next before it: they are mirrored.
                    __global const float *weights = filter + (g.kernel_height - 1 - first) * outputs * TILE_CHANNELS;
                    lanes sums[ROWS][TAPS][COLUMNS];
                    UNROLL for (int m = 0; m < ROWS; m++)
                        UNROLL for (int t = 0; t < TAPS; t++)
                            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][t][v] = (lanes)(0.0f);
                    for (int o = 0; o < outputs; o++)
                        UNROLL for (int t = 0; t < TAPS; t++)
                            UNROLL for (int v = 0; v < COLUMNS; v++) {
                                const lanes weight = LOAD(weights + (o - t * outputs) * TILE_CHANNELS + v * LANES);
                                UNROLL for (int m = 0; m < ROWS; m++)
                                    sums[m][t][v] = fma((lanes)(values[m][o]), weight, sums[m][t][v]);
                            }
                    UNROLL for (int m = 0; m < ROWS; m++)
                        UNROLL for (int t = 0; t < TAPS; t++)
                            UNROLL for (int v = 0; v < COLUMNS; v++) {
                                __local float *to =
                                    corner + t * g.pitch + m * apart * g.stride_width * g.channels + v * LANES;
                                if (j + m * apart < g.output_width) STORE(LOAD(to) + sums[m][t][v], to);
                            }
                }
            }

        for (int row = 0; row < g.height; row++) {
            __local const float *line = lines + (g.padding_height + row) * g.pitch + g.padding_width * g.channels;
            const size_t at = ((size_t)n * g.height + row) * length;
            for (int e = 0; e < length; e += LANES) {
                store_first(
                    with_epilogue(LOAD(line + e), g.epilogue, addend + at + e, mask + at + e, length - e),
                    dx + at + e, length - e);
            }
        }
    }
}

// Filter and bias gradient. A work-item goes through its split of the N·H′ rows, of one image at most `block` at a
// time, under which lie (block − 1) · stride + KH lines. It adds to its sums, which stay in local memory, TAPS × ROWS ×
// COLUMNS vectors of them in registers for the whole block. convolution2d_filter_reduce adds the splits in order.
// Work-items: global (splits). partial [splits][KH·KW·C + 1][O], the last row the bias's.
// Local: lines [lines][pitch] and a vector; sums [channel tiles][KH][part_rows][TILE_CHANNELS], part_rows being
// KW·C in whole tiles of ROWS, and behind them [channel tiles][TILE_CHANNELS] of the bias.
__kernel WORK_GROUP
void convolution2d_filter_gradient_rows(__global const float *restrict x, __global const float *restrict dy,
                                        __global float *restrict partial, __local float *restrict lines,
                                        __local float *restrict sums, const PatchGeometry g) {
    const int split = get_global_id(0), all_rows = g.images * g.output_height;
    const int end_row = (int)((long)all_rows * (split + 1) / g.splits);
    const int outputs = g.output_channels, tiles = (outputs + TILE_CHANNELS - 1) / TILE_CHANNELS;
    const int run = g.kernel_width * g.channels, step = g.stride_width * g.channels;
    __local float *bias_sums = sums + tiles * g.kernel_height * g.part_rows * TILE_CHANNELS;
    clear_run(sums, tiles * (g.kernel_height * g.part_rows + 1) * TILE_CHANNELS);

    for (int row = (int)((long)all_rows * split / g.splits), count; row < end_row; row += count) {
        const int n = row / g.output_height, i = row % g.output_height;
        count = min(min(g.output_height - i, g.block), end_row - row);
        for (int t = 0; t < (count - 1) * g.stride_height + g.kernel_height; t++) {
            const int y = i * g.stride_height - g.padding_height + t;
            if ((uint)y >= (uint)g.height) clear_run(lines + t * g.pitch, g.pitch);
            else copy_line(lines + t * g.pitch, x, n, y, &g);
        }
        for (int tile = 0; tile < tiles; tile++) {
            const int left = outputs - tile * TILE_CHANNELS;
            __global const float *first_gradient = dy + (size_t)row * g.output_width * outputs + tile * TILE_CHANNELS;
            for (int t = 0; t < g.kernel_height; t += TAPS) {
                for (int k = 0; k < run; k += ROWS) {
                    __local float *stored =
                        sums + ((tile * g.kernel_height + t) * g.part_rows + k) * TILE_CHANNELS;
                    __global const float *gradient = first_gradient;
                    lanes held[TAPS][ROWS][COLUMNS];
                    UNROLL for (int a = 0; a < TAPS; a++)
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++)
                                held[a][m][v] = LOAD(stored + (a * g.part_rows + m) * TILE_CHANNELS + v * LANES);
                    for (int line = 0; line < count; line++) {
                        __local const float *values = lines + (line * g.stride_height + t) * g.pitch + k;
                        EACH_COLUMN(j, g.output_width) {
                            lanes d[COLUMNS];
                            UNROLL for (int v = 0; v < COLUMNS; v++) {
                                const int rest = left - v * LANES;
                                d[v] = rest > 0 ? load_first(gradient + v * LANES, rest) : (lanes)(0.0f);
                            }
#if PAIRS
                            const lanes neighbour = load_first(gradient + outputs, left);
                            const float8 first = d[0].lo;
                            d[0].even = first, d[0].odd = neighbour.lo;
#endif
                            UNROLL for (int a = 0; a < TAPS; a++)
                                UNROLL for (int m = 0; m < ROWS; m++) {
                                    // Past the run's end these are the next columns', whose sums nobody stores.
                                    const lanes value = SPREAD(values + a * g.pitch + m);
                                    UNROLL for (int v = 0; v < COLUMNS; v++)
                                        held[a][m][v] = fma(value, d[v], held[a][m][v]);
                                }
                            gradient += PIXELS * outputs, values += PIXELS * (STEP == 1 ? 1 : step);
                        }
                    }
                    UNROLL for (int a = 0; a < TAPS; a++)
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++)
                                STORE(held[a][m][v], stored + (a * g.part_rows + m) * TILE_CHANNELS + v * LANES);
                }
            }
            for (int v = 0; g.has_bias && v < COLUMNS && left > v * LANES; v++) {
                __local float *stored = bias_sums + tile * TILE_CHANNELS + v * LANES;
                lanes sum = LOAD(stored);
                for (int pixel = 0; pixel < count * g.output_width; pixel++)
                    sum += load_first(first_gradient + (size_t)pixel * outputs + v * LANES, left - v * LANES);
                STORE(sum, stored);
            }
        }
    }

    __global float *to = partial + (size_t)split * (g.kernel_height * run + 1) * outputs;
    for (int channel = 0; channel < outputs; channel += LANES) {
        const int tile = channel / TILE_CHANNELS, within = channel % TILE_CHANNELS, count = outputs - channel;
        for (int t = 0; t < g.kernel_height; t++)
            for (int k = 0; k < run; k++) {
                const int at = ((tile * g.kernel_height + t) * g.part_rows + k) * TILE_CHANNELS + within;
                lanes sum = LOAD(sums + at);
#if PAIRS
                sum = FIRST_OF_PAIR(sum) + SECOND_OF_PAIR(sum);
#endif
                store_first(sum, to + (t * run + k) * outputs + channel, count);
            }
        if (g.has_bias)
            store_first(LOAD(bias_sums + channel), to + g.kernel_height * run * outputs + channel, count);
    }
}
