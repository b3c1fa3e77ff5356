// Group normalisation (Wu and He, ECCV 2018) of x [images][pixels][C], over an image's pixels and a group's channels, m
// values, and its gradient.
//
//     y = scale · x̂ + shift,  x̂ = (x − mean) · inverse,  inverse = 1 / √(variance + epsilon)
//     dx = inverse · (g − Σ g / m − x̂ · Σ g · x̂ / m),  g = dy · scale
//     dscale = Σ dy · x̂,  dshift = Σ dy over all images and pixels
//
// First each image's channels are summed alone (gpu/group_norm_reduction.cl on GPUs), into [images][2][C]; then those
// of a group. Mean and inverse are [images][C], the same for all channels of a group: the rest works on vectors.
//
// Work-items: global (channel workers, chunks of pixels, images), of the sums (channel workers, 1, images), and where
// groups are combined (groups, images).

// moments[n] = mean and Σ (x − mean)² of image n's channels.
__kernel void image_moments(__global const activation *restrict x, __global float *restrict moments, int pixels,
                            int channels) {
    const int n = get_global_id(2);
    FOR_EACH_CHANNELS(channel, left, channels) {
        __global const activation *from = x + (size_t)n * pixels * channels + channel;
        lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
        for (int pixel = 0; pixel < pixels; pixel++) sum += load_first(from + (size_t)pixel * channels, left);
        const lanes mean = sum / (float)pixels;
        for (int pixel = 0; pixel < pixels; pixel++) {
            const lanes deviation = load_first(from + (size_t)pixel * channels, left) - mean;
            squares = fma(deviation, deviation, squares);
        }
        __global float *result = moments + (size_t)n * 2 * channels + channel;
        store_first(mean, result, left);
        store_first(squares, result + channels, left);
    }
}

// Mean and inverse of each group, joined as in Chan, Golub and LeVeque (1979).
__kernel void group_norm_combine(__global const float *restrict moments, __global float *restrict means,
                                 __global float *restrict inverses, int pixels, int channels, int size,
                                 float epsilon) {
    const int first = get_global_id(0) * size, n = get_global_id(1);
    __global const float *own = moments + (size_t)n * 2 * channels + first;
    float sum = 0.0f, squares = 0.0f;
    for (int c = 0; c < size; c++) sum += own[c];
    const float mean = sum / (float)size;
    for (int c = 0; c < size; c++) squares += own[channels + c] + (own[c] - mean) * (own[c] - mean) * (float)pixels;
    const float inverse = 1.0f / sqrt(squares / ((float)pixels * (float)size) + epsilon);
    for (int c = first; c < first + size; c++) {
        means[(size_t)n * channels + c] = mean;
        inverses[(size_t)n * channels + c] = inverse;
    }
}

__kernel void group_norm_normalise(__global const activation *x, __global const float *restrict scale,
                                   __global const float *restrict shift, __global const float *restrict means,
                                   __global const float *restrict inverses, __global activation *y, int pixels,
                                   int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels), n = get_global_id(2);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const size_t statistic = (size_t)n * channels + channel;
        const lanes mean = load_first(means + statistic, left), offset = load_first(shift + channel, left);
        const lanes factor = load_first(inverses + statistic, left) * load_first(scale + channel, left);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            store_first(fma(load_first(x + at, left) - mean, factor, offset), y + at, left);
        }
    }
}

// sums[n] = Σ dy and Σ dy · x̂ of image n's channels.
__kernel void image_gradient_sums(__global const activation *restrict dy, __global const activation *restrict x,
                                  __global const float *restrict means, __global const float *restrict inverses,
                                  __global float *restrict sums, int pixels, int channels) {
    const int n = get_global_id(2);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const size_t statistic = (size_t)n * channels + channel;
        const lanes mean = load_first(means + statistic, left), inverse = load_first(inverses + statistic, left);
        lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
        for (int pixel = 0; pixel < pixels; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            const lanes gradient = load_first(dy + at, left);
            sum += gradient;
            products = fma(gradient, load_first(x + at, left) - mean, products);
        }
        __global float *result = sums + (size_t)n * 2 * channels + channel;
        store_first(sum, result, left);
        store_first(products * inverse, result + channels, left);
    }
}

// Behind the sums of all images: for each channel Σ g / m and Σ g · x̂ / m of its group, [images][2][C].
__kernel void group_norm_gradient_combine(__global float *sums, __global const float *restrict scale, int images,
                                          int pixels, int channels, int size) {
    const int first = get_global_id(0) * size, n = get_global_id(1);
    __global const float *own = sums + (size_t)n * 2 * channels;
    __global float *result = sums + ((size_t)images + n) * 2 * channels;
    float sum = 0.0f, products = 0.0f;
    for (int c = first; c < first + size; c++) {
        sum = fma(own[c], scale[c], sum);
        products = fma(own[channels + c], scale[c], products);
    }
    const float count = (float)pixels * (float)size;
    for (int c = first; c < first + size; c++) {
        result[c] = sum / count;
        result[channels + c] = products / count;
    }
}

// dx, of what group_norm_gradient_combine left.
__kernel void group_norm_gradient(__global const activation *dy, __global const activation *restrict x,
                                  __global const float *restrict scale, __global const float *restrict means,
                                  __global const float *restrict inverses, __global const float *restrict sums,
                                  __global activation *dx, int images, int pixels, int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels), n = get_global_id(2);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const size_t statistic = (size_t)n * channels + channel;
        __global const float *own = sums + ((size_t)images + n) * 2 * channels + channel;
        const lanes mean = load_first(means + statistic, left), inverse = load_first(inverses + statistic, left);
        const lanes factor = load_first(scale + channel, left), offset = load_first(own, left);
        const lanes slope = load_first(own + channels, left) * inverse;
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = ((size_t)n * pixels + pixel) * channels + channel;
            const lanes deviation = load_first(x + at, left) - mean;
            store_first(inverse * (load_first(dy + at, left) * factor - offset - deviation * slope), dx + at, left);
        }
    }
}
