// Convolution and its gradient with respect to the image on GPUs: matrix products through local memory (tile.cl)
// whose left side is gathered from the image chunk by chunk, never stored as a whole (implicit GEMM).
//
//     result[m, o] = Σ over k of A[m, k] · B[k, o],   m = (n, i, j),  k = (tap row t, tap column u, channel c)
//
//   forward:         A[m, k] = image[n, i·s − p + t, j·s − q + u, c],  B[k, o] = filter[t, u, c, o].
//   input gradient:  the same with dy as image and the filter transposed and mirrored (TRANSPOSED = 1). A stride
//                    of S splits the result into S × S phases as in convolution2d.cl, a launch each.
//
// Work-groups: one dimension, group = pixel tile · channel tiles + channel tile, so that groups which read the
// same pixels run side by side; a second one counts batches, of which minimal filtering has one a frequency, as many floats
// apart as it says. For every chunk a work-item brings one k of A (SOURCE_WIDTH of them), for every
// A_STEP-th pixel of the tile, and of B as many rows or columns as there are; it keeps the place of its own k,
// and needs no division to move it on.
//
// Buffers: source [N][H][W][C]; filter [tap row][tap column][inputs][outputs], as it is stored, or with ASYNC the operands
// of convolution2d_filter_operands.cl; bias [O]; mask and result [N][H′][W′][O], the
// latter perhaps among another value's channels.
// Constants: those of tile.cl; TRANSPOSED; SOURCE_WIDTH, 4 where C is a multiple of 4, else 1; RESULT_WIDTH,
// likewise for O and for where it lies; ASYNC, for which C is a multiple of SOURCE_WIDTH, the activations in 16 bytes, and
// WHOLE_TAPS, 1 where it is one of TILE_K. A chunk is of one tap then, the same for all, and the taps' turn comes before the
// channels': taps read nearly the same pixels, which a multiprocessor's cache still has.

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
#if TRANSPOSED
#define FILTER_ROW (g.filter_rows - 1 - g.first_row - tap.row * g.tap_step_height)
#define FILTER_COLUMN (g.filter_columns - 1 - g.first_column - tap.column * g.tap_step_width)
#else
#define FILTER_ROW tap.row
#define FILTER_COLUMN tap.column
#endif

// Whether there is such a k, and the tap has a pixel for the work-item's l-th row of A.
#if WHOLE_TAPS
#define IS_K (tap.row < g.tap_rows && tap.channel < g.source_channels)
#else
#define IS_K (tap.row < g.tap_rows)
#endif
#define IS_INSIDE(l)                                                                                \
    (IS_K && (uint)(top[l] + tap.row) < (uint)g.source_height &&                    \
     (uint)(left[l] + tap.column) < (uint)g.source_width)

#if WHOLE_TAPS
static inline Tap next_chunk(Tap tap, const ConvolutionGeometry *g) {
    if (++tap.column < g->tap_columns) return tap;
    tap.column = 0;
    if (++tap.row < g->tap_rows) return tap;
    tap.row = 0;
    tap.channel += TILE_K;
    return tap;
}
#else
static inline Tap next_chunk(Tap tap, const ConvolutionGeometry *g) { return advance(tap, TILE_K, g); }
#endif

#if ASYNC
// A work-item copies the same k of B as of A, for every A_STEP-th channel of the tile, and moves on to the next chunk.
#define B_LOADS (TILE_N / A_STEP)
#if WHOLE_TAPS
#define COPY_A copy_piece_cached
#else
#define COPY_A copy_piece
#endif
#define COPY(a, b)                                                                                  \
    {                                                                                               \
        const int offset =                                                                          \
            (tap.row * g.source_width + tap.column) * g.source_channels + tap.channel;              \
        const int filter_offset =                                                                   \
            (FILTER_ROW * g.filter_columns + FILTER_COLUMN) * g.source_channels + tap.channel;      \
        UNROLL for (int l = 0; l < A_LOADS; l++)                                                    \
            COPY_A((a) + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS),                          \
                   source + base[l] + offset, IS_INSIDE(l));                                        \
        UNROLL for (int l = 0; l < B_LOADS; l++) {                                                  \
            const int channel = first_channel + id / A_SLOTS + l * A_STEP;                          \
            copy_piece((b) + K_MAJOR(id / A_SLOTS + l * A_STEP, id % A_SLOTS),                      \
                       filter + channel * filter_step + filter_offset,                              \
                       IS_K && channel < g.result_channels);                                        \
        }                                                                                           \
        COMMIT_COPIES                                                                               \
        tap = next_chunk(tap, &g);                                                                  \
    }
typedef activation filter_value;
#else
typedef float filter_value;
#if TRANSPOSED
// A work-item brings the same k of B as of A, for every A_STEP-th channel of the tile.
#define B_WIDTH SOURCE_WIDTH
#define B_LOADS (TILE_N / A_STEP)
#else
// A work-item brings the same channels for as many k as there are.
#define B_WIDTH RESULT_WIDTH
#define B_SLOTS (TILE_N / RESULT_WIDTH)
#define B_LOADS (TILE_K / (THREADS / B_SLOTS))
#endif

#define LOAD_A                                                                                      \
    {                                                                                               \
        const int offset =                                                                          \
            (tap.row * g.source_width + tap.column) * g.source_channels + tap.channel;              \
        UNROLL for (int l = 0; l < A_LOADS; l++) {                                                  \
            a_next[l] = IS_INSIDE(l) ? LOAD_WIDE(SOURCE_WIDTH, source + base[l] + offset)           \
                                     : (ACTIVATIONS(SOURCE_WIDTH))(0);                              \
        }                                                                                           \
    }

// Along k in memory, down a column of the tile in local memory.
#define STORE_DOWN(tile, pitch, values, loads)                                                      \
    UNROLL for (int l = 0; l < (loads); l++)                                                        \
        store_down((__local Word *)(tile), id % A_SLOTS * SOURCE_WIDTH, id / A_SLOTS + l * A_STEP, (pitch) * 4, values[l]);
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

#if TRANSPOSED
#define LOAD_B                                                                                      \
    {                                                                                               \
        const int offset = (FILTER_ROW * g.filter_columns + FILTER_COLUMN) * g.result_channels;     \
        UNROLL for (int l = 0; l < B_LOADS; l++) {                                                  \
            const int channel = first_channel + id / A_SLOTS + l * A_STEP;                          \
            const bool inside = IS_K && channel < g.result_channels;                                \
            b_next[l] = inside ? LOAD_WIDE(B_WIDTH, filter + (size_t)(offset + channel) *           \
                                                    g.source_channels + tap.channel)                \
                               : (FLOATS(B_WIDTH))(0.0f);                                           \
        }                                                                                           \
    }
#define STORE_B(tile) STORE_DOWN(tile, PITCH_N, b_next, B_LOADS)
#else
#define LOAD_B                                                                                      \
    {                                                                                               \
        const int channel = first_channel + id % B_SLOTS * B_WIDTH;                                 \
        UNROLL for (int l = 0; l < B_LOADS; l++) {                                                  \
            const int k = chunk * TILE_K + K_ALONG(l, B_SLOTS);                                     \
            const bool inside = k < depth && channel < g.result_channels;                           \
            b_next[l] = inside ? LOAD_WIDE(B_WIDTH, filter + (size_t)k * g.result_channels + channel) \
                               : (FLOATS(B_WIDTH))(0.0f);                                           \
        }                                                                                           \
    }
#define STORE_B(tile) STORE_ALONG(tile, PITCH_N, B_SLOTS, B_WIDTH, b_next, B_LOADS)
#endif
#endif

// Where a pixel of the grid is in the result. The forward pass's grid is its result.
#if TRANSPOSED
static inline int result_pixel(int position, const ConvolutionGeometry *g) {
    const int j = position % g->grid_width;
    const int i = position / g->grid_width % g->grid_height;
    const int n = position / (g->grid_width * g->grid_height);
    const int row = i * g->result_step_height + g->phase_height;
    const int column = j * g->result_step_width + g->phase_width;
    return (n * g->result_height + row) * g->result_width + column;
}
#define RESULT_PIXEL(position) result_pixel(position, &g)
#else
#define RESULT_PIXEL(position) (position)
#endif

__kernel TILED_GROUP
void convolution2d_tiled(__global const activation *restrict source, __global const filter_value *restrict filter,
                         __global const float *restrict bias, __global const activation *restrict mask,
                         __global activation *restrict result, const ConvolutionGeometry g) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS];
    source += (size_t)get_group_id(1) * g.source_batch;
    filter += (size_t)get_group_id(1) * g.filter_batch;
    result += (size_t)get_group_id(1) * g.result_batch;
    const int id = get_local_id(0);
    const int channel_tiles = (g.result_channels + TILE_N - 1) / TILE_N;
    const int group = get_group_id(0);
    const int first_pixel = group / channel_tiles * TILE_M;
    const int first_channel = group % channel_tiles * TILE_N;
    const int grid = g.grid_images * g.grid_height * g.grid_width;
    const int depth = g.tap_rows * g.tap_columns * g.source_channels;
    const int chunks = (depth + TILE_K - 1) / TILE_K;

    int top[A_LOADS], left[A_LOADS], base[A_LOADS];
    UNROLL for (int l = 0; l < A_LOADS; l++) {
        const int position = first_pixel + id / A_SLOTS + l * A_STEP;
        const int j = position % g.grid_width;
        const int i = position / g.grid_width % g.grid_height;
        const int n = position / (g.grid_width * g.grid_height);
        // A pixel past the last is far above the image, where every tap reads zeros.
        top[l] = position < grid ? i * g.stride_height + g.origin_height : -(1 << 30);
        left[l] = j * g.stride_width + g.origin_width;
        base[l] = position < grid ? ((n * g.source_height + top[l]) * g.source_width + left[l]) * g.source_channels : 0;
    }

    Sums sums;
    UNROLL for (int m = 0; m < THREAD_M; m++)
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) sums[m][v] = (float4)(0.0f);

    Tap tap = {0, 0, 0};
    tap = advance(tap, id % A_SLOTS * SOURCE_WIDTH, &g);
#if ASYNC
    const int filter_step = g.filter_rows * g.filter_columns * g.source_channels;
    UNROLL for (int stage = 0; stage < STAGES - 1; stage++) COPY(a[stage], b[stage])
    for (int chunk = 0; chunk < chunks; chunk++) {
        AWAIT_CHUNK
        barrier(CLK_LOCAL_MEM_FENCE);
        // The chunk before this one has been multiplied by all. Past the last one come zeros.
        const int next = (chunk + STAGES - 1) % STAGES;
        COPY(a[next], b[next])
        MULTIPLY_K_MAJOR(a[chunk % STAGES], b[chunk % STAGES])
    }
    AWAIT_COPIES
#else
    ACTIVATIONS(SOURCE_WIDTH) a_next[A_LOADS];
    FLOATS(B_WIDTH) b_next[B_LOADS];
    int chunk = 0;
    LOAD_A
    LOAD_B
    STORE_DOWN(a[0], PITCH_M, a_next, A_LOADS)
    STORE_B(b[0])
    barrier(CLK_LOCAL_MEM_FENCE);
    for (; chunk < chunks; ) {
        const int current = chunk & 1;
        chunk++;
        // Past the last chunk these bring zeros, which nobody multiplies.
        tap = next_chunk(tap, &g);
        LOAD_A
        LOAD_B
        MULTIPLY(a[current], b[current])
        STORE_DOWN(a[current ^ 1], PITCH_M, a_next, A_LOADS)
        STORE_B(b[current ^ 1])
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#endif

    UNROLL for (int m = 0; m < THREAD_M; m++) {
        const int position = first_pixel + TILE_ROW(m);
        if (position < grid) {
            const int pixel = RESULT_PIXEL(position);
            UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
                const int channel = first_channel + TILE_COLUMN(v);
                const int count = g.result_channels - channel;
                if (count > 0) {
                    const size_t at = (size_t)pixel * g.result_stride + g.result_first + channel;
                    float4 value = sums[m][v];
                    if (g.offset_kind == OFFSET_FACTOR)
                        value *= load_run(bias + g.result_channels + channel, count, RESULT_WIDTH);
                    if (g.offset_kind) value += load_run(bias + channel, count, RESULT_WIDTH);
                    if (g.epilogue == EPILOGUE_ACTIVATION) value = ACTIVATED(value);
                    if (g.epilogue == EPILOGUE_GRADIENT)
                        value = ACTIVATION_GRADIENT(value, load_run(mask + at, count, RESULT_WIDTH));
                    store_run(value, result + at, count, RESULT_WIDTH);
                }
            }
        }
    }
}
