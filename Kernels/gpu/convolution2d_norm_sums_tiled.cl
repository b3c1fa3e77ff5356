// A convolution on GPUs, or its gradient with respect to the image, that also sums by channel what a batch norm wants
// of its result: the work-groups have it in their registers when they store it, so that nothing reads it again for
// that. convolution2d_tiled.cl, which is in front, says what the products are.
//
//   statistics     TRANSPOSED = 0: of the result, for the batch norm that reads it (operators/batch_norm.cl).
//   gradient_sums  TRANSPOSED = 1: the result is dy of the gradient of a batch norm of x. Σ dy and Σ dy · (x − mean)
//                  give dshift and dscale. Where the mask is the output of that batch norm, whose epilogue is an
//                  activation, it is made of x, which is read anyway (masks_by_norm).
//
// What is summed is what is stored, rounded if it has 16 bits. The two numbers a channel of each tile, mean and sum of
// squares about it or two sums, go to partial [row tiles][2][O]. The last group (last_group.cl) of every MERGED row
// tiles puts theirs together in order, behind these; the last of all puts those together: few enough for one group,
// each time. Means and squares are joined as Chan, Golub and LeVeque (1979) do it.
//
// Work-groups as in convolution2d_tiled.cl. Constants: those, and NORM_SUMS = 1; MERGED.
// Counters: one int a channel tile and MERGED row tiles, then one a channel tile.

// Which of the work-items that have the same columns of the tile this one is, and where that one's row runs begin.
#if TENSOR
#define COLUMN_SHARE(id) ((id) / 32 / WARPS_N * 8 + (id) % 32 / 4)
#define SHARE_ROW_RUN(share, q) ((share) / 8 * (2 * THREAD_M) + (q) * 8 + (share) % 8)
#else
#define COLUMN_SHARE(id) ((id) / THREADS_N)
#define SHARE_ROW_RUN(share, q) ((q) * THREADS_M + (share))
#endif
// As it is once it is stored.
#if MIXED
#define AS_STORED(value) lanes_from_stored(lanes_to_stored(value))
#else
#define AS_STORED(value) (value)
#endif

// Local memory, once the tiles are free: the two numbers of each work-item's columns [THREADS_M][TILE_N] in that of A
// and of B, and two ints behind the first.
#define TICKETS ((__local int *)a + THREADS_M * TILE_N)
#if 4 * STAGES * A_RUNS < THREADS_M * TILE_N + 2 || 4 * STAGES * B_RUNS < THREADS_M * TILE_N
#error "the tiles' local memory does not hold what their columns sum to"
#endif

// Of some values x their number, y and z the two numbers that are summed.
typedef float4 Moments;

static inline Moments joined(Moments a, Moments b) {
#if TRANSPOSED
    return a + b;
#else
    if (b.x == 0.0f) return a;
    const float count = a.x + b.x, share = b.x / count, offset = b.y - a.y;
    return (Moments)(count, fma(offset, share, a.y), a.z + b.z + offset * offset * (a.x * share), 0.0f);
#endif
}

// Rows of a work-item that are of the tile's first `left`.
INLINED int share_count(int share, int left) {
    int count = 0;
    UNROLL for (int m = 0; m < THREAD_M; m++) count += SHARE_ROW_RUN(share, m / 4) * 4 + m % 4 < left;
    return count;
}

// For work-item id < TILE_N those of column `id` of the tile, to which all work-items give theirs.
INLINED Moments column_moments(const float4 *ones, const float4 *twos, const ConvolutionGeometry *g,
                               __local float *a, __local float *b, int group) {
    const int id = get_local_id(0), left = GRID(g) - FIRST_PIXEL(group, g);
    barrier(CLK_LOCAL_MEM_FENCE);
    UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
        const int at = COLUMN_SHARE(id) * TILE_N + TILE_COLUMN(id, v);
        *(__local float4 *)(a + at) = ones[v];
        *(__local float4 *)(b + at) = twos[v];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    Moments moments = (Moments)(0.0f);
    if (id < TILE_N)
        for (int share = 0; share < THREADS_M; share++)
            moments = joined(moments, (Moments)(share_count(share, left), a[share * TILE_N + id],
                                                b[share * TILE_N + id], 0.0f));
    return moments;
}

// Those of parts `begin` to `end` of a channel, which have `pixels` pixels each, but for the last. Many are loaded at
// once: nobody else hides how long that takes.
INLINED Moments merged_moments(__global float *parts, int begin, int end, int pixels, const ConvolutionGeometry *g) {
    const int channels = g->result_channels;
    Moments moments = (Moments)(0.0f);
    _Pragma("unroll 8") for (int part = begin; part < end; part++) {
        __global float *from = parts + (size_t)part * 2 * channels;
        moments = joined(moments, (Moments)(min(pixels, GRID(g) - part * pixels), from[0], from[channels], 0.0f));
    }
    return moments;
}

INLINED void store_moments(Moments moments, __global float *to, int channels) {
    to[0] = moments.y, to[channels] = moments.z;
}

// For work-item id < TILE_N of the last group of all that have its channels, those of all tiles; else none at all.
// `moments` are its tile's.
INLINED Moments merged_tiles(Moments moments, __global float *partial, volatile __global int *counters,
                             const ConvolutionGeometry *g, __local int *tickets, int group) {
    const int id = get_local_id(0), first_channel = FIRST_CHANNEL(group, g), channels = g->result_channels;
    const int tiles = (GRID(g) + TILE_M - 1) / TILE_M, tile = group / CHANNEL_TILES(g);
    const int runs = (tiles + MERGED - 1) / MERGED, run = tile / MERGED, end = min((run + 1) * MERGED, tiles);
    __global float *own = partial + first_channel + id, *merged = own + (size_t)tiles * 2 * channels;
    const bool is_own = id < TILE_N && first_channel + id < channels;
    if (is_own) store_moments(moments, own + (size_t)tile * 2 * channels, channels);
    const bool is_last_of_run =
        is_last_group(counters + group % CHANNEL_TILES(g) * runs + run, end - run * MERGED, tickets);
    if (is_last_of_run && is_own) {
        moments = merged_moments(own, run * MERGED, end, TILE_M, g);
        store_moments(moments, merged + (size_t)run * 2 * channels, channels);
    }
    const bool is_last = is_last_of_some(counters + CHANNEL_TILES(g) * runs + group % CHANNEL_TILES(g), runs,
                                         tickets + 1, is_last_of_run);
    return is_last && is_own ? merged_moments(merged, 0, runs, MERGED * TILE_M, g) : (Moments)(0.0f);
}

#if !TRANSPOSED
__kernel TILED_GROUP
void convolution2d_statistics_tiled(__global const activation *restrict source,
                                    __global const filter_value *restrict filter, __global const float *restrict bias,
                                    __global activation *restrict result, __global float *partial,
                                    __global float *restrict mean, __global float *restrict inverse_deviation,
                                    __global float *restrict running_mean, __global float *restrict running_variance,
                                    volatile __global int *counters, const ConvolutionGeometry g, float epsilon,
                                    float momentum) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS];
    const int id = get_local_id(0), group = get_group_id(0);
    const int first_pixel = FIRST_PIXEL(group, &g), first_channel = FIRST_CHANNEL(group, &g), grid = GRID(&g);
    SumRow sums[THREAD_M], means, squares;
    sum_products(sums, source, filter, &g, a, b, group);
    add_operands(sums, bias, result, &g, group);
    const float share = 1.0f / max(share_count(COLUMN_SHARE(id), grid - first_pixel), 1);
    UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
        // A work-item's few values about the first of them.
        const float4 origin = AS_STORED(sums[0][v]);
        means[v] = (float4)(0.0f), squares[v] = (float4)(0.0f);
        UNROLL for (int m = 0; m < THREAD_M; m++) {
            const ResultRun run = result_run(m, v, first_pixel, first_channel, id, &g);
            if (run.count <= 0) continue;
            store_run(sums[m][v], result + run.at, run.count, RESULT_WIDTH);
            const float4 deviation = AS_STORED(sums[m][v]) - origin;
            means[v] += deviation;
            squares[v] = fma(deviation, deviation, squares[v]);
        }
        squares[v] -= means[v] * means[v] * share;
        means[v] = fma(means[v], (float4)(share), origin);
    }
    const Moments own = column_moments(means, squares, &g, (__local float *)a, (__local float *)b, group);
    const Moments all = merged_tiles(own, partial, counters, &g, TICKETS, group);
    if (all.x == 0.0f) return;
    const int channel = first_channel + id;
    mean[channel] = all.y;
    inverse_deviation[channel] = 1.0f / sqrt(all.z / (float)grid + epsilon);
    running_mean[channel] = (1.0f - momentum) * running_mean[channel] + momentum * all.y;
    running_variance[channel] = (1.0f - momentum) * running_variance[channel] + momentum * (all.z / (float)(grid - 1));
}
#else
__kernel TILED_GROUP
void convolution2d_gradient_sums_tiled(__global const activation *restrict source,
                                       __global const filter_value *restrict filter,
                                       __global const activation *restrict addend,
                                       __global const activation *restrict mask, __global activation *restrict result,
                                       __global const activation *restrict x, __global const float *restrict scale,
                                       __global const float *restrict shift, __global const float *restrict mean,
                                       __global const float *restrict inverse_deviation, __global float *partial,
                                       __global float *restrict dscale, __global float *restrict dshift,
                                       volatile __global int *counters, const ConvolutionGeometry g,
                                       int masks_by_norm) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS];
    const int id = get_local_id(0), group = get_group_id(0), epilogue = BEHIND_SUM(g.epilogue);
    const int first_pixel = FIRST_PIXEL(group, &g), first_channel = FIRST_CHANNEL(group, &g);
    SumRow sums[THREAD_M], own, products;
    sum_products(sums, source, filter, &g, a, b, group);
    // A gradient has no offset, so that nothing is read in its place.
    add_operands(sums, mean, addend, &g, group);
    UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
        own[v] = (float4)(0.0f), products[v] = (float4)(0.0f);
        const int channel = first_channel + TILE_COLUMN(id, v), count = g.result_channels - channel;
        if (count <= 0) continue;
        const float4 centre = load_run(mean + channel, count, RESULT_WIDTH);
        const float4 offset = load_run(shift + channel, count, RESULT_WIDTH);
        const float4 factor = load_run(inverse_deviation + channel, count, RESULT_WIDTH) *
                              load_run(scale + channel, count, RESULT_WIDTH);
        UNROLL for (int m = 0; m < THREAD_M; m++) {
            const ResultRun run = result_run(m, v, first_pixel, first_channel, id, &g);
            if (run.count <= 0) continue;
            const float4 deviation = load_run(x + run.at, run.count, RESULT_WIDTH) - centre;
            float4 value = sums[m][v];
            if (epilogue == EPILOGUE_GRADIENT && masks_by_norm)
                value = ACTIVATION_GRADIENT(value, AS_STORED(ACTIVATED(fma(deviation, factor, offset))));
            if (epilogue == EPILOGUE_GRADIENT && !masks_by_norm)
                value = ACTIVATION_GRADIENT(value, load_run(mask + run.at, run.count, RESULT_WIDTH));
            store_run(value, result + run.at, run.count, RESULT_WIDTH);
            value = AS_STORED(value);
            own[v] += value;
            products[v] = fma(value, deviation, products[v]);
        }
    }
    const Moments tile = column_moments(own, products, &g, (__local float *)a, (__local float *)b, group);
    const Moments all = merged_tiles(tile, partial, counters, &g, TICKETS, group);
    if (all.x == 0.0f) return;
    const int channel = first_channel + id;
    dscale[channel] = all.z * inverse_deviation[channel];
    dshift[channel] = all.y;
}
#endif
