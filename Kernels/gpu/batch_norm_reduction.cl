// The reductions of batch_norm.cl by work-groups: statistics and gradient sums over chunks of `chunk` pixels, one
// group a chunk and run of channels, then the chunks by another launch. Partial results lie as there,
// partial [chunks][2][C].
//
// Each work-item reads its pixels once, four at a time, and joins their mean and squares to what it has (Chan, Golub
// and LeVeque, 1979): no digits are lost to a mean far from zero, and memory is read once.
//
// Work-items: global (channel vectors, GROUP_Y · chunks), or (channel vectors, GROUP_Y) where chunks are combined;
// groups of GROUP_X × GROUP_Y.

#define RUN 4

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

// All rows' moments, in the work-items of row 0. A macro: functions have no local memory.
#define JOIN_ROWS(moments, y)                                                                 \
    __local Moments rows[GROUP_Y][GROUP_X];                                                   \
    const int x = get_local_id(0);                                                            \
    rows[y][x] = moments;                                                                     \
    HALVE(reach, y, rows[y][x] = joined(rows[y][x], rows[y + reach][x]))                        \
    moments = rows[y][x];

__kernel GROUP void batch_norm_statistics_reduction(__global const activation *restrict x_values,
                                                  __global float *restrict partial, int pixels, int channels,
                                                  int chunk) {
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
    JOIN_ROWS(moments, y)
    if (y > 0) return;
    __global float *result = partial + (size_t)k * 2 * channels + channel;
    store_first(moments.mean, result, left);
    store_first(moments.squares, result + channels, left);
}

// As batch_norm_combine.
__kernel GROUP void batch_norm_combine_reduction(__global const float *restrict partial, __global float *restrict mean,
                                               __global float *restrict inverse_deviation,
                                               __global float *restrict running_mean,
                                               __global float *restrict running_variance, int pixels,
                                               int channels, int chunk, float epsilon, float momentum) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), y = get_local_id(1);
    const int chunks = (pixels + chunk - 1) / chunk;
    Moments moments = {0.0f, (lanes)(0.0f), (lanes)(0.0f)};
    for (int k = y; k < chunks; k += GROUP_Y) {
        __global const float *from = partial + (size_t)k * 2 * channels + channel;
        Moments part;
        part.count = min(chunk, pixels - k * chunk);
        part.mean = load_first(from, left);
        part.squares = load_first(from + channels, left);
        moments = joined(moments, part);
    }
    JOIN_ROWS(moments, y)
    if (y > 0) return;
    store_first(moments.mean, mean + channel, left);
    store_first(1.0f / sqrt(moments.squares / (float)pixels + epsilon), inverse_deviation + channel, left);
    const lanes old_mean = load_first(running_mean + channel, left);
    const lanes old_variance = load_first(running_variance + channel, left);
    const lanes variance = moments.squares / (float)(pixels - 1);
    store_first((1.0f - momentum) * old_mean + momentum * moments.mean, running_mean + channel, left);
    store_first((1.0f - momentum) * old_variance + momentum * variance, running_variance + channel, left);
}

#define ADD_ROWS(sum, products, y)                                                            \
    __local lanes sums[GROUP_Y][GROUP_X], product_sums[GROUP_Y][GROUP_X];                     \
    const int x = get_local_id(0);                                                            \
    sums[y][x] = sum;                                                                         \
    product_sums[y][x] = products;                                                            \
    HALVE(reach, y, sums[y][x] += sums[y + reach][x]; product_sums[y][x] += product_sums[y + reach][x]) \
    sum = sums[y][x];                                                                         \
    products = product_sums[y][x];

// As batch_norm_gradient_sums.
__kernel GROUP void batch_norm_gradient_sums_reduction(__global const activation *restrict dy,
                                                     __global const activation *restrict x_values,
                                                     __global const float *restrict mean,
                                                     __global const float *restrict inverse_deviation,
                                                     __global float *restrict partial, int pixels, int channels,
                                                     int chunk) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), y = get_local_id(1), k = get_group_id(1);
    const int end = min((k + 1) * chunk, pixels);
    const lanes centre = load_first(mean + channel, left);
    lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
    int pixel = k * chunk + y;
    for (; pixel + (RUN - 1) * GROUP_Y < end; pixel += RUN * GROUP_Y) {
        lanes gradients[RUN], values[RUN];
        UNROLL for (int r = 0; r < RUN; r++) {
            const size_t at = (size_t)(pixel + r * GROUP_Y) * channels + channel;
            gradients[r] = load_first(dy + at, left);
            values[r] = load_first(x_values + at, left);
        }
        UNROLL for (int r = 0; r < RUN; r++) {
            sum += gradients[r];
            products = fma(gradients[r], values[r] - centre, products);
        }
    }
    for (; pixel < end; pixel += GROUP_Y) {
        const size_t at = (size_t)pixel * channels + channel;
        const lanes gradient = load_first(dy + at, left);
        sum += gradient;
        products = fma(gradient, load_first(x_values + at, left) - centre, products);
    }
    ADD_ROWS(sum, products, y)
    if (y > 0) return;
    __global float *result = partial + (size_t)k * 2 * channels + channel;
    store_first(sum, result, left);
    store_first(products * load_first(inverse_deviation + channel, left), result + channels, left);
}

// As batch_norm_gradient_combine.
__kernel GROUP void batch_norm_gradient_combine_reduction(__global const float *restrict partial,
                                                        __global float *restrict dscale,
                                                        __global float *restrict dshift, int pixels,
                                                        int channels, int chunk) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), y = get_local_id(1);
    const int chunks = (pixels + chunk - 1) / chunk;
    lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
    for (int k = y; k < chunks; k += GROUP_Y) {
        sum += load_first(partial + (size_t)k * 2 * channels + channel, left);
        products += load_first(partial + ((size_t)k * 2 + 1) * channels + channel, left);
    }
    ADD_ROWS(sum, products, y)
    if (y > 0) return;
    store_first(products, dscale + channel, left);
    store_first(sum, dshift + channel, left);
}
