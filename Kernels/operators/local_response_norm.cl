// Local response normalisation (Krizhevsky, Sutskever and Hinton, NIPS 2012, §3.3) in PyTorch's form, over `size`
// neighbouring channels:
//
//     d[c] = k + alpha / size · Σ x[j]² over c − size / 2 ≤ j ≤ c + (size − 1) / 2,   y = x · d^−beta
//     dx[j] = dy[j] · d[j]^−beta − 2 · alpha · beta / size · x[j] · Σ dy[c] · x[c] · d[c]^(−beta − 1)
//
// with the second sum over the c whose window has j. The gradient computes d anew: it need not be kept.
//
// x [pixels][C]. Work-items: global (channel workers, chunks of pixels). What is gathered has vectors that begin at any
// channel, so that this file's are never aligned.

// LANES values from channel `from` on, zeros where there is none.
static inline lanes load_around(__global const activation *pointer, int from, int channels) {
    if (from >= channels || from + LANES <= 0) return (lanes)(0.0f);
    if (from >= 0) return load_first(pointer + from, channels - from);
    float values[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        const int channel = from + lane;
        values[lane] = channel >= 0 && channel < channels ? LOAD_ONE(pointer + channel) : 0.0f;
    }
    return JOIN(vload, LANES)(0, values);
}

// d of LANES channels from `from` on.
static inline lanes divisors(__global const activation *x, int from, int channels, int size, float k, float alpha) {
    lanes squares = (lanes)(0.0f);
    for (int offset = -(size / 2); offset <= (size - 1) / 2; offset++) {
        const lanes value = load_around(x, from + offset, channels);
        squares = fma(value, value, squares);
    }
    return fma(squares, (lanes)(alpha / size), (lanes)(k));
}

__kernel void local_response_norm(__global const activation *restrict x, __global activation *restrict y, int pixels,
                                  int channels, int chunk, int size, float k, float alpha, float beta) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        for (int pixel = first; pixel < end; pixel++) {
            const size_t start = (size_t)pixel * channels;
            const lanes factor = powr(divisors(x + start, channel, channels, size, k, alpha), (lanes)(-beta));
            store_first(load_first(x + start + channel, left) * factor, y + start + channel, left);
        }
    }
}

__kernel void local_response_norm_gradient(__global const activation *restrict dy,
                                           __global const activation *restrict x, __global activation *restrict dx,
                                           int pixels, int channels, int chunk, int size, float k, float alpha,
                                           float beta) {
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    FOR_EACH_CHANNELS(channel, left, channels) {
        for (int pixel = first; pixel < end; pixel++) {
            const size_t start = (size_t)pixel * channels, at = start + channel;
            lanes sum = (lanes)(0.0f);
            for (int offset = -((size - 1) / 2); offset <= size / 2; offset++) {
                const int from = channel + offset;
                const lanes share = powr(divisors(x + start, from, channels, size, k, alpha), (lanes)(-beta - 1.0f));
                const lanes value = load_around(x + start, from, channels);
                sum = fma(load_around(dy + start, from, channels) * value, share, sum);
            }
            const lanes factor = powr(divisors(x + start, channel, channels, size, k, alpha), (lanes)(-beta));
            const lanes others = load_first(x + at, left) * sum * (2.0f * alpha * beta / size);
            store_first(load_first(dy + at, left) * factor - others, dx + at, left);
        }
    }
}
