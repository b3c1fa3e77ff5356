// The sums of group_norm.cl by work-groups, in a fixed order (reduction.cl): a group an image and run of channels.
//
// Work-items: global (channel vectors, GROUP_Y, images), groups of GROUP_X × GROUP_Y.

// As image_moments.
__kernel GROUP void image_moments_reduction(__global const activation *restrict x_values,
                                            __global float *restrict moments, int pixels, int channels) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), n = get_global_id(2);
    const int x = get_local_id(0), y = get_local_id(1);
    __global const activation *from = x_values + (size_t)n * pixels * channels + channel;
    __local lanes rows[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
    for (int pixel = y; pixel < pixels; pixel += GROUP_Y) sum += load_first(from + (size_t)pixel * channels, left);
    rows[y][x] = sum;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x])
    barrier(CLK_LOCAL_MEM_FENCE);
    const lanes mean = rows[0][x] / (float)pixels;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int pixel = y; pixel < pixels; pixel += GROUP_Y) {
        const lanes deviation = load_first(from + (size_t)pixel * channels, left) - mean;
        squares = fma(deviation, deviation, squares);
    }
    rows[y][x] = squares;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x])
    if (y == 0) {
        __global float *result = moments + (size_t)n * 2 * channels + channel;
        store_first(mean, result, left);
        store_first(rows[0][x], result + channels, left);
    }
}

// As image_gradient_sums.
__kernel GROUP void image_gradient_sums_reduction(__global const activation *restrict dy,
                                                  __global const activation *restrict x_values,
                                                  __global const float *restrict means,
                                                  __global const float *restrict inverses,
                                                  __global float *restrict sums, int pixels, int channels) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), n = get_global_id(2);
    const int x = get_local_id(0), y = get_local_id(1);
    const size_t statistic = (size_t)n * channels + channel;
    const lanes mean = load_first(means + statistic, left), inverse = load_first(inverses + statistic, left);
    __local lanes rows[GROUP_Y][GROUP_X], products[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f), product = (lanes)(0.0f);
    for (int pixel = y; pixel < pixels; pixel += GROUP_Y) {
        const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
        const lanes gradient = load_first(dy + at, left);
        sum += gradient;
        product = fma(gradient, load_first(x_values + at, left) - mean, product);
    }
    rows[y][x] = sum;
    products[y][x] = product;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x]; products[y][x] += products[y + reach][x])
    if (y == 0) {
        __global float *result = sums + (size_t)n * 2 * channels + channel;
        store_first(rows[0][x], result, left);
        store_first(products[0][x] * inverse, result + channels, left);
    }
}
