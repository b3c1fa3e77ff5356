// Convolution in groups of channels for CPUs, and its gradients (formulas: operators/grouped_convolution2d.cl). A
// work-item takes a block of channels at a time, and of them a few rows of results. It copies the rows of the source
// that lie under these into local memory, a part of a core's cache, with the padding's zeros: what a run of PIXELS
// results reads is then a few floats, or a vector, that are a constant apart.
//
//   SMALL = 0   a block is COLUMNS vectors of a group's outputs. Each pixel of a line has the group's inputs, one of
//               which is multiplied by the filter's vectors.
//   SMALL = 1   a block is a vector of the outputs of groups with as many inputs as outputs, a part of LANES. Each
//               pixel of a line is the vector of these groups' inputs; each of a group's inputs in turn is spread over
//               the group's lanes, once for all pixels of the run that it has a part in.
//
// GRADIENT = 0: the forward pass, or with dy the filter's gradient. GRADIENT = 1: the image's gradient, whose source is
// dy: a run begins at a multiple of the stride, counted from the padding's edge, so that each pixel's taps are known.
//
// Buffers: source [N][H][W][C]; packed filter [blocks][KH][KW][inputs][COLUMNS · LANES], zero in the channels past a
// block's last; bias [O]; addend, operand and result [N][H′][W′][O]; dy likewise; partial [splits][KH·KW·inputs +
// 1][O], the last row the bias's. Constants: LANES; SMALL; INPUTS (channels a group, on the source's side); GRADIENT;
// COLUMNS, 1 where SMALL; PIXELS, a multiple of STRIDE for the image's gradient; KERNEL_WIDTH; STRIDE and DILATION
// along a row; ROWS (input channels of a register tile of the filter's gradient).

// Floats from a line's pixel to the next.
#define LINE_STEP (SMALL ? LANES : INPUTS)

// Rows of the result and of the source that a work-item has at a time: of image n, rows first to end, whose source's
// rows begin with `top`; and the block's first channel on both sides, with how many are left.
typedef struct {
    int n, first, end, top, bottom;
    int source_channel, channel, count;
} Part;

static inline void locate_channels(Part *part, int block, const GroupRowsGeometry *g) {
#if SMALL
    part->source_channel = part->channel = block * LANES;
    part->count = g->result_channels - part->channel;
#else
    const int blocks = (g->outputs + TILE_CHANNELS - 1) / TILE_CHANNELS;
    const int group = block / blocks, first = block % blocks * TILE_CHANNELS;
    part->source_channel = group * INPUTS;
    part->channel = group * g->outputs + first;
    part->count = g->outputs - first;
#endif
}

// The part of the result's rows with this number, of image after image.
static inline Part part_of(int index, const GroupRowsGeometry *g) {
    const int chunks = (g->result_height + g->rows - 1) / g->rows, reach = (g->kernel_height - 1) * g->dilation_height;
    Part part = {0};
    part.n = index / chunks;
    part.first = index % chunks * g->rows;
    part.end = min(part.first + g->rows, g->result_height);
#if GRADIENT
    // Rows i of dy with i · s + t · e = y + p.
    const int first = part.first + g->padding_height - reach;
    part.top = first <= 0 ? 0 : (first + g->stride_height - 1) / g->stride_height;
    part.bottom = min(g->source_height, (part.end - 1 + g->padding_height) / g->stride_height + 1);
#else
    part.top = max(0, part.first * g->stride_height - g->padding_height);
    part.bottom = min(g->source_height, (part.end - 1) * g->stride_height - g->padding_height + reach + 1);
#endif
    return part;
}

// The source's rows of a part, one line each, from column `first_column` on, `line_pixels` of them, zeros where there
// is none.
static inline void copy_lines(__local float *lines, __global const float *restrict source, const Part *part,
                              const GroupRowsGeometry *g) {
    const int before = clamp(-g->first_column, 0, g->line_pixels);
    const int end = clamp(g->source_width - g->first_column, before, g->line_pixels);
#if SMALL
    const int left = g->source_channels - part->source_channel;
#endif
    for (int y = part->top; y < part->bottom; y++, lines += g->pitch) {
        __global const float *from =
            source + (((long)part->n * g->source_height + y) * g->source_width + g->first_column) * g->source_channels +
            part->source_channel;
        clear_run(lines, before * LINE_STEP);
#if SMALL
        if (left >= LANES)
            for (int at = before; at < end; at++)
                STORE(LOAD(from + (long)at * g->source_channels), lines + at * LANES);
        else
            for (int at = before; at < end; at++)
                STORE(load_first(from + (long)at * g->source_channels, left), lines + at * LANES);
#else
        // What a copy writes behind its pixel is written again.
        for (int at = before; at < end; at++)
            copy_run(lines + at * LINE_STEP, from + (long)at * g->source_channels, INPUTS);
#endif
        clear_run(lines + end * LINE_STEP, (g->line_pixels - end) * LINE_STEP);
    }
}

// The columns of a line that a run reads, relative to where the run's first pixel's window begins; and whether the u-th
// tap brings the q-th of them to a pixel of the run, and to which.
#if GRADIENT
#define LOWEST (-((KERNEL_WIDTH - 1) * DILATION / STRIDE))
#define HIGHEST ((PIXELS - 1) / STRIDE)
#define PLACE(q, u) ((q) * STRIDE + (u) * DILATION)
#define IS_PLACE(q, u) (PLACE(q, u) >= 0 && PLACE(q, u) < PIXELS)
#define COLUMN_OF(m, u) (((m) - (u) * DILATION) / STRIDE)
#define IS_REACHED(m, u) (((m) - (u) * DILATION) % STRIDE == 0)
#define RUN_COLUMN(first) ((first) / STRIDE)
#else
#define LOWEST 0
#define HIGHEST ((PIXELS - 1) * STRIDE + (KERNEL_WIDTH - 1) * DILATION)
#define PLACE(q, u) (((q) - (u) * DILATION) / STRIDE)
#define IS_PLACE(q, u) ((q) >= (u) * DILATION && ((q) - (u) * DILATION) % STRIDE == 0 && PLACE(q, u) < PIXELS)
#define COLUMN_OF(m, u) ((m) * STRIDE + (u) * DILATION)
#define IS_REACHED(m, u) 1
#define RUN_COLUMN(first) ((first) * STRIDE)
#endif

#if SMALL
// Of a vector's groups the c-th input, in each lane of the group.
#define OF_GROUP(lane) ((lane) / INPUTS * INPUTS)
#define OF_GROUP_4(l) OF_GROUP(l), OF_GROUP(l + 1), OF_GROUP(l + 2), OF_GROUP(l + 3)
#if MASKED_MOVES == 16 && __has_builtin(__builtin_ia32_permvarsf512)
#define SPREAD(from, c)                                                                             \
    __builtin_ia32_permvarsf512(                                                                    \
        LOAD(from), (int_lanes)(OF_GROUP_4(0), OF_GROUP_4(4), OF_GROUP_4(8), OF_GROUP_4(12)) + (c))
#elif MASKED_MOVES == 8 && defined(__AVX2__) && __has_builtin(__builtin_ia32_permvarsf256)
#define SPREAD(from, c) __builtin_ia32_permvarsf256(LOAD(from), (int_lanes)(OF_GROUP_4(0), OF_GROUP_4(4)) + (c))
#else
#define SPREAD(from, c) spread(from, c)
static inline lanes spread(__local const float *from, int c) {
    float values[LANES];
    for (int lane = 0; lane < LANES; lane++) values[lane] = from[OF_GROUP(lane) + c];
    return JOIN(vload, LANES)(0, values);
}
#endif
#endif

// The tap t of row `at` of the result: the line under it, nil where there is none.
static inline __local const float *line_under(__local const float *lines, const Part *part, int at, int t,
                                              const GroupRowsGeometry *g) {
#if GRADIENT
    const int steps = at + g->padding_height - t * g->dilation_height, y = steps / g->stride_height;
    if (steps < 0 || steps % g->stride_height || y >= g->source_height) return 0;
#else
    const int y = at * g->stride_height - g->padding_height + t * g->dilation_height;
    if ((uint)y >= (uint)g->source_height) return 0;
#endif
    return lines + (y - part->top) * g->pitch;
}

// Work-items: global (shares of the N · ⌈H′ / rows⌉ parts, block by block). Local: lines.
__kernel WORK_GROUP
void convolution2d_group_rows(__global const float *restrict source, __global const float *restrict filter,
                              __global const float *restrict bias, __global const float *restrict addend,
                              __global const float *restrict operand, __global float *restrict result,
                              __local float *restrict lines, const GroupRowsGeometry g) {
    const int weights_a_row = KERNEL_WIDTH * INPUTS * TILE_CHANNELS, all = g.parts * g.blocks;
    const int end = (int)((long)all * (get_global_id(0) + 1) / get_global_size(0));
    for (int index = (int)((long)all * get_global_id(0) / get_global_size(0)); index < end; index++) {
        const int block = index % g.blocks;
        Part part = part_of(index / g.blocks, &g);
        locate_channels(&part, block, &g);
        copy_lines(lines, source, &part, &g);
        __global const float *block_filter = filter + (size_t)block * g.kernel_height * weights_a_row;
        for (int row = part.first; row < part.end; row++)
            for (int first = 0; first < g.result_columns; first += PIXELS) {
                lanes sums[PIXELS][COLUMNS];
                UNROLL for (int m = 0; m < PIXELS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
                for (int t = 0; t < g.kernel_height; t++) {
                    __local const float *line = line_under(lines, &part, row, t, &g);
                    if (!line) continue;
                    line += (RUN_COLUMN(first) - LOWEST) * LINE_STEP;
                    __global const float *w = block_filter + t * weights_a_row;
#if SMALL
                    for (int c = 0; c < INPUTS; c++, w += LANES) {
                        lanes weights[KERNEL_WIDTH];
                        UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                            weights[u] = LOAD(w + u * INPUTS * LANES);
                        UNROLL for (int q = LOWEST; q <= HIGHEST; q++) {
                            const lanes value = SPREAD(line + q * LANES, c);
                            UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                                if (IS_PLACE(q, u))
                                    sums[PLACE(q, u)][0] = fma(value, weights[u], sums[PLACE(q, u)][0]);
                        }
                    }
#else
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        for (int c = 0; c < INPUTS; c++, w += TILE_CHANNELS) {
                            lanes weights[COLUMNS];
                            UNROLL for (int v = 0; v < COLUMNS; v++) weights[v] = LOAD(w + v * LANES);
                            UNROLL for (int m = 0; m < PIXELS; m++)
                                if (IS_REACHED(m, u)) {
                                    const lanes value = (lanes)(line[COLUMN_OF(m, u) * LINE_STEP + c]);
                                    UNROLL for (int v = 0; v < COLUMNS; v++)
                                        sums[m][v] = fma(value, weights[v], sums[m][v]);
                                }
                        }
#endif
                }
                UNROLL for (int m = 0; m < PIXELS; m++) {
                    const int column = first + m - g.hidden_columns;
                    if (column < 0 || column >= g.result_width) continue;
                    UNROLL for (int v = 0; v < COLUMNS; v++) {
                        const int channel = part.channel + v * LANES, count = part.count - v * LANES;
                        if (count <= 0) continue;
                        const size_t at =
                            (((size_t)part.n * g.result_height + row) * g.result_width + column) *
                                g.result_channels + channel;
                        const lanes sum =
                            with_offset(sums[m][v], bias + channel, g.result_channels, count, g.offset_kind);
                        store_first(with_epilogue(sum, g.epilogue, addend + at, operand + at, count), result + at,
                                    count);
                    }
                }
            }
    }
}

// The filter [KH][KW][D][O] in the order of blocks; for the image's gradient of blocks of input channels, summed over
// outputs. Work-items: global (blocks, taps).
__kernel WORK_GROUP
void convolution2d_group_rows_pack(__global const float *restrict filter, __global float *restrict packed,
                                   const GroupRowsGeometry g) {
    const int block = get_global_id(0), tap = get_global_id(1), taps = get_global_size(1);
    Part part = {0};
    locate_channels(&part, block, &g);
    __global float *to = packed + ((size_t)block * taps + tap) * INPUTS * TILE_CHANNELS;
    for (int r = 0; r < INPUTS; r++)
        for (int lane = 0; lane < TILE_CHANNELS; lane++, to++) {
            const int channel = part.channel + lane, group = channel / g.outputs;
#if GRADIENT
            const size_t row = (size_t)tap * g.outputs + channel % g.outputs;
            const size_t at = row * g.source_channels + group * INPUTS + r;
#else
            const size_t at = ((size_t)tap * INPUTS + r) * g.result_channels + channel;
#endif
            *to = lane < part.count ? filter[at] : 0.0f;
        }
}

#if !GRADIENT
// The block's channels of dy in the part's rows: [rows][columns][TILE_CHANNELS], zeros past the last column and
// channel.
static inline void copy_gradients(__local float *gradients, __global const float *restrict dy, const Part *part,
                                  const GroupRowsGeometry *g) {
    for (int row = part->first; row < part->end; row++, gradients += g->result_columns * TILE_CHANNELS) {
        __global const float *from =
            dy + ((size_t)part->n * g->result_height + row) * g->result_width * g->result_channels + part->channel;
        if (part->count >= TILE_CHANNELS)
            for (int j = 0; j < g->result_width; j++)
                UNROLL for (int v = 0; v < COLUMNS; v++)
                    STORE(LOAD(from + (size_t)j * g->result_channels + v * LANES),
                          gradients + j * TILE_CHANNELS + v * LANES);
        else
            for (int j = 0; j < g->result_width; j++)
                UNROLL for (int v = 0; v < COLUMNS; v++)
                    STORE(load_first(from + (size_t)j * g->result_channels + v * LANES,
                                     max(part->count - v * LANES, 0)),
                          gradients + j * TILE_CHANNELS + v * LANES);
        clear_run(gradients + g->result_width * TILE_CHANNELS, (g->result_columns - g->result_width) * TILE_CHANNELS);
    }
}

// The filter's gradient. A work-item adds up its split of the parts: sums over a part's pixels are made in registers,
// those of all parts in `partial`. Work-items: global (splits). Local: lines; gradients.
__kernel WORK_GROUP
void convolution2d_group_rows_filter_gradient(__global const float *restrict x, __global const float *restrict dy,
                                              __global float *restrict partial, __local float *restrict lines,
                                              __local float *restrict gradients, const GroupRowsGeometry g) {
    const int split = get_global_id(0), taps = g.kernel_height * KERNEL_WIDTH;
    const int length = (taps * INPUTS + 1) * g.result_channels;
    __global float *stored = partial + (size_t)split * length;
    for (int e = 0; e < length; e += LANES) store_first((lanes)(0.0f), stored + e, length - e);
    const int end_part = (int)((long)g.parts * (split + 1) / get_global_size(0));
    for (int index = (int)((long)g.parts * split / get_global_size(0)); index < end_part; index++) {
        Part part = part_of(index, &g);
        for (int block = 0; block < g.blocks; block++) {
            locate_channels(&part, block, &g);
            copy_lines(lines, x, &part, &g);
            copy_gradients(gradients, dy, &part, &g);
            __global float *sums_of_block = stored + part.channel;
            for (int t = 0; t < g.kernel_height; t++) {
#if SMALL
                for (int c = 0; c < INPUTS; c += ROWS) {
                    __global float *to =
                        sums_of_block + ((size_t)t * KERNEL_WIDTH * INPUTS + c) * g.result_channels;
                    lanes sums[KERNEL_WIDTH][ROWS];
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        UNROLL for (int m = 0; m < ROWS; m++) sums[u][m] = (lanes)(0.0f);
                    for (int row = part.first; row < part.end; row++) {
                        __local const float *line = line_under(lines, &part, row, t, &g);
                        if (!line) continue;
                        __local const float *d = gradients + (row - part.first) * g.result_columns * LANES;
                        for (int first = 0; first < g.result_columns;
                             first += PIXELS, d += PIXELS * LANES, line += PIXELS * STRIDE * LANES)
                            UNROLL for (int q = LOWEST; q <= HIGHEST; q++)
                                UNROLL for (int m = 0; m < ROWS; m++) {
                                    const lanes value = SPREAD(line + q * LANES, c + m);
                                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                                        if (IS_PLACE(q, u))
                                            sums[u][m] = fma(value, LOAD(d + PLACE(q, u) * LANES), sums[u][m]);
                                }
                    }
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        UNROLL for (int m = 0; m < ROWS; m++) {
                            __global float *at = to + (size_t)(u * INPUTS + m) * g.result_channels;
                            store_first(load_first(at, part.count) + sums[u][m], at, part.count);
                        }
                }
#else
                for (int u = 0; u < KERNEL_WIDTH; u++)
                    for (int c = 0; c < INPUTS; c += ROWS) {
                        __global float *to =
                            sums_of_block + ((size_t)(t * KERNEL_WIDTH + u) * INPUTS + c) * g.result_channels;
                        lanes sums[ROWS][COLUMNS];
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
                        for (int row = part.first; row < part.end; row++) {
                            __local const float *line = line_under(lines, &part, row, t, &g);
                            if (!line) continue;
                            line += u * DILATION * LINE_STEP + c;
                            __local const float *d = gradients + (row - part.first) * g.result_columns * TILE_CHANNELS;
                            for (int j = 0; j < g.result_width; j++, line += STRIDE * LINE_STEP, d += TILE_CHANNELS) {
                                lanes values[COLUMNS];
                                UNROLL for (int v = 0; v < COLUMNS; v++) values[v] = LOAD(d + v * LANES);
                                UNROLL for (int m = 0; m < ROWS; m++) {
                                    const lanes value = (lanes)(line[m]);
                                    UNROLL for (int v = 0; v < COLUMNS; v++)
                                        sums[m][v] = fma(value, values[v], sums[m][v]);
                                }
                            }
                        }
                        UNROLL for (int m = 0; m < ROWS; m++)
                            UNROLL for (int v = 0; v < COLUMNS; v++) {
                                const int count = part.count - v * LANES;
                                if (c + m >= INPUTS || count <= 0) continue;
                                __global float *at = to + (size_t)m * g.result_channels + v * LANES;
                                store_first(load_first(at, count) + sums[m][v], at, count);
                            }
                    }
#endif
            }
            if (!g.has_bias) continue;
            UNROLL for (int v = 0; v < COLUMNS; v++) {
                const int count = part.count - v * LANES;
                if (count <= 0) continue;
                __global float *to = sums_of_block + (size_t)taps * INPUTS * g.result_channels + v * LANES;
                lanes sum = load_first(to, count);
                for (int e = 0; e < (part.end - part.first) * g.result_columns; e++)
                    sum += LOAD(gradients + e * TILE_CHANNELS + v * LANES);
                store_first(sum, to, count);
            }
        }
    }
}
#endif
