// Batch normalisation (Ioffe and Szegedy, ICML 2015) of x [pixels][C], per channel, and its gradient.
//
//     y = scale · (x − mean) · deviation⁻¹ + shift,   deviation = √(variance + epsilon)
//
// The reductions over all pixels have two launches, for a fixed order: one sums over chunks of `chunk` pixels
// into partial [chunks][2][C], one combines the chunks in order.
//
// Work-items: global (channel workers, chunks) for chunked kernels, where a work-item takes every size(0)-th
// vector of channels; (channel vectors) for those that combine. A chunk is small enough to stay in cache, so
// reading it twice, for the mean and then for the squares about it, costs one trip to memory and loses no
// digits. Chunks are combined as in Chan, Golub and LeVeque (1979).

// partial[k] = mean and Σ (x − mean)² of chunk k.
__kernel void batch_norm_statistics(__global const float *restrict x, __global float *restrict partial,
                                    int pixels, int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
        for (int pixel = first; pixel < end; pixel++) sum += load_first(x + (size_t)pixel * channels + channel, left);
        const lanes mean = sum / (float)(end - first);
        for (int pixel = first; pixel < end; pixel++) {
            const lanes deviation = load_first(x + (size_t)pixel * channels + channel, left) - mean;
            squares = fma(deviation, deviation, squares);
        }
        __global float *result = partial + (size_t)get_global_id(1) * 2 * channels + channel;
        store_first(mean, result, left);
        store_first(squares, result + channels, left);
    }
}

// The batch's mean and 1 / deviation, and running ← (1 − momentum) · running + momentum · batch's.
__kernel void batch_norm_combine(__global const float *restrict partial, __global float *restrict mean,
                                 __global float *restrict inverse_deviation, __global float *restrict running_mean,
                                 __global float *restrict running_variance, int pixels, int channels, int chunk,
                                 float epsilon, float momentum) {
    const int channel = get_global_id(0) * LANES, left = channels - channel;
    const int chunks = (pixels + chunk - 1) / chunk;
    lanes sum = (lanes)(0.0f), squares = (lanes)(0.0f);
    for (int k = 0; k < chunks; k++) {
        const float count = min(chunk, pixels - k * chunk);
        sum += load_first(partial + (size_t)k * 2 * channels + channel, left) * count;
    }
    const lanes batch_mean = sum / (float)pixels;
    for (int k = 0; k < chunks; k++) {
        const float count = min(chunk, pixels - k * chunk);
        const lanes offset = load_first(partial + (size_t)k * 2 * channels + channel, left) - batch_mean;
        squares += load_first(partial + ((size_t)k * 2 + 1) * channels + channel, left) + offset * offset * count;
    }
    store_first(batch_mean, mean + channel, left);
    store_first(1.0f / sqrt(squares / (float)pixels + epsilon), inverse_deviation + channel, left);
    const lanes old_mean = load_first(running_mean + channel, left);
    const lanes old_variance = load_first(running_variance + channel, left);
    store_first((1.0f - momentum) * old_mean + momentum * batch_mean, running_mean + channel, left);
    store_first((1.0f - momentum) * old_variance + momentum * (squares / (float)(pixels - 1)),
                running_variance + channel, left);
}

// y from the batch's statistics, then the epilogue, which may add another tensor.
__kernel void batch_norm_normalise(__global const activation *restrict x, __global const float *restrict scale,
                                   __global const float *restrict shift, __global const float *restrict mean,
                                   __global const float *restrict inverse_deviation,
                                   __global const activation *restrict addend, __global activation *restrict y,
                                   int pixels, int channels, int chunk, int epilogue) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes centre = load_first(mean + channel, left), offset = load_first(shift + channel, left);
        const lanes factor = load_first(inverse_deviation + channel, left) * load_first(scale + channel, left);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes value = fma(load_first(x + at, left) - centre, factor, offset);
            store_first(with_epilogue(value, epilogue, addend + at, addend + at, left), y + at, left);
        }
    }
}

// y from the running statistics, for prediction; may run in place.
__kernel void batch_norm_inference(__global const activation *x, __global const float *restrict scale,
                                   __global const float *restrict shift, __global const float *restrict mean,
                                   __global const float *restrict variance,
                                   __global const activation *restrict addend, __global activation *y, int pixels,
                                   int channels, int chunk, int epilogue, float epsilon) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes centre = load_first(mean + channel, left), offset = load_first(shift + channel, left);
        const lanes factor =
            load_first(scale + channel, left) / sqrt(load_first(variance + channel, left) + epsilon);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes value = fma(load_first(x + at, left) - centre, factor, offset);
            store_first(with_epilogue(value, epilogue, addend + at, addend + at, left), y + at, left);
        }
    }
}

// The same as factors and offsets of the convolution before it: [2][O], offsets first.
// Work-items: global (vectors of O).
__kernel void batch_norm_fold(__global const float *restrict bias, __global const float *restrict scale,
                              __global const float *restrict shift, __global const float *restrict mean,
                              __global const float *restrict variance, __global float *restrict folded,
                              int channels, int has_bias, float epsilon) {
    const int channel = get_global_id(0) * LANES, left = channels - channel;
    const lanes factor = load_first(scale + channel, left) / sqrt(load_first(variance + channel, left) + epsilon);
    const lanes before = has_bias ? load_first(bias + channel, left) : (lanes)(0.0f);
    const lanes centre = load_first(mean + channel, left) - before;
    store_first(load_first(shift + channel, left) - centre * factor, folded + channel, left);
    store_first(factor, folded + channels + channel, left);
}

// partial[k] = Σ dy and Σ dy · x̂ of chunk k, x̂ = (x − mean) / deviation.
__kernel void batch_norm_gradient_sums(__global const float *restrict dy, __global const float *restrict x,
                                       __global const float *restrict mean,
                                       __global const float *restrict inverse_deviation,
                                       __global float *restrict partial, int pixels, int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes centre = load_first(mean + channel, left);
        lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes gradient = load_first(dy + at, left);
            sum += gradient;
            products = fma(gradient, load_first(x + at, left) - centre, products);
        }
        __global float *result = partial + (size_t)get_global_id(1) * 2 * channels + channel;
        store_first(sum, result, left);
        store_first(products * load_first(inverse_deviation + channel, left), result + channels, left);
    }
}

// dshift = Σ dy, dscale = Σ dy · x̂.
__kernel void batch_norm_gradient_combine(__global const float *restrict partial, __global float *restrict dscale,
                                          __global float *restrict dshift, int pixels, int channels, int chunk) {
    const int channel = get_global_id(0) * LANES, left = channels - channel;
    const int chunks = (pixels + chunk - 1) / chunk;
    lanes sum = (lanes)(0.0f), products = (lanes)(0.0f);
    for (int k = 0; k < chunks; k++) {
        sum += load_first(partial + (size_t)k * 2 * channels + channel, left);
        products += load_first(partial + ((size_t)k * 2 + 1) * channels + channel, left);
    }
    store_first(products, dscale + channel, left);
    store_first(sum, dshift + channel, left);
}

// dx = scale / deviation · (dy − dshift / pixels − x̂ · dscale / pixels); may overwrite dy.
__kernel void batch_norm_gradient(__global const activation *dy, __global const activation *restrict x,
                                  __global const float *restrict scale, __global const float *restrict mean,
                                  __global const float *restrict inverse_deviation,
                                  __global const float *restrict dscale, __global const float *restrict dshift,
                                  __global activation *dx, int pixels, int channels, int chunk) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        const lanes inverse = load_first(inverse_deviation + channel, left);
        const lanes factor = inverse * load_first(scale + channel, left);
        const lanes centre = load_first(mean + channel, left);
        const lanes offset = load_first(dshift + channel, left) / (float)pixels;
        const lanes slope = inverse * load_first(dscale + channel, left) / (float)pixels;
        for (int pixel = first; pixel < end; pixel++) {
            const size_t at = (size_t)pixel * channels + channel;
            const lanes deviation = load_first(x + at, left) - centre;
            store_first(factor * (load_first(dy + at, left) - offset - deviation * slope), dx + at, left);
        }
    }
}
