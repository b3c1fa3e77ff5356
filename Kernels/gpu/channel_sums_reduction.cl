// The sums of channel_scaling.cl by work-groups, in a fixed order (reduction.cl).
//
// Work-items: global (channel vectors, GROUP_Y · chunks, images), groups of GROUP_X × GROUP_Y; a group has a chunk's
// run of channels, or an image's. What combines chunks has one chunk of groups.

// As image_products.
__kernel GROUP void image_products_reduction(__global const activation *restrict dy,
                                             __global const activation *restrict x_values,
                                             __global const activation *restrict operand,
                                             __global activation *restrict sums, int pixels, int channels,
                                             int epilogue) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels);
    const int x = get_local_id(0), y = get_local_id(1), n = get_global_id(2);
    __local lanes rows[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f);
    for (int pixel = y; pixel < pixels; pixel += GROUP_Y) {
        const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
        sum = fma(load_first(dy + at, left), load_first(x_values + at, left), sum);
    }
    rows[y][x] = sum;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x])
    const size_t result = (size_t)n * channels + channel;
    if (y == 0)
        store_first(with_epilogue(rows[0][x], epilogue, operand + result, operand + result, left), sums + result,
                    left);
}

// As channel_products.
__kernel GROUP void channel_products_reduction(__global const activation *restrict dy,
                                               __global const activation *restrict x_values,
                                               __global float *restrict partial, int pixels, int channels, int chunk,
                                               int takes_negative) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), k = get_group_id(1);
    const int x = get_local_id(0), y = get_local_id(1), end = min((k + 1) * chunk, pixels);
    __local lanes rows[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f);
    for (int pixel = k * chunk + y; pixel < end; pixel += GROUP_Y) {
        const size_t at = (size_t)pixel * channels + channel;
        const lanes value = load_first(x_values + at, left);
        const lanes factor = takes_negative ? select(value, (lanes)(0.0f), value > (lanes)(0.0f)) : value;
        sum = fma(load_first(dy + at, left), factor, sum);
    }
    rows[y][x] = sum;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x])
    if (y == 0) store_first(rows[0][x], partial + (size_t)k * channels + channel, left);
}

// As channel_products_combine.
__kernel GROUP void channel_products_combine_reduction(__global const float *partial, __global float *sums,
                                                       int pixels, int channels, int chunk) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), chunks = (pixels + chunk - 1) / chunk;
    const int x = get_local_id(0), y = get_local_id(1);
    __local lanes rows[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f);
    for (int k = y; k < chunks; k += GROUP_Y) sum += load_first(partial + (size_t)k * channels + channel, left);
    rows[y][x] = sum;
    HALVE(reach, y, rows[y][x] += rows[y + reach][x])
    if (y == 0) store_first(rows[0][x], sums + channel, left);
}
