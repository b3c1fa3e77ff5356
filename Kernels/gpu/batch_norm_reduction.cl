// The reductions of batch_norm.cl by work-groups: statistics and gradient sums over chunks of `chunk` pixels, one
// group a chunk and run of channels. Partial results lie as there, partial [chunks][2][C]. The last group of a run of
// channels combines its chunks where there is a fence (last_group.cl), else another launch does; the order of the sums
// is the same: rows of COMBINE_Y work-items share the chunks, COMBINE_X columns at a time, so few that rows are many.
//
// Each work-item reads its pixels once, four at a time, and joins their mean and squares to what it has (Chan, Golub
// and LeVeque, 1979): no digits are lost to a mean far from zero, and memory is read once.
//
// Work-items: global (channel vectors, GROUP_Y · chunks), or (channel vectors, GROUP_Y) where a launch combines chunks;
// groups of GROUP_X × GROUP_Y. COMBINE_X divides GROUP_X.

#define RUN 4

#define COMBINE_Y (GROUP_X * GROUP_Y / COMBINE_X)
// How often a group's columns hold those that are combined at a time.
#define COMBINE_RUNS (GROUP_X / COMBINE_X)
// A work-item's place among those that combine, its first channel in the run, and how many are left from there.
#define COMBINE_ITEM ((int)(get_local_id(1) * GROUP_X + get_local_id(0)))
#define COMBINE_CHANNEL(run) \
    ((int)(get_group_id(0) * GROUP_X + (run) * COMBINE_X + COMBINE_ITEM % COMBINE_X) * LANES)
#define COMBINE_LEFT(run, channels) max((channels) - COMBINE_CHANNEL(run), 0)

// MARK: Statistics

// Number, mean and sum of squares about the mean of some values.
typedef struct {
    float count;
    lanes mean, squares;
} Moments;

static inline Moments joined(Moments a, Moments b) {
    if (b.count == 0.0f) return a;
    const float count = a.count + b.count, share = b.count / count;
    const lanes offset = b.mean - a.mean;
    Moments result;
    result.count = count;
    result.mean = fma(offset, (lanes)(share), a.mean);
    result.squares = a.squares + b.squares + offset * offset * (a.count * share);
    return result;
}

// Those of a group's chunk go to `partial`. rows [GROUP_Y][GROUP_X].
static inline void chunk_statistics(__global const activation *restrict x_values, __global float *partial, int pixels,
                                    int channels, int chunk, __local Moments *rows) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), y = get_local_id(1), k = get_group_id(1);
    const int end = min((k + 1) * chunk, pixels);
    Moments moments = {0.0f, (lanes)(0.0f), (lanes)(0.0f)};
    int pixel = k * chunk + y;
    for (; pixel + (RUN - 1) * GROUP_Y < end; pixel += RUN * GROUP_Y) {
        lanes values[RUN];
        UNROLL for (int r = 0; r < RUN; r++)
            values[r] = load_first(x_values + (size_t)(pixel + r * GROUP_Y) * channels + channel, left);
        Moments run = {RUN, values[0], (lanes)(0.0f)};
        UNROLL for (int r = 1; r < RUN; r++) run.mean += values[r];
        run.mean *= 1.0f / RUN;
        UNROLL for (int r = 0; r < RUN; r++)
            run.squares = fma(values[r] - run.mean, values[r] - run.mean, run.squares);
        moments = joined(moments, run);
    }
    for (; pixel < end; pixel += GROUP_Y) {
        const Moments one = {1.0f, load_first(x_values + (size_t)pixel * channels + channel, left), (lanes)(0.0f)};
        moments = joined(moments, one);
    }
    __local Moments *own = rows + y * GROUP_X + get_local_id(0);
    *own = moments;
    HALVE(reach, y, *own = joined(*own, own[reach * GROUP_X]))
    if (y == 0) {
        __global float *result = partial + (size_t)k * 2 * channels + channel;
        store_first(own->mean, result, left);
        store_first(own->squares, result + channels, left);
    }
}

// As batch_norm_combine, by one group.
static inline void combine_statistics(__global float *partial, __global float *restrict mean,
                                      __global float *restrict inverse_deviation,
                                      __global float *restrict running_mean,
                                      __global float *restrict running_variance, int pixels, int channels, int chunk,
                                      float epsilon, float momentum, __local Moments *rows) {
    const int y = COMBINE_ITEM / COMBINE_X;
    const int chunks = (pixels + chunk - 1) / chunk;
    Moments moments[COMBINE_RUNS];
    UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
        const Moments none = {0.0f, (lanes)(0.0f), (lanes)(0.0f)};
        moments[run] = none;
    }
    for (int k = y; k < chunks; k += COMBINE_Y) {
        UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
            __global float *from = partial + (size_t)k * 2 * channels + COMBINE_CHANNEL(run);
            const Moments part = {min(chunk, pixels - k * chunk), load_first(from, COMBINE_LEFT(run, channels)),
                                  load_first(from + channels, COMBINE_LEFT(run, channels))};
            moments[run] = joined(moments[run], part);
        }
    }
    __local Moments *own = rows + COMBINE_ITEM;
    UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
        *own = moments[run];
        HALVE_ROWS(COMBINE_Y, reach, y, *own = joined(*own, own[reach * COMBINE_X]))
        if (y == 0) {
            const int channel = COMBINE_CHANNEL(run), left = COMBINE_LEFT(run, channels);
            store_first(own->mean, mean + channel, left);
            store_first(1.0f / sqrt(own->squares / (float)pixels + epsilon), inverse_deviation + channel, left);
            const lanes old_mean = load_first(running_mean + channel, left);
            const lanes old_variance = load_first(running_variance + channel, left);
            const lanes variance = own->squares / (float)(pixels - 1);
            store_first((1.0f - momentum) * old_mean + momentum * own->mean, running_mean + channel, left);
            store_first((1.0f - momentum) * old_variance + momentum * variance, running_variance + channel, left);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

#if FENCE
__kernel GROUP void batch_norm_statistics_whole_reduction(
    __global const activation *restrict x_values, __global float *partial, __global float *restrict mean,
    __global float *restrict inverse_deviation, __global float *restrict running_mean,
    __global float *restrict running_variance, volatile __global int *counters, int pixels, int channels, int chunk,
    float epsilon, float momentum) {
    __local Moments rows[GROUP_Y * GROUP_X];
    __local int ticket;
    chunk_statistics(x_values, partial, pixels, channels, chunk, rows);
    if (is_last_group(counters + get_group_id(0), get_num_groups(1), &ticket))
        combine_statistics(partial, mean, inverse_deviation, running_mean, running_variance, pixels, channels, chunk,
                           epsilon, momentum, rows);
}
#else
__kernel GROUP void batch_norm_statistics_reduction(__global const activation *restrict x_values,
                                                    __global float *partial, int pixels, int channels, int chunk) {
    __local Moments rows[GROUP_Y * GROUP_X];
    chunk_statistics(x_values, partial, pixels, channels, chunk, rows);
}

__kernel GROUP void batch_norm_combine_reduction(__global float *partial, __global float *restrict mean,
                                                 __global float *restrict inverse_deviation,
                                                 __global float *restrict running_mean,
                                                 __global float *restrict running_variance, int pixels, int channels,
                                                 int chunk, float epsilon, float momentum) {
    __local Moments rows[GROUP_Y * GROUP_X];
    combine_statistics(partial, mean, inverse_deviation, running_mean, running_variance, pixels, channels, chunk,
                       epsilon, momentum, rows);
}
#endif

// MARK: Sums of the gradient

typedef struct {
    lanes sum, products;
} Sums;

static inline Sums added(Sums a, Sums b) {
    const Sums result = {a.sum + b.sum, a.products + b.products};
    return result;
}

// As batch_norm_gradient_sums. rows [GROUP_Y][GROUP_X].
static inline void chunk_gradient_sums(__global const activation *restrict dy,
                                       __global const activation *restrict x_values,
                                       __global const float *restrict mean,
                                       __global const float *restrict inverse_deviation, __global float *partial,
                                       int pixels, int channels, int chunk, __local Sums *rows) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), y = get_local_id(1), k = get_group_id(1);
    const int end = min((k + 1) * chunk, pixels);
    const lanes centre = load_first(mean + channel, left);
    Sums sums = {(lanes)(0.0f), (lanes)(0.0f)};
    int pixel = k * chunk + y;
    for (; pixel + (RUN - 1) * GROUP_Y < end; pixel += RUN * GROUP_Y) {
        lanes gradients[RUN], values[RUN];
        UNROLL for (int r = 0; r < RUN; r++) {
            const size_t at = (size_t)(pixel + r * GROUP_Y) * channels + channel;
            gradients[r] = load_first(dy + at, left);
            values[r] = load_first(x_values + at, left);
        }
        UNROLL for (int r = 0; r < RUN; r++) {
            sums.sum += gradients[r];
            sums.products = fma(gradients[r], values[r] - centre, sums.products);
        }
    }
    for (; pixel < end; pixel += GROUP_Y) {
        const size_t at = (size_t)pixel * channels + channel;
        const lanes gradient = load_first(dy + at, left);
        sums.sum += gradient;
        sums.products = fma(gradient, load_first(x_values + at, left) - centre, sums.products);
    }
    __local Sums *own = rows + y * GROUP_X + get_local_id(0);
    *own = sums;
    HALVE(reach, y, *own = added(*own, own[reach * GROUP_X]))
    if (y == 0) {
        __global float *result = partial + (size_t)k * 2 * channels + channel;
        store_first(own->sum, result, left);
        store_first(own->products * load_first(inverse_deviation + channel, left), result + channels, left);
    }
}

// As batch_norm_gradient_combine, by one group.
static inline void combine_gradient_sums(__global float *partial, __global float *restrict dscale,
                                         __global float *restrict dshift, int pixels, int channels, int chunk,
                                         __local Sums *rows) {
    const int y = COMBINE_ITEM / COMBINE_X;
    const int chunks = (pixels + chunk - 1) / chunk;
    Sums sums[COMBINE_RUNS];
    UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
        const Sums none = {(lanes)(0.0f), (lanes)(0.0f)};
        sums[run] = none;
    }
    for (int k = y; k < chunks; k += COMBINE_Y) {
        UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
            __global float *from = partial + (size_t)k * 2 * channels + COMBINE_CHANNEL(run);
            const Sums part = {load_first(from, COMBINE_LEFT(run, channels)),
                               load_first(from + channels, COMBINE_LEFT(run, channels))};
            sums[run] = added(sums[run], part);
        }
    }
    __local Sums *own = rows + COMBINE_ITEM;
    UNROLL for (int run = 0; run < COMBINE_RUNS; run++) {
        *own = sums[run];
        HALVE_ROWS(COMBINE_Y, reach, y, *own = added(*own, own[reach * COMBINE_X]))
        if (y == 0) {
            store_first(own->products, dscale + COMBINE_CHANNEL(run), COMBINE_LEFT(run, channels));
            store_first(own->sum, dshift + COMBINE_CHANNEL(run), COMBINE_LEFT(run, channels));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

#if FENCE
__kernel GROUP void batch_norm_gradient_sums_whole_reduction(
    __global const activation *restrict dy, __global const activation *restrict x_values,
    __global const float *restrict mean, __global const float *restrict inverse_deviation, __global float *partial,
    __global float *restrict dscale, __global float *restrict dshift, volatile __global int *counters, int pixels,
    int channels, int chunk) {
    __local Sums rows[GROUP_Y * GROUP_X];
    __local int ticket;
    chunk_gradient_sums(dy, x_values, mean, inverse_deviation, partial, pixels, channels, chunk, rows);
    if (is_last_group(counters + get_group_id(0), get_num_groups(1), &ticket))
        combine_gradient_sums(partial, dscale, dshift, pixels, channels, chunk, rows);
}
#else
__kernel GROUP void batch_norm_gradient_sums_reduction(__global const activation *restrict dy,
                                                       __global const activation *restrict x_values,
                                                       __global const float *restrict mean,
                                                       __global const float *restrict inverse_deviation,
                                                       __global float *partial, int pixels, int channels, int chunk) {
    __local Sums rows[GROUP_Y * GROUP_X];
    chunk_gradient_sums(dy, x_values, mean, inverse_deviation, partial, pixels, channels, chunk, rows);
}

__kernel GROUP void batch_norm_gradient_combine_reduction(__global float *partial, __global float *restrict dscale,
                                                          __global float *restrict dshift, int pixels, int channels,
                                                          int chunk) {
    __local Sums rows[GROUP_Y * GROUP_X];
    combine_gradient_sums(partial, dscale, dshift, pixels, channels, chunk, rows);
}
#endif
