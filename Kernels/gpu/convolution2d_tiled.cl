// Convolution and its gradient with respect to the image on GPUs: matrix products through local memory (tile.cl)
// whose left side is gathered from the image chunk by chunk, never stored as a whole (implicit GEMM).
//
//     result[m, o] = Σ over k of A[m, k] · B[k, o],   m = (n, i, j),  k = (tap row t, tap column u, channel c)
//
//   forward:         A[m, k] = image[n, i·s − p + t·e, j·s − q + u·e, c],  B[k, o] = filter[t, u, c, o].
//   input gradient:  the same with dy as image and the filter transposed and mirrored (TRANSPOSED = 1). A stride
//                    of S splits the result into S × S phases as in convolution2d_gather.cl, a launch each.
//
// Work-groups: one dimension, group = pixel tile · channel tiles + channel tile, so that groups which read the
// same pixels run side by side; a second one counts batches, of which minimal filtering has one a frequency, as many
// floats apart as it says. For every chunk a work-item brings one k of A (SOURCE_WIDTH of them), for every
// A_STEP-th pixel of the tile, and of B as many rows or columns as there are; it keeps the place of its own k,
// and needs no division to move it on.
//
// Buffers: source [N][H][W][C]; filter [tap row][tap column][inputs][outputs], as it is stored, or with STAGING the
// operands of convolution2d_filter_operands.cl; bias [O]; addend, mask and result [N][H′][W′][O]; source and result
// perhaps among another value's channels.
// Constants: those of tile.cl; TRANSPOSED; SOURCE_WIDTH, 4 where C is a multiple of 4, else 1; RESULT_WIDTH,
// likewise for O; both for where they lie, too; with STAGING, C is a multiple of SOURCE_WIDTH, the activations in
// 16 bytes, and WHOLE_TAPS is 1 where it is one of TILE_K. A chunk is of one tap then, the same for all, and the taps'
// turn comes before the channels': taps read nearly the same pixels, which a multiprocessor's cache still has.
// DILATION_HEIGHT and DILATION_WIDTH: e, where it is not 1, as in convolution2d_gather.cl.
// BOTH_GRADIENTS is 1 in front of convolution2d_gradients_tiled.cl, NORM_SUMS of convolution2d_norm_sums_tiled.cl.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifndef DILATION_WIDTH
#define DILATION_WIDTH 1
#endif

// Where a k is.
typedef struct {
    int row, column, channel;
} Tap;

static inline Tap advance(Tap tap, int by, const ConvolutionGeometry *g) {
    tap.channel += by;
    while (tap.channel >= g->source_channels) {
        tap.channel -= g->source_channels;
        if (++tap.column == g->tap_columns) {
            tap.column = 0;
            tap.row++;
        }
    }
    return tap;
}

#define A_SLOTS (TILE_K / SOURCE_WIDTH)
#define A_STEP (THREADS / A_SLOTS)
#define A_LOADS (TILE_M / A_STEP)

// Where the tap lies in the whole filter.
INLINED int filter_tap(Tap tap, const ConvolutionGeometry *g) {
#if TRANSPOSED
    return (g->filter_rows - 1 - g->first_row - tap.row * g->tap_step_height) * g->filter_columns +
           g->filter_columns - 1 - g->first_column - tap.column * g->tap_step_width;
#else
    return tap.row * g->filter_columns + tap.column;
#endif
}

// Whether there is such a k.
INLINED bool is_k(Tap tap, const ConvolutionGeometry *g) {
#if WHOLE_TAPS
    return tap.row < g->tap_rows && tap.channel < g->source_channels;
#else
    return tap.row < g->tap_rows;
#endif
}

static inline Tap next_chunk(Tap tap, const ConvolutionGeometry *g) {
#if WHOLE_TAPS
    if (++tap.column < g->tap_columns) return tap;
    tap.column = 0;
    if (++tap.row < g->tap_rows) return tap;
    tap.row = 0;
    tap.channel += TILE_K;
    return tap;
#else
    return advance(tap, TILE_K, g);
#endif
}

// The rows of A that a work-item brings: the place of their first tap, and where its pixel begins in the source.
typedef struct {
    int top[A_LOADS], left[A_LOADS], base[A_LOADS];
} Rows;

INLINED bool is_inside(const Rows *rows, int l, Tap tap, const ConvolutionGeometry *g) {
    return is_k(tap, g) && (uint)(rows->top[l] + tap.row * DILATION_HEIGHT) < (uint)g->source_height &&
           (uint)(rows->left[l] + tap.column * DILATION_WIDTH) < (uint)g->source_width;
}

INLINED int source_offset(Tap tap, const ConvolutionGeometry *g) {
    return (tap.row * DILATION_HEIGHT * g->source_width + tap.column * DILATION_WIDTH) * g->source_stride + tap.channel;
}

// A chunk is brought: its operands are on their way to a stage of local memory, held in registers if they go through
// them; and then put there. Past the last chunk come zeros, which nobody multiplies.
#if STAGING
// A work-item brings the same k of B as of A, for every A_STEP-th channel of the tile.
#define B_LOADS (TILE_N / A_STEP)
#if WHOLE_TAPS
#define FETCH_A fetch_cached
#else
#define FETCH_A fetch
#endif
#define MULTIPLY multiply_k_major
typedef activation filter_value;
typedef struct {
    WordRun a[A_LOADS], b[B_LOADS];
} Brought;

INLINED void bring(Brought *next, __local WordRun *a, __local WordRun *b, __global const activation *source,
                         __global const filter_value *filter, const Rows *rows, Tap tap, int chunk,
                         int first_channel, int id, const ConvolutionGeometry *g) {
    const int offset = source_offset(tap, g), filter_offset = filter_tap(tap, g) * g->source_channels + tap.channel;
    const int filter_step = g->filter_rows * g->filter_columns * g->source_channels;
    UNROLL for (int l = 0; l < A_LOADS; l++)
        FETCH_A(&next->a[l], a + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS), source + rows->base[l] + offset,
                is_inside(rows, l, tap, g));
    UNROLL for (int l = 0; l < B_LOADS; l++) {
        const int channel = first_channel + id / A_SLOTS + l * A_STEP;
        fetch(&next->b[l], b + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS),
              filter + channel * filter_step + filter_offset, is_k(tap, g) && channel < g->result_channels);
    }
    commit_copies();
}

INLINED void put(const Brought *next, __local WordRun *a, __local WordRun *b, int id) {
    UNROLL for (int l = 0; l < A_LOADS; l++)
        place_rounded(a + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS), next->a[l]);
    UNROLL for (int l = 0; l < B_LOADS; l++)
        place(b + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS), next->b[l]);
}
#else
#define MULTIPLY multiply
typedef float filter_value;
#if TRANSPOSED
// As with STAGING.
#define B_WIDTH SOURCE_WIDTH
#define B_LOADS (TILE_N / A_STEP)
#else
// A work-item brings the same channels for as many k as there are.
#define B_WIDTH RESULT_WIDTH
#define B_SLOTS (TILE_N / RESULT_WIDTH)
#define B_LOADS (TILE_K / (THREADS / B_SLOTS))
#endif
typedef struct {
    ACTIVATIONS(SOURCE_WIDTH) a[A_LOADS];
    FLOATS(B_WIDTH) b[B_LOADS];
} Brought;

INLINED void bring(Brought *next, __local WordRun *a, __local WordRun *b, __global const activation *source,
                         __global const filter_value *filter, const Rows *rows, Tap tap, int chunk,
                         int first_channel, int id, const ConvolutionGeometry *g) {
    const int offset = source_offset(tap, g);
    UNROLL for (int l = 0; l < A_LOADS; l++)
        next->a[l] = is_inside(rows, l, tap, g) ? LOAD_WIDE(SOURCE_WIDTH, source + rows->base[l] + offset)
                                                : (ACTIVATIONS(SOURCE_WIDTH))(0);
#if TRANSPOSED
    const int filter_offset = filter_tap(tap, g) * g->result_channels;
    UNROLL for (int l = 0; l < B_LOADS; l++) {
        const int channel = first_channel + id / A_SLOTS + l * A_STEP;
        const bool inside = is_k(tap, g) && channel < g->result_channels;
        next->b[l] = inside ? LOAD_WIDE(B_WIDTH, filter + (size_t)(filter_offset + channel) * g->source_channels +
                                                     tap.channel)
                            : (FLOATS(B_WIDTH))(0.0f);
    }
#else
    const int depth = g->tap_rows * g->tap_columns * g->source_channels;
    const int channel = first_channel + id % B_SLOTS * B_WIDTH;
    UNROLL for (int l = 0; l < B_LOADS; l++) {
        const int k = chunk * TILE_K + K_ALONG(id, l, B_SLOTS);
        const bool inside = k < depth && channel < g->result_channels;
        next->b[l] = inside ? LOAD_WIDE(B_WIDTH, filter + (size_t)k * g->result_channels + channel)
                            : (FLOATS(B_WIDTH))(0.0f);
    }
#endif
}

// Along k in memory, down a column of the tile in local memory.
#if PAIRED
OVERLOADED void store_down(__local Word *tile, int k, int column, int pitch, ushort4 value) {
    __local Word *to = tile + k / 2 * pitch + column;
    to[0] = as_uint(value.lo), to[pitch] = as_uint(value.hi);
}
OVERLOADED void store_down(__local Word *tile, int k, int column, int pitch, float4 value) {
    __local Word *to = tile + k / 2 * pitch + column;
    to[0] = paired(value.s0, value.s1), to[pitch] = paired(value.s2, value.s3);
}
#else
OVERLOADED void store_down(__local Word *tile, int k, int column, int pitch, float4 value) {
    const float4 operand = OPERAND(4, value);
    __local Word *to = tile + k * pitch + column;
    to[0] = operand.s0, to[pitch] = operand.s1, to[2 * pitch] = operand.s2, to[3 * pitch] = operand.s3;
}
OVERLOADED void store_down(__local Word *tile, int k, int column, int pitch, float value) {
    tile[k * pitch + column] = OPERAND(1, value);
}
#endif

INLINED void put(const Brought *next, __local WordRun *a, __local WordRun *b, int id) {
    UNROLL for (int l = 0; l < A_LOADS; l++)
        store_down((__local Word *)a, id % A_SLOTS * SOURCE_WIDTH, id / A_SLOTS + l * A_STEP, PITCH_M * 4, next->a[l]);
#if TRANSPOSED
    UNROLL for (int l = 0; l < B_LOADS; l++)
        store_down((__local Word *)b, id % A_SLOTS * SOURCE_WIDTH, id / A_SLOTS + l * A_STEP, PITCH_N * 4, next->b[l]);
#else
    STORE_ALONG(id, b, PITCH_N, B_SLOTS, B_WIDTH, next->b, B_LOADS)
#endif
}
#endif

// Where a pixel of the grid is in the result. The forward pass's grid is its result.
INLINED int result_pixel(int position, const ConvolutionGeometry *g) {
#if TRANSPOSED
    const int j = position % g->grid_width;
    const int i = position / g->grid_width % g->grid_height;
    const int n = position / (g->grid_width * g->grid_height);
    const int row = i * g->result_step_height + g->phase_height;
    const int column = j * g->result_step_width + g->phase_width;
    return (n * g->result_height + row) * g->result_width + column;
#else
    return position;
#endif
}

// A work-item's run of sums [m][v] in the result: of values from `at` on, and of channels from `channel` on, of which
// `count` are left; none where it lies outside.
typedef struct {
    size_t at;
    int channel, count;
} ResultRun;

static inline ResultRun result_run(int m, int v, int first_pixel, int first_channel, int id,
                                   const ConvolutionGeometry *g) {
    const int position = first_pixel + TILE_ROW(id, m), channel = first_channel + TILE_COLUMN(id, v);
    if (position >= g->grid_images * g->grid_height * g->grid_width) return (ResultRun){0, 0, 0};
    const size_t pixel = result_pixel(position, g);
    return (ResultRun){pixel * g->result_stride + g->result_first + channel, channel, g->result_channels - channel};
}

// Where the `group`-th work-group's tile begins.
#define CHANNEL_TILES(g) (((g)->result_channels + TILE_N - 1) / TILE_N)
#define FIRST_PIXEL(group, g) ((group) / CHANNEL_TILES(g) * TILE_M)
#define FIRST_CHANNEL(group, g) ((group) % CHANNEL_TILES(g) * TILE_N)
#define GRID(g) ((g)->grid_images * (g)->grid_height * (g)->grid_width)

// The sums of the `group`-th work-group's tile, with local memory for its operands, which is free behind a barrier.
INLINED void sum_products(SumRow *sums, __global const activation *source, __global const filter_value *filter,
                          const ConvolutionGeometry *g, __local WordRun (*a)[A_RUNS],
                          __local WordRun (*b)[B_RUNS], int group) {
    const int id = get_local_id(0), first_pixel = FIRST_PIXEL(group, g), first_channel = FIRST_CHANNEL(group, g);
    const int grid = GRID(g);
    const int chunks = (g->tap_rows * g->tap_columns * g->source_channels + TILE_K - 1) / TILE_K;

    Rows rows;
    UNROLL for (int l = 0; l < A_LOADS; l++) {
        const int position = first_pixel + id / A_SLOTS + l * A_STEP;
        const int j = position % g->grid_width;
        const int i = position / g->grid_width % g->grid_height;
        const int n = position / (g->grid_width * g->grid_height);
        // A pixel past the last is far above the image, where every tap reads zeros.
        rows.top[l] = position < grid ? i * g->stride_height + g->origin_height : -(1 << 30);
        rows.left[l] = j * g->stride_width + g->origin_width;
        rows.base[l] =
            position < grid ? ((n * g->source_height + rows.top[l]) * g->source_width + rows.left[l]) *
                                      g->source_stride +
                                  g->source_first
                            : 0;
    }

    clear_sums(sums);
    Tap tap = {0, 0, 0};
    tap = advance(tap, id % A_SLOTS * SOURCE_WIDTH, g);
    Brought next;
    UNROLL for (int stage = 0; stage < STAGES - 1; stage++) {
        bring(&next, a[stage], b[stage], source, filter, &rows, tap, stage, first_channel, id, g);
        put(&next, a[stage], b[stage], id);
        tap = next_chunk(tap, g);
    }
    for (int chunk = 0, at = 0, stage = STAGES - 1; chunk < chunks;
         chunk++, at = next_stage(at), stage = next_stage(stage)) {
        await_chunk();
        // The chunk is there, and the one before it has been multiplied by all.
        barrier(CLK_LOCAL_MEM_FENCE);
        bring(&next, a[stage], b[stage], source, filter, &rows, tap, chunk + STAGES - 1, first_channel, id, g);
        tap = next_chunk(tap, g);
        MULTIPLY(sums, a[at], b[at], id);
        put(&next, a[stage], b[stage], id);
    }
    await_copies();
}

// Adds what is added to them: all of it is on its way before the first is stored.
INLINED void add_operands(SumRow *sums, __global const float *bias, __global const activation *addend,
                          const ConvolutionGeometry *g, int group) {
    const int id = get_local_id(0), kind = g->offset_kind, adds = g->epilogue & EPILOGUE_SUM;
    if (!kind && !adds) return;
    UNROLL for (int m = 0; m < THREAD_M; m++)
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
            const ResultRun run = result_run(m, v, FIRST_PIXEL(group, g), FIRST_CHANNEL(group, g), id, g);
            if (run.count <= 0) continue;
            if (kind == OFFSET_FACTOR)
                sums[m][v] *= load_run(bias + g->result_channels + run.channel, run.count, RESULT_WIDTH);
            if (kind) sums[m][v] += load_run(bias + run.channel, run.count, RESULT_WIDTH);
            if (adds) sums[m][v] += load_run(addend + run.at, run.count, RESULT_WIDTH);
        }
}

// What the `group`-th work-group does.
INLINED void convolve(__global const activation *source, __global const filter_value *filter,
                      __global const float *bias, __global const activation *addend,
                      __global const activation *mask, __global activation *result,
                      const ConvolutionGeometry *g, __local WordRun (*a)[A_RUNS], __local WordRun (*b)[B_RUNS],
                      int group) {
    SumRow sums[THREAD_M];
    sum_products(sums, source, filter, g, a, b, group);
    add_operands(sums, bias, addend, g, group);
    const int id = get_local_id(0), epilogue = BEHIND_SUM(g->epilogue);
    UNROLL for (int m = 0; m < THREAD_M; m++)
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
            const ResultRun run = result_run(m, v, FIRST_PIXEL(group, g), FIRST_CHANNEL(group, g), id, g);
            if (run.count <= 0) continue;
            float4 value = sums[m][v];
            if (epilogue == EPILOGUE_ACTIVATION) value = ACTIVATED(value);
            if (epilogue == EPILOGUE_GRADIENT)
                value = ACTIVATION_GRADIENT(value, load_run(mask + run.at, run.count, RESULT_WIDTH));
            store_run(value, result + run.at, run.count, RESULT_WIDTH);
        }
}

#if !BOTH_GRADIENTS && !NORM_SUMS
__kernel TILED_GROUP
void convolution2d_tiled(__global const activation *restrict source, __global const filter_value *restrict filter,
                         __global const float *restrict bias, __global const activation *restrict addend,
                         __global const activation *restrict mask, __global activation *restrict result,
                         const ConvolutionGeometry g) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS];
    const size_t batch = get_group_id(1);
    convolve(source + batch * g.source_batch, filter + batch * g.filter_batch, bias, addend, mask,
             result + batch * g.result_batch, &g, a, b, get_group_id(0));
}
#endif
