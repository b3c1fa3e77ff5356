// What takes each pixel's channels together, on CPUs: softmax and layer norm of x [pixels][C], and their gradients.
//
//     softmax:     y = exp(x − largest) / Σ exp(x − largest),   dx = y · (dy − Σ dy · y)
//     layer norm:  y = scale · x̂ + shift,  x̂ = (x − mean) · inverse,  inverse = 1 / √(variance + epsilon)
//                  dx = inverse · (g − Σ g / C − x̂ · Σ g · x̂ / C),  g = dy · scale
//                  dscale = Σ dy · x̂,  dshift = Σ dy over all pixels
//
// Work-items: global (chunks), each takes `chunk` consecutive pixels, one behind the other. A sum over channels is of
// LANES sums side by side, which are added in halves.

#define FOR_EACH_PIXEL_OF_CHUNK(pixel)                                                                         \
    for (int pixel = get_global_id(0) * chunk, end_pixel = min(pixels, pixel + chunk); pixel < end_pixel; pixel++)

#define FOR_EACH_VECTOR_OF(channel, left, channels) \
    for (int channel = 0, left = (channels); channel < (channels); channel += LANES, left -= LANES)

static inline float sum_of(lanes value) {
    float values[LANES];
    JOIN(vstore, LANES)(value, 0, values);
    for (int reach = LANES / 2; reach > 0; reach /= 2)
        for (int lane = 0; lane < reach; lane++) values[lane] += values[lane + reach];
    return values[0];
}

// The first `count` lanes, and `rest` in the others.
static inline lanes first_lanes(lanes value, lanes rest, int count) {
    if (count >= LANES) return value;
    int numbers[LANES];
    for (int lane = 0; lane < LANES; lane++) numbers[lane] = lane;
    return select(rest, value, JOIN(vload, LANES)(0, numbers) < (int_lanes)(count));
}

__kernel void softmax(__global const activation *x, __global activation *y, int pixels, int channels, int chunk) {
    FOR_EACH_PIXEL_OF_CHUNK(pixel) {
        const size_t first = (size_t)pixel * channels;
        lanes largest = (lanes)(-INFINITY);
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const lanes value = first_lanes(load_first(x + first + channel, left), (lanes)(-INFINITY), left);
            largest = select(largest, value, value > largest);
        }
        float values[LANES];
        JOIN(vstore, LANES)(largest, 0, values);
        float top = values[0];
        for (int lane = 1; lane < LANES; lane++) top = values[lane] > top ? values[lane] : top;
        lanes sum = (lanes)(0.0f);
        FOR_EACH_VECTOR_OF(channel, left, channels)
            sum += first_lanes(exponential(load_first(x + first + channel, left) - top), (lanes)(0.0f), left);
        const float share = 1.0f / sum_of(sum);
        FOR_EACH_VECTOR_OF(channel, left, channels)
            store_first(exponential(load_first(x + first + channel, left) - top) * share, y + first + channel, left);
    }
}

__kernel void softmax_gradient(__global const activation *dy, __global const activation *restrict y,
                               __global activation *dx, int pixels, int channels, int chunk) {
    FOR_EACH_PIXEL_OF_CHUNK(pixel) {
        const size_t first = (size_t)pixel * channels;
        lanes products = (lanes)(0.0f);
        FOR_EACH_VECTOR_OF(channel, left, channels)
            products = fma(load_first(dy + first + channel, left), load_first(y + first + channel, left), products);
        const float sum = sum_of(products);
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const size_t at = first + channel;
            store_first(load_first(y + at, left) * (load_first(dy + at, left) - sum), dx + at, left);
        }
    }
}

__kernel void layer_norm(__global const activation *x, __global const float *restrict scale,
                         __global const float *restrict shift, __global activation *y, __global float *restrict means,
                         __global float *restrict inverses, int pixels, int channels, int chunk, float epsilon) {
    FOR_EACH_PIXEL_OF_CHUNK(pixel) {
        const size_t first = (size_t)pixel * channels;
        lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
        FOR_EACH_VECTOR_OF(channel, left, channels) sum += load_first(x + first + channel, left);
        const float mean = sum_of(sum) / (float)channels;
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const lanes deviation =
                first_lanes(load_first(x + first + channel, left) - mean, (lanes)(0.0f), left);
            squares = fma(deviation, deviation, squares);
        }
        const float inverse = 1.0f / sqrt(sum_of(squares) / (float)channels + epsilon);
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const size_t at = first + channel;
            const lanes normal = (load_first(x + at, left) - mean) * inverse;
            store_first(fma(normal, load_first(scale + channel, left), load_first(shift + channel, left)), y + at,
                        left);
        }
        means[pixel] = mean;
        inverses[pixel] = inverse;
    }
}

__kernel void layer_norm_gradient(__global const activation *dy, __global const activation *restrict x,
                                  __global const float *restrict scale, __global const float *restrict means,
                                  __global const float *restrict inverses, __global activation *dx, int pixels,
                                  int channels, int chunk) {
    FOR_EACH_PIXEL_OF_CHUNK(pixel) {
        const size_t first = (size_t)pixel * channels;
        const float mean = means[pixel], inverse = inverses[pixel];
        lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const lanes gradient =
                load_first(dy + first + channel, left) * load_first(scale + channel, left);
            sum += gradient;
            products = fma(gradient, (load_first(x + first + channel, left) - mean) * inverse, products);
        }
        const float offset = sum_of(sum) / (float)channels, slope = sum_of(products) / (float)channels;
        FOR_EACH_VECTOR_OF(channel, left, channels) {
            const size_t at = first + channel;
            const lanes gradient = load_first(dy + at, left) * load_first(scale + channel, left);
            const lanes normal = (load_first(x + at, left) - mean) * inverse;
            store_first(inverse * (gradient - offset - normal * slope), dx + at, left);
        }
    }
}

// partial[k] = Σ dy and Σ dy · x̂ of chunk k, [chunks][2][C]. Work-items: global (1, chunks).
__kernel void layer_norm_parameter_sums(__global const activation *restrict dy, __global const activation *restrict x,
                                        __global const float *restrict means, __global const float *restrict inverses,
                                        __global float *restrict partial, int pixels, int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes gradient = load_first(dy + at, left);
            sum += gradient;
            products = fma(gradient, (load_first(x + at, left) - means[pixel]) * inverses[pixel], products);
        }
        __global float *result = partial + (size_t)get_global_id(1) * 2 * channels + channel;
        store_first(sum, result, left);
        store_first(products, result + channels, left);
    }
}
