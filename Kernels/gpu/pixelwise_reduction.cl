// Softmax and layer norm of cpu/pixelwise.cl by work-groups: the same formulas. A group has GROUP_Y pixels, whose
// channels GROUP_X work-items share: each reduces every GROUP_X-th vector in order, and their sums are added in halves.
// Work-items past the last pixel take the last one, and store nothing.
//
// Work-items: global (GROUP_X, pixels), groups of GROUP_X × GROUP_Y. GROUP_X is a power of two, too.

#define PIXEL_OF_GROUP                                                                                                \
    const bool counts = get_global_id(1) < (size_t)pixels;                                                            \
    const int pixel = min((int)get_global_id(1), pixels - 1);                                                         \
    const size_t first = (size_t)pixel * channels;                                                                    \
    __local float rows[GROUP_Y][GROUP_X];                                                                             \
    __local float *row = rows[get_local_id(1)];

#define FOR_EACH_OWN_VECTOR(channel, left, channels)                                                        \
    for (int channel = get_local_id(0) * LANES, left = (channels) - channel; channel < (channels);          \
         channel += GROUP_X * LANES, left = (channels) - channel)

// Runs `take`, which joins item x + reach's share to item x's, until the first has all.
#define HALVE_ROW(reach, x, take)                                   \
    for (int reach = GROUP_X / 2; reach > 0; reach /= 2) {          \
        barrier(CLK_LOCAL_MEM_FENCE);                               \
        if (x < reach) { take; }                                    \
    }                                                               \
    barrier(CLK_LOCAL_MEM_FENCE);

// The sum of all lanes of a row's work-items, in each of them.
static inline float sum_of_row(lanes value, __local float *row) {
    const int x = get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    row[x] = (value.x + value.z) + (value.y + value.w);
    HALVE_ROW(reach, x, row[x] += row[x + reach])
    return row[0];
}

// The first `count` lanes, and `rest` in the others.
static inline lanes first_lanes(lanes value, lanes rest, int count) {
    return select(rest, value, (int_lanes)(0, 1, 2, 3) < (int_lanes)(count));
}

__kernel GROUP void softmax_reduction(__global const activation *x_values, __global activation *y_values, int pixels,
                                      int channels) {
    PIXEL_OF_GROUP
    const int x = get_local_id(0);
    lanes largest = (lanes)(-INFINITY);
    FOR_EACH_OWN_VECTOR(channel, left, channels) {
        const lanes value = first_lanes(load_first(x_values + first + channel, left), (lanes)(-INFINITY), left);
        largest = select(largest, value, value > largest);
    }
    const float2 larger = select(largest.hi, largest.lo, largest.lo > largest.hi);
    row[x] = larger.x > larger.y ? larger.x : larger.y;
    HALVE_ROW(reach, x, row[x] = row[x + reach] > row[x] ? row[x + reach] : row[x])
    const float top = row[0];
    lanes sum = (lanes)(0.0f);
    FOR_EACH_OWN_VECTOR(channel, left, channels)
        sum += first_lanes(exponential(load_first(x_values + first + channel, left) - top), (lanes)(0.0f), left);
    const float share = 1.0f / sum_of_row(sum, row);
    if (counts)
        FOR_EACH_OWN_VECTOR(channel, left, channels)
            store_first(exponential(load_first(x_values + first + channel, left) - top) * share,
                        y_values + first + channel, left);
}

__kernel GROUP void softmax_gradient_reduction(__global const activation *dy, __global const activation *restrict y,
                                               __global activation *dx, int pixels, int channels) {
    PIXEL_OF_GROUP
    lanes products = (lanes)(0.0f);
    FOR_EACH_OWN_VECTOR(channel, left, channels)
        products = fma(load_first(dy + first + channel, left), load_first(y + first + channel, left), products);
    const float sum = sum_of_row(products, row);
    if (counts)
        FOR_EACH_OWN_VECTOR(channel, left, channels) {
            const size_t at = first + channel;
            store_first(load_first(y + at, left) * (load_first(dy + at, left) - sum), dx + at, left);
        }
}

__kernel GROUP void layer_norm_reduction(__global const activation *x_values, __global const float *restrict scale,
                                         __global const float *restrict shift, __global activation *y_values,
                                         __global float *restrict means, __global float *restrict inverses, int pixels,
                                         int channels, float epsilon) {
    PIXEL_OF_GROUP
    lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
    FOR_EACH_OWN_VECTOR(channel, left, channels) sum += load_first(x_values + first + channel, left);
    const float mean = sum_of_row(sum, row) / (float)channels;
    FOR_EACH_OWN_VECTOR(channel, left, channels) {
        const lanes deviation =
            first_lanes(load_first(x_values + first + channel, left) - mean, (lanes)(0.0f), left);
        squares = fma(deviation, deviation, squares);
    }
    const float inverse = 1.0f / sqrt(sum_of_row(squares, row) / (float)channels + epsilon);
    if (counts) {
        FOR_EACH_OWN_VECTOR(channel, left, channels) {
            const size_t at = first + channel;
            const lanes normal = (load_first(x_values + at, left) - mean) * inverse;
            store_first(fma(normal, load_first(scale + channel, left), load_first(shift + channel, left)),
                        y_values + at, left);
        }
        if (get_local_id(0) == 0) {
            means[pixel] = mean;
            inverses[pixel] = inverse;
        }
    }
}

__kernel GROUP void layer_norm_gradient_reduction(__global const activation *dy,
                                                  __global const activation *restrict x_values,
                                                  __global const float *restrict scale,
                                                  __global const float *restrict means,
                                                  __global const float *restrict inverses, __global activation *dx,
                                                  int pixels, int channels) {
    PIXEL_OF_GROUP
    const float mean = means[pixel], inverse = inverses[pixel];
    lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
    FOR_EACH_OWN_VECTOR(channel, left, channels) {
        const lanes gradient = load_first(dy + first + channel, left) * load_first(scale + channel, left);
        sum += gradient;
        products = fma(gradient, (load_first(x_values + first + channel, left) - mean) * inverse, products);
    }
    const float offset = sum_of_row(sum, row) / (float)channels;
    const float slope = sum_of_row(products, row) / (float)channels;
    if (counts)
        FOR_EACH_OWN_VECTOR(channel, left, channels) {
            const size_t at = first + channel;
            const lanes gradient = load_first(dy + at, left) * load_first(scale + channel, left);
            const lanes normal = (load_first(x_values + at, left) - mean) * inverse;
            store_first(inverse * (gradient - offset - normal * slope), dx + at, left);
        }
}

// MARK: Sums over all pixels

// As layer_norm_parameter_sums. Work-items: global (channel vectors, GROUP_Y · chunks).
__kernel GROUP void layer_norm_parameter_sums_reduction(__global const activation *restrict dy,
                                                        __global const activation *restrict x_values,
                                                        __global const float *restrict means,
                                                        __global const float *restrict inverses,
                                                        __global float *restrict partial, int pixels, int channels,
                                                        int chunk) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), k = get_group_id(1);
    const int x = get_local_id(0), y = get_local_id(1), end = min((k + 1) * chunk, pixels);
    __local lanes sums[GROUP_Y][GROUP_X], products[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f), product = (lanes)(0.0f);
    for (int pixel = k * chunk + y; pixel < end; pixel += GROUP_Y) {
        const size_t at = (size_t)pixel * channels + channel;
        const lanes gradient = load_first(dy + at, left);
        sum += gradient;
        product = fma(gradient, (load_first(x_values + at, left) - means[pixel]) * inverses[pixel], product);
    }
    sums[y][x] = sum;
    products[y][x] = product;
    HALVE(reach, y, sums[y][x] += sums[y + reach][x]; products[y][x] += products[y + reach][x])
    if (y == 0) {
        __global float *result = partial + (size_t)k * 2 * channels + channel;
        store_first(sums[0][x], result, left);
        store_first(products[0][x], result + channels, left);
    }
}

// dscale and dshift, the sums of partial [chunks][2][C]. Work-items: global (channel vectors, GROUP_Y).
__kernel GROUP void norm_parameter_combine_reduction(__global const float *restrict partial,
                                                     __global float *restrict dscale, __global float *restrict dshift,
                                                     int pixels, int channels, int chunk) {
    const int channel = GROUP_CHANNEL, left = GROUP_LEFT(channels), chunks = (pixels + chunk - 1) / chunk;
    const int x = get_local_id(0), y = get_local_id(1);
    __local lanes sums[GROUP_Y][GROUP_X], products[GROUP_Y][GROUP_X];
    lanes sum = (lanes)(0.0f), product = (lanes)(0.0f);
    for (int k = y; k < chunks; k += GROUP_Y) {
        __global const float *part = partial + (size_t)k * 2 * channels + channel;
        sum += load_first(part, left);
        product += load_first(part + channels, left);
    }
    sums[y][x] = sum;
    products[y][x] = product;
    HALVE(reach, y, sums[y][x] += sums[y + reach][x]; products[y][x] += products[y + reach][x])
    if (y == 0) {
        store_first(products[0][x], dscale + channel, left);
        store_first(sums[0][x], dshift + channel, left);
    }
}
