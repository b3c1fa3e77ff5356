// Global average pooling by work-groups: y[n, c] = mean of x[n, :, :, c].
//
// Work-items: global (channel vectors, GROUP_Y, N), groups of GROUP_X × GROUP_Y; a group has an image's run of
// channels.

__kernel GROUP void global_averagepool_forward_reduction(__global const activation *restrict x_values,
                                                       __global activation *restrict y_values, int pixels,
                                                       int channels) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels);
    const int x = get_local_id(0), y = get_local_id(1), n = get_global_id(2);
    __local lanes sums[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f);
    for (int pixel = y; pixel < pixels; pixel += GROUP_Y)
        sum += load_first(x_values + ((size_t)n * pixels + pixel) * channels + channel, left);
    sums[y][x] = sum;
    HALVE(reach, y, sums[y][x] += sums[y + reach][x])
    if (y == 0) store_first(sums[0][x] / (float)pixels, y_values + (size_t)n * channels + channel, left);
}
