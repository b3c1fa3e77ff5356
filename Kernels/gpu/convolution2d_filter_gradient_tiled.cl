// Convolution's gradient with respect to filter and bias on GPUs: a matrix product through local memory (tile.cl)
// over all output pixels, split into parts that are added in order afterwards.
//
//     dw[r, o] = Σ over k of A[r, k] · dy[k, o],   r = (tap row t, tap column u, channel c),  k = (n, i, j)
//     A[r, k] = x[n, i·s − p + t·e, j·s − q + u·e, c]
//     db[o]   = Σ over k of dy[k, o]
//
// Both sides are contiguous along the tile, r's channels and o, so vector loads go into local memory as they are.
//
//   filter_gradient_tiled   work-groups: (split, row tile, channel tile), the last innermost; a second dimension counts
//                           batches, of which minimal filtering has one a frequency, as many floats apart as it says. A
//                           work-item brings the same r of as many pixels as there are, and the same
//                           o. The groups of row tile 0 also add up dy for the bias: each
//                           work-item what it brings, then one work-item a channel adds these sums in order.
//                           With several splits and a fence (last_group.cl) the last group of each tile adds them.
//   filter_gradient_reduce  global (values, rounded up to whole groups). Adds the splits in order, without one.
//
// Buffers: x [N][H][W][C]; dy [N][H′][W′][O], perhaps among another value's channels; with one split filter_sums is
// dw [KH·KW·C][O] and bias_sums db [O], with several both are partial [splits][KH·KW·C + 1][O], whose last row is the
// bias's; then filter and bias are dw and db, and counters one int a tile.
// Constants: those of tile.cl; SOURCE_WIDTH, 4 where C is a multiple of 4, else 1; RESULT_WIDTH, likewise for O; with
// STAGING both are the activations in 16 bytes; DILATION_HEIGHT and DILATION_WIDTH, e where it is not 1. With
// BOTH_GRADIENTS = 1 convolution2d_tiled.cl is in front, whose source is dy and whose result is as wide as x.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifndef DILATION_WIDTH
#define DILATION_WIDTH 1
#endif

#undef A_SLOTS
#undef A_LOADS
#undef B_SLOTS
#undef B_LOADS
#undef MULTIPLY
#if BOTH_GRADIENTS
#define IMAGE_WIDTH RESULT_WIDTH
#define GRADIENT_WIDTH SOURCE_WIDTH
#else
#define IMAGE_WIDTH SOURCE_WIDTH
#define GRADIENT_WIDTH RESULT_WIDTH
#endif

#define A_SLOTS (TILE_M / IMAGE_WIDTH)
#define A_LOADS (TILE_K / (THREADS / A_SLOTS))
#define B_SLOTS (TILE_N / GRADIENT_WIDTH)
#define B_STEP (THREADS / B_SLOTS)
#define B_LOADS (TILE_K / B_STEP)

// An output pixel.
typedef struct {
    int n, i, j;
} Pixel;

static inline Pixel advance_pixel(Pixel pixel, int by, const TiledGradientGeometry *g) {
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

// The row r of A, the element of the filter's rows, and the output channel o that a work-item brings, and the pixels of
// its next chunk.
typedef struct {
    int r, tap_y, tap_x, channel, o;
    Pixel pixel[A_LOADS];
} Share;

// What is on its way to local memory, see convolution2d_tiled.cl.
typedef struct {
#if STAGING
    WordRun a[A_LOADS], b[B_LOADS];
#else
    ACTIVATIONS(IMAGE_WIDTH) a[A_LOADS];
    ACTIVATIONS(GRADIENT_WIDTH) b[B_LOADS];
#endif
} BroughtPixels;

#if STAGING
// The place in local memory of what a work-item brings.
#define A_PIECE(id, l) MN_MAJOR(K_ALONG(id, l, A_SLOTS), (id) % A_SLOTS, A_SLOTS)
#define B_PIECE(id, l) MN_MAJOR(K_ALONG(id, l, B_SLOTS), (id) % B_SLOTS, B_SLOTS)
#define BRING_A(from, inside) fetch(&next->a[l], a + A_PIECE(id, l), from, inside)
#define BRING_B(from, inside) fetch(&next->b[l], b + B_PIECE(id, l), from, inside)
#define MULTIPLY multiply_mn_major
#else
#define BRING_A(from, inside) next->a[l] = (inside) ? LOAD_WIDE(IMAGE_WIDTH, from) : (ACTIVATIONS(IMAGE_WIDTH))(0)
#define BRING_B(from, inside) next->b[l] = (inside) ? LOAD_WIDE(GRADIENT_WIDTH, from) : (ACTIVATIONS(GRADIENT_WIDTH))(0)
#define MULTIPLY multiply
#endif

// Past the last chunk of a split come operands that nobody multiplies.
INLINED void bring_pixels(BroughtPixels *next, __local WordRun *a, __local WordRun *b, __global const activation *x,
                         __global const activation *dy, Share *share, int chunk, int id,
                         const TiledGradientGeometry *g) {
    const int rows = g->kernel_height * g->kernel_width * g->channels;
    UNROLL for (int l = 0; l < A_LOADS; l++) {
        const Pixel pixel = share->pixel[l];
        const int top = pixel.i * g->stride_height + share->tap_y, left = pixel.j * g->stride_width + share->tap_x;
        const bool inside = pixel.n < g->images && share->r < rows && (uint)top < (uint)g->height &&
                            (uint)left < (uint)g->width;
        BRING_A(x + ((pixel.n * g->height + top) * g->width + left) * g->channels + share->channel, inside);
        share->pixel[l] = advance_pixel(pixel, TILE_K, g);
    }
    UNROLL for (int l = 0; l < B_LOADS; l++) {
        const int k = chunk * TILE_K + K_ALONG(id, l, B_SLOTS);
        BRING_B(dy + (size_t)k * g->gradient_stride + g->gradient_first + share->o,
                k < g->images * g->output_height * g->output_width && share->o < g->output_channels);
    }
    commit_copies();
}

INLINED void put_pixels(const BroughtPixels *next, __local WordRun *a, __local WordRun *b, int id) {
#if STAGING
    UNROLL for (int l = 0; l < A_LOADS; l++) place_rounded(a + A_PIECE(id, l), next->a[l]);
    UNROLL for (int l = 0; l < B_LOADS; l++) place_rounded(b + B_PIECE(id, l), next->b[l]);
#else
    STORE_ALONG(id, a, PITCH_M, A_SLOTS, IMAGE_WIDTH, next->a, A_LOADS)
    STORE_ALONG(id, b, PITCH_N, B_SLOTS, GRADIENT_WIDTH, next->b, B_LOADS)
#endif
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

#define ADDS_BROUGHT (STAGING != 2)
#if PAIRED
#define AS_ACTIVATIONS(piece) as_ushort8(piece)
#else
#define AS_ACTIVATIONS(piece) (piece)
#endif
// bias_sum += the chunk's dy that a work-item brought: from its registers, or where it came without, from local memory.
INLINED FLOATS(GRADIENT_WIDTH) with_bias(FLOATS(GRADIENT_WIDTH) bias_sum, const BroughtPixels *brought,
                                             __local const WordRun *b, int id) {
    UNROLL for (int l = 0; l < B_LOADS; l++) {
#if !ADDS_BROUGHT
        bias_sum += as_floats(((__local const ACTIVATIONS(GRADIENT_WIDTH) *)b)[B_PIECE(id, l)]);
#elif STAGING
        bias_sum += as_floats(AS_ACTIVATIONS(brought->b[l]));
#else
        bias_sum += as_floats(brought->b[l]);
#endif
    }
    return bias_sum;
}

// Two neighbours of a row, where there are so many.
INLINED void store_pair(float2 pair, __global float *to, int count, int accumulates) {
    if (count <= 0) return;
    __global float2 *at = (__global float2 *)to;
    *at = accumulates ? *at + pair : pair;
}

#if FENCE
#if GRADIENT_WIDTH >= 4
#define PARTS_WIDTH 4
#else
#define PARTS_WIDTH 1
#endif

// The sum of a run's parts, in order. Many are loaded at once: nobody else hides how long that takes.
INLINED FLOATS(PARTS_WIDTH) add_parts(__global float *parts, int splits, int stride) {
    FLOATS(PARTS_WIDTH) sum = LOAD_WIDE(PARTS_WIDTH, parts);
    _Pragma("unroll 8") for (int split = 1; split < splits; split++)
        sum += LOAD_WIDE(PARTS_WIDTH, parts + (size_t)split * stride);
    return sum;
}
#endif

// What the `group`-th work-group does, with local memory for its tiles: that of b aligned for the longest run of bias
// sums, which take its place at last.
INLINED void differentiate(__global const activation *x, __global const activation *dy,
                           __global float *filter_sums, __global float *bias_sums, __global float *filter,
                           __global float *bias, volatile __global int *counters,
                           const TiledGradientGeometry *g, __local WordRun (*a)[A_RUNS],
                           __local WordRun (*b)[B_RUNS], int group) {
    const int id = get_local_id(0);
    const int rows = g->kernel_height * g->kernel_width * g->channels;
    const int channel_tiles = (g->output_channels + TILE_N - 1) / TILE_N;
    const int row_tiles = (rows + TILE_M - 1) / TILE_M;
    const int first_channel = group % channel_tiles * TILE_N;
    const int row_tile = group / channel_tiles % row_tiles;
    const int split = group / (channel_tiles * row_tiles);
    const int pixels = g->images * g->output_height * g->output_width;
    const int chunks = (pixels + TILE_K - 1) / TILE_K;
    const int first_chunk = (int)((long)chunks * split / g->splits);
    const int end_chunk = (int)((long)chunks * (split + 1) / g->splits);
    const bool adds_bias = g->has_bias && row_tile == 0;

    Share share;
    share.r = row_tile * TILE_M + id % A_SLOTS * IMAGE_WIDTH;
    share.o = first_channel + id % B_SLOTS * GRADIENT_WIDTH;
    share.channel = share.r % g->channels;
    share.tap_x = share.r / g->channels % g->kernel_width * DILATION_WIDTH - g->padding_width;
    share.tap_y = share.r / (g->channels * g->kernel_width) * DILATION_HEIGHT - g->padding_height;
    UNROLL for (int l = 0; l < A_LOADS; l++) {
        const int k = first_chunk * TILE_K + K_ALONG(id, l, A_SLOTS);
        share.pixel[l].j = k % g->output_width;
        share.pixel[l].i = k / g->output_width % g->output_height;
        share.pixel[l].n = k / (g->output_width * g->output_height);
    }

    SumRow sums[THREAD_M];
    clear_sums(sums);
    FLOATS(GRADIENT_WIDTH) bias_sum = (FLOATS(GRADIENT_WIDTH))(0.0f);
    BroughtPixels next;
    UNROLL for (int stage = 0; stage < STAGES - 1; stage++) {
        bring_pixels(&next, a[stage], b[stage], x, dy, &share, first_chunk + stage, id, g);
        if (ADDS_BROUGHT && adds_bias && first_chunk + stage < end_chunk)
            bias_sum = with_bias(bias_sum, &next, b[stage], id);
        put_pixels(&next, a[stage], b[stage], id);
    }
    for (int chunk = first_chunk, at = 0, stage = STAGES - 1; chunk < end_chunk;
         chunk++, at = next_stage(at), stage = next_stage(stage)) {
        await_chunk();
        // The chunk is there, and the one before it has been multiplied by all.
        barrier(CLK_LOCAL_MEM_FENCE);
        const int later = chunk + STAGES - 1;
        bring_pixels(&next, a[stage], b[stage], x, dy, &share, later, id, g);
        if (!ADDS_BROUGHT && adds_bias) bias_sum = with_bias(bias_sum, &next, b[at], id);
        MULTIPLY(sums, a[at], b[at], id);
        if (ADDS_BROUGHT && adds_bias && later < end_chunk) bias_sum = with_bias(bias_sum, &next, b[stage], id);
        put_pixels(&next, a[stage], b[stage], id);
    }
    await_copies();
    barrier(CLK_LOCAL_MEM_FENCE);

    __global float *stored = filter_sums + (size_t)split * g->split_stride;
    UNROLL for (int m = 0; m < THREAD_M; m++) {
#if STAGING
        const int row = row_tile * TILE_M + MN_ROW(id, m), column = first_channel + MN_COLUMN(id, 0, 0);
        if (row >= rows) continue;
        __global float *to = stored + (size_t)row * g->output_channels + column;
        const int count = g->output_channels - column;
        store_pair((float2)(sums[m][0].s0, sums[m][1].s0), to, count, g->accumulates);
        store_pair((float2)(sums[m][0].s1, sums[m][1].s1), to + 8, count - 8, g->accumulates);
        store_pair((float2)(sums[m][0].s2, sums[m][1].s2), to + 16, count - 16, g->accumulates);
        store_pair((float2)(sums[m][0].s3, sums[m][1].s3), to + 24, count - 24, g->accumulates);
#else
        const int row = row_tile * TILE_M + TILE_ROW(id, m);
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
            const int column = first_channel + TILE_COLUMN(id, v);
            const int count = g->output_channels - column;
            if (row < rows && count > 0) {
                __global float *to = stored + (size_t)row * g->output_channels + column;
                if (g->accumulates) sums[m][v] += load_run(to, count, GRADIENT_WIDTH);
                store_run(sums[m][v], to, count, GRADIENT_WIDTH);
            }
        }
#endif
    }

    // The tiles are free: bias sums [B_STEP][TILE_N].
    __local float *brought = (__local float *)b;
    *(__local FLOATS(GRADIENT_WIDTH) *)(brought + id / B_SLOTS * TILE_N + id % B_SLOTS * GRADIENT_WIDTH) = bias_sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (adds_bias && id < TILE_N && first_channel + id < g->output_channels) {
        __global float *to = bias_sums + (size_t)split * g->split_stride + g->bias_offset + first_channel + id;
        float sum = g->accumulates ? *to : 0.0f;
        for (int k = 0; k < B_STEP; k++) sum += brought[k * TILE_N + id];
        *to = sum;
    }

#if FENCE
    if (!g->adds_splits) return;
    // The tile of A is free, too; with the largest tiles there is no more local memory.
    if (is_last_group(counters + group % (channel_tiles * row_tiles), g->splits, (__local int *)a[0])) {
        const int first_row = row_tile * TILE_M, tile_rows = min(rows - first_row, TILE_M);
        const int runs = min(g->output_channels - first_channel, TILE_N) / PARTS_WIDTH;
        for (int i = id; i < (tile_rows + adds_bias) * runs; i += THREADS) {
            const int column = first_channel + i % runs * PARTS_WIDTH;
            // Behind the last row of the tile comes that of the bias.
            const bool is_bias = i / runs == tile_rows;
            const size_t row = is_bias ? rows : first_row + i / runs, at = row * g->output_channels + column;
            __global float *to = is_bias ? bias + column : filter + at;
            *(__global FLOATS(PARTS_WIDTH) *)to = add_parts(filter_sums + at, g->splits, g->split_stride);
        }
    }
#endif
}

#if !BOTH_GRADIENTS
__kernel TILED_GROUP
void convolution2d_filter_gradient_tiled(__global const activation *restrict x,
                                         __global const activation *restrict dy,
                                         __global float *filter_sums, __global float *bias_sums,
                                         __global float *filter, __global float *bias,
                                         volatile __global int *counters, const TiledGradientGeometry g) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS] __attribute__((aligned(32)));
    const size_t batch = get_group_id(1);
    differentiate(x + batch * g.image_batch, dy + batch * g.gradient_batch, filter_sums + batch * g.sums_batch,
                  bias_sums + batch * g.sums_batch, filter, bias, counters, &g, a, b, get_group_id(0));
}
#endif

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
