// Channels times numbers of their own, the sums that are these numbers' gradients, and images that are dropped whole.
//
// x is [images][pixels][C]. Work-items: global (channel workers, chunks, images); one takes `chunk` consecutive pixels
// of its image and every size(0)-th vector of their channels. Where numbers are the same for all images, these are one
// of so many pixels. All but the sums may run in place.

#define CHUNK_OF_PIXELS(first, end, n) \
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels), n = get_global_id(2);

// y[n, p, c] = x[n, p, c] · factors[n, c], then the epilogue; the factors are an activation, or parameters.
#define CHANNEL_SCALING_KERNEL(name, type)                                                                             \
    __kernel void name(__global const activation *x, __global const type *restrict factors,                            \
                       __global const activation *addend, __global const activation *operand,                          \
                       __global activation *y, int pixels, int channels, int chunk, int epilogue) {                    \
        CHUNK_OF_PIXELS(first, end, n)                                                                                 \
        FOR_EACH_CHANNELS(channel, left, channels) {                                                                   \
            const lanes factor = load_first(factors + (size_t)n * channels + channel, left);                           \
            for (int pixel = first; pixel < end; pixel++) {                                                            \
                const size_t at = ((size_t)n * pixels + pixel) * channels + channel;                                   \
                const lanes value = load_first(x + at, left) * factor;                                                 \
                store_first(with_epilogue(value, epilogue, addend + at, operand + at, left), y + at, left);            \
            }                                                                                                          \
        }                                                                                                              \
    }
CHANNEL_SCALING_KERNEL(scale_image_channels, activation)
CHANNEL_SCALING_KERNEL(scale_channels, float)

// y = x where x > 0, else slopes[c] · x, or of one slope slopes[0] · x, which lets NaN through.
__kernel void parametric_relu(__global const activation *x, __global const float *restrict slopes,
                              __global activation *y, int pixels, int channels, int chunk, int slope_count) {
    CHUNK_OF_PIXELS(first, end, n)
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes slope = slope_count == 1 ? (lanes)(slopes[0]) : load_first(slopes + channel, left);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            const lanes value = load_first(x + at, left);
            store_first(select(slope * value, value, value > (lanes)(0.0f)), y + at, left);
        }
    }
}

// dx = dy where x > 0, else slopes[c] · dy, or slopes[0] · dy.
__kernel void parametric_relu_gradient(__global const activation *dy, __global const activation *restrict x,
                                       __global const float *restrict slopes, __global activation *dx, int pixels,
                                       int channels, int chunk, int slope_count) {
    CHUNK_OF_PIXELS(first, end, n)
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes slope = slope_count == 1 ? (lanes)(slopes[0]) : load_first(slopes + channel, left);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            const lanes gradient = load_first(dy + at, left);
            store_first(select(slope * gradient, gradient, load_first(x + at, left) > (lanes)(0.0f)), dx + at, left);
        }
    }
}

// Image n is zero where its random word is below `threshold`, else x · scale; then the epilogue. The word is word n mod
// 4 of philox(n / 4, step, node, shard): dropout's, of one element an image.
__kernel void stochastic_depth(__global const activation *x, __global const activation *addend,
                               __global const activation *operand, __global activation *y, const StepUniforms step,
                               uint node, uint threshold, float scale, int pixels, int channels, int chunk,
                               int epilogue) {
    CHUNK_OF_PIXELS(first, end, n)
    const uint4 words =
        philox((uint4)(n / 4, step.step, node, step.shard), philox_key(&step, STREAM_DROPOUT));
    const uint word[4] = {words.x, words.y, words.z, words.w};
    const bool is_kept = word[n % 4] >= threshold;
    FOR_EACH_CHANNELS(channel, left, channels) {
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            const lanes value = is_kept ? load_first(x + at, left) * scale : (lanes)(0.0f);
            store_first(with_epilogue(value, epilogue, addend + at, operand + at, left), y + at, left);
        }
    }
}

// MARK: Sums

// sums[n, c] = Σ dy · x over the pixels of image n, then the epilogue. Work-items: global (channel workers, 1, images).
__kernel void image_products(__global const activation *restrict dy, __global const activation *restrict x,
                             __global const activation *restrict operand, __global activation *restrict sums,
                             int pixels, int channels, int epilogue) {
    const int n = get_global_id(2);
    FOR_EACH_CHANNELS(channel, left, channels) {
        lanes sum = (lanes)(0.0f);
        for (int pixel = 0; pixel < pixels; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            sum = fma(load_first(dy + at, left), load_first(x + at, left), sum);
        }
        const size_t result = (size_t)n * channels + channel;
        store_first(with_epilogue(sum, epilogue, operand + result, operand + result, left), sums + result, left);
    }
}

// partial[k][c] = Σ dy · x over chunk k of all pixels, or where `takes_negative`, of min(x, 0).
// Work-items: global (channel workers, chunks).
__kernel void channel_products(__global const activation *restrict dy, __global const activation *restrict x,
                               __global float *restrict partial, int pixels, int channels, int chunk,
                               int takes_negative) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        lanes sum = (lanes)(0.0f);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes value = load_first(x + at, left);
            const lanes factor = takes_negative ? select(value, (lanes)(0.0f), value > (lanes)(0.0f)) : value;
            sum = fma(load_first(dy + at, left), factor, sum);
        }
        store_first(sum, partial + (size_t)get_global_id(1) * channels + channel, left);
    }
}

// sums[c] = Σ partial[k][c] over the chunks, in order; they may go to the first chunk's place.
// Work-items: global (channel vectors).
__kernel void channel_products_combine(__global const float *partial, __global float *sums, int pixels, int channels,
                                       int chunk) {
    const int channel = get_global_id(0) * LANES, left = channels - channel, chunks = (pixels + chunk - 1) / chunk;
    lanes sum = (lanes)(0.0f);
    for (int k = 0; k < chunks; k++) sum += load_first(partial + (size_t)k * channels + channel, left);
    store_first(sum, sums + channel, left);
}

// sum = Σ values[c]. A single work-item.
__kernel void add_channels(__global const float *restrict values, __global float *restrict sum, int channels) {
    float total = 0.0f;
    for (int c = 0; c < channels; c++) total += values[c];
    sum[0] = total;
}
