// Convolution's gradient with respect to filter and bias on GPUs: a matrix product through local memory (tile.cl)
// over all output pixels, split into parts that are added in order afterwards.
//
//     dw[r, o] = Σ over k of A[r, k] · dy[k, o],   r = (tap row t, tap column u, channel c),  k = (n, i, j)
//     A[r, k] = x[n, i·s − p + t, j·s − q + u, c]
//     db[o]   = Σ over k of dy[k, o]
//
// Both sides are contiguous along the tile, r's channels and o, so vector loads go into local memory as they are.
//
//   filter_gradient_tiled   work-groups: (split, row tile, channel tile), the last innermost; a second dimension counts
//                           batches, of which minimal filtering has one a frequency, as many floats apart as it says. A
//                           work-item brings the same r of as many pixels as there are, and the same
//                           o. The groups of row tile 0 also add up dy for the bias: each
//                           work-item what it brings, then one work-item a channel adds these sums in order.
//   filter_gradient_reduce  global (values, rounded up to whole groups). Adds the splits in order.
//
// Buffers: x [N][H][W][C]; dy [N][H′][W′][O]; with one split filter_sums is dw [KH·KW·C][O] and bias_sums db [O],
// with several both are partial [splits][KH·KW·C + 1][O], whose last row is the bias's.
// Constants: those of tile.cl; SOURCE_WIDTH, 4 where C is a multiple of 4, else 1; RESULT_WIDTH, likewise for O; ASYNC, for
// which both are the activations in 16 bytes.

#define A_SLOTS (TILE_M / SOURCE_WIDTH)
#define A_LOADS (TILE_K / (THREADS / A_SLOTS))
#define B_SLOTS (TILE_N / RESULT_WIDTH)
#define B_STEP (THREADS / B_SLOTS)
#define B_LOADS (TILE_K / B_STEP)

// An output pixel.
typedef struct {
    int n, i, j;
} Pixel;

static inline Pixel advance(Pixel pixel, int by, const TiledGradientGeometry *g) {
    pixel.j += by;
    while (pixel.j >= g->output_width) {
        pixel.j -= g->output_width;
        if (++pixel.i == g->output_height) {
            pixel.i = 0;
            pixel.n++;
        }
    }
    return pixel;
}

#if ASYNC
// The place in local memory of what a work-item copies.
#define A_PIECE(l) MN_MAJOR(K_ALONG(l, A_SLOTS), id % A_SLOTS, A_SLOTS)
#define B_PIECE(l) MN_MAJOR(K_ALONG(l, B_SLOTS), id % B_SLOTS, B_SLOTS)
#define MOVE_A(l, from, inside) copy_piece(a[stage] + A_PIECE(l), from, inside)
#define MOVE_B(l, from, inside) copy_piece(b[stage] + B_PIECE(l), from, inside)
#else
#define MOVE_A(l, from, inside) \
    a_next[l] = (inside) ? LOAD_WIDE(SOURCE_WIDTH, from) : (ACTIVATIONS(SOURCE_WIDTH))(0)
#define MOVE_B(l, from, inside) \
    b_next[l] = (inside) ? LOAD_WIDE(RESULT_WIDTH, from) : (ACTIVATIONS(RESULT_WIDTH))(0)
#endif

#define LOAD_A                                                                                      \
    UNROLL for (int l = 0; l < A_LOADS; l++) {                                                      \
        const int y = pixel[l].i * g.stride_height + tap_y, x_ = pixel[l].j * g.stride_width + tap_x; \
        const bool inside = pixel[l].n < g.images && r < rows && (uint)y < (uint)g.height &&        \
                            (uint)x_ < (uint)g.width;                                               \
        const int at = ((pixel[l].n * g.height + y) * g.width + x_) * g.channels + channel;         \
        MOVE_A(l, x + at, inside);                                                                  \
        pixel[l] = advance(pixel[l], TILE_K, &g);                                                   \
    }

#define LOAD_B                                                                                      \
    UNROLL for (int l = 0; l < B_LOADS; l++) {                                                      \
        const int k = chunk * TILE_K + K_ALONG(l, B_SLOTS);                                         \
        MOVE_B(l, dy + (size_t)k * g.output_channels + o, k < pixels && o < g.output_channels);     \
    }

#define STORE_A(tile) STORE_ALONG(tile, PITCH_M, A_SLOTS, SOURCE_WIDTH, a_next, A_LOADS)
#define STORE_B(tile) STORE_ALONG(tile, PITCH_N, B_SLOTS, RESULT_WIDTH, b_next, B_LOADS)

// Two neighbours of row m, those of `product`.
#define STORE_PAIR(m, product, component)                                                           \
    {                                                                                               \
        const int row = row_tile * TILE_M + MN_ROW(m), column = first_channel + MN_COLUMN(product, 0); \
        if (row < rows && column < g.output_channels) {                                             \
            __global float2 *to = (__global float2 *)(stored + (size_t)row * g.output_channels + column); \
            const float2 pair = (float2)(sums[m][0].component, sums[m][1].component);               \
            *to = g.accumulates ? *to + pair : pair;                                                \
        }                                                                                           \
    }

// What was brought, to be added up.
#if PAIRED
OVERLOADED float as_floats(ushort value) { return from_stored(value); }
OVERLOADED float4 as_floats(ushort4 value) { return lanes_from_stored(value); }
OVERLOADED float8 as_floats(ushort8 value) {
    return (float8)(lanes_from_stored(value.lo), lanes_from_stored(value.hi));
}
#else
#define as_floats(value) (value)
#endif

__kernel TILED_GROUP
void convolution2d_filter_gradient_tiled(__global const activation *restrict x,
                                         __global const activation *restrict dy,
                                         __global float *filter_sums, __global float *bias_sums,
                                         const TiledGradientGeometry g) {
    // Aligned for the longest run of bias sums, which take the last's place.
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS] __attribute__((aligned(32)));
    x += (size_t)get_group_id(1) * g.image_batch;
    dy += (size_t)get_group_id(1) * g.gradient_batch;
    filter_sums += (size_t)get_group_id(1) * g.sums_batch;
    bias_sums += (size_t)get_group_id(1) * g.sums_batch;
    const int id = get_local_id(0);
    const int rows = g.kernel_height * g.kernel_width * g.channels;
    const int channel_tiles = (g.output_channels + TILE_N - 1) / TILE_N;
    const int row_tiles = (rows + TILE_M - 1) / TILE_M;
    const int group = get_group_id(0);
    const int first_channel = group % channel_tiles * TILE_N;
    const int row_tile = group / channel_tiles % row_tiles;
    const int split = group / (channel_tiles * row_tiles);
    const int pixels = g.images * g.output_height * g.output_width;
    const int chunks = (pixels + TILE_K - 1) / TILE_K;
    const int end_chunk = (int)((long)chunks * (split + 1) / g.splits);
    int chunk = (int)((long)chunks * split / g.splits);
    const bool adds_bias = g.has_bias && row_tile == 0;

    // The element of the filter's rows, and the output channel, that this work-item brings.
    const int r = row_tile * TILE_M + id % A_SLOTS * SOURCE_WIDTH;
    const int o = first_channel + id % B_SLOTS * RESULT_WIDTH;
    const int channel = r % g.channels;
    const int tap_x = r / g.channels % g.kernel_width - g.padding_width;
    const int tap_y = r / (g.channels * g.kernel_width) - g.padding_height;
    Pixel pixel[A_LOADS];
    UNROLL for (int l = 0; l < A_LOADS; l++) {
        const int k = chunk * TILE_K + K_ALONG(l, A_SLOTS);
        pixel[l].j = k % g.output_width;
        pixel[l].i = k / g.output_width % g.output_height;
        pixel[l].n = k / (g.output_width * g.output_height);
    }

    Sums sums;
    UNROLL for (int m = 0; m < THREAD_M; m++)
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) sums[m][v] = (float4)(0.0f);
    FLOATS(RESULT_WIDTH) bias_sum = (FLOATS(RESULT_WIDTH))(0.0f);

#if ASYNC
    UNROLL for (int stage = 0; stage < STAGES - 1; stage++, chunk++) {
        LOAD_A
        LOAD_B
        COMMIT_COPIES
    }
    // `chunk` is the one that is copied; that of `current` is multiplied.
    for (int current = 0; chunk < end_chunk + STAGES - 1; chunk++, current = (current + 1) % STAGES) {
        AWAIT_CHUNK
        barrier(CLK_LOCAL_MEM_FENCE);
        // The chunk before `current` has been multiplied by all. Past the last of the split come some that nobody wants.
        const int stage = (current + STAGES - 1) % STAGES;
        LOAD_A
        LOAD_B
        COMMIT_COPIES
        if (adds_bias)
            UNROLL for (int l = 0; l < B_LOADS; l++)
                bias_sum += as_floats(((__local const ACTIVATIONS(RESULT_WIDTH) *)b[current])[B_PIECE(l)]);
        MULTIPLY_MN_MAJOR(a[current], b[current])
    }
    AWAIT_COPIES
    barrier(CLK_LOCAL_MEM_FENCE);
#else
    ACTIVATIONS(SOURCE_WIDTH) a_next[A_LOADS];
    ACTIVATIONS(RESULT_WIDTH) b_next[B_LOADS];
    int current = 0;
    LOAD_A
    LOAD_B
    STORE_A(a[0])
    STORE_B(b[0])
    barrier(CLK_LOCAL_MEM_FENCE);
    while (chunk < end_chunk) {
        if (adds_bias) UNROLL for (int l = 0; l < B_LOADS; l++) bias_sum += as_floats(b_next[l]);
        chunk++;
        // Past the last chunk of the split these bring what nobody multiplies.
        LOAD_A
        LOAD_B
        MULTIPLY(a[current], b[current])
        current ^= 1;
        STORE_A(a[current])
        STORE_B(b[current])
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#endif

    __global float *stored = filter_sums + (size_t)split * g.split_stride;
#if ASYNC
    UNROLL for (int m = 0; m < THREAD_M; m++) {
        STORE_PAIR(m, 0, s0)
        STORE_PAIR(m, 1, s1)
        STORE_PAIR(m, 2, s2)
        STORE_PAIR(m, 3, s3)
    }
#else
    UNROLL for (int m = 0; m < THREAD_M; m++) {
        const int row = row_tile * TILE_M + TILE_ROW(m);
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
            const int column = first_channel + TILE_COLUMN(v);
            const int count = g.output_channels - column;
            if (row < rows && count > 0) {
                __global float *to = stored + (size_t)row * g.output_channels + column;
                if (g.accumulates) sums[m][v] += load_run(to, count, RESULT_WIDTH);
                store_run(sums[m][v], to, count, RESULT_WIDTH);
            }
        }
    }
#endif

    // The tiles are free: bias sums [B_STEP][TILE_N].
    __local float *brought = (__local float *)b;
    *(__local FLOATS(RESULT_WIDTH) *)(brought + id / B_SLOTS * TILE_N + id % B_SLOTS * RESULT_WIDTH) = bias_sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (adds_bias && id < TILE_N && first_channel + id < g.output_channels) {
        __global float *to = bias_sums + (size_t)split * g.split_stride + g.bias_offset + first_channel + id;
        float sum = g.accumulates ? *to : 0.0f;
        for (int k = 0; k < B_STEP; k++) sum += brought[k * TILE_N + id];
        *to = sum;
    }
}

// Adds the splits' sums in order; `bias` takes the last row.
__kernel void convolution2d_filter_gradient_reduce(__global const float *restrict partial,
                                                   __global float *restrict filter, __global float *restrict bias,
                                                   int filter_count, int outputs, int splits, int has_bias) {
    const int at = get_global_id(0);
    if (at >= filter_count + (has_bias ? outputs : 0)) return;
    const int stride = filter_count + outputs;
    float sum = partial[at];
    for (int split = 1; split < splits; split++) sum += partial[(size_t)split * stride + at];
    if (at < filter_count) filter[at] = sum;
    else bias[at - filter_count] = sum;
}
