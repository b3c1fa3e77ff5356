// Element-wise work that no neighbour's epilogue took over.
//
// Work-items: global (chunks), each takes `chunk` consecutive vectors of LANES elements; the last may be short.
// Any of these may run in place: an element is read before it is written and by nobody else.

#define FOR_EACH_VECTOR(at, left)                                                                   \
    for (int vector = get_global_id(0) * chunk, at = vector * LANES, left = count - at;             \
         vector < (int)(get_global_id(0) + 1) * chunk && left > 0; vector++, at += LANES, left -= LANES)

// x = 0.
__kernel void clear(__global float *x, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first((lanes)(0.0f), x + at, left);
}

__kernel void relu(__global const activation *x, __global activation *y, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first(rectify(load_first(x + at, left)), y + at, left);
}

__kernel void relu_gradient(__global const activation *dy, __global const activation *y, __global activation *dx,
                            int count, int chunk) {
    FOR_EACH_VECTOR(at, left)
        store_first(rectify_gradient(load_first(dy + at, left), load_first(y + at, left)), dx + at, left);
}

// exp(x) within two units in the last place, where it is a normal number; at the ends of that range it stays as it is.
// x = n · ln 2 + r with |r| ≤ ln 2 / 2, and exp(r) by its Taylor series; the large constant's sum rounds to n.
static inline lanes exponential(lanes x) {
    x = select(x, (lanes)(-87.0f), x < (lanes)(-87.0f));
    x = select(x, (lanes)(88.0f), x > (lanes)(88.0f));
    const lanes rounded = fma(x, (lanes)(1.44269504f), (lanes)(12582912.0f)), n = rounded - 12582912.0f;
    const lanes r = fma(n, (lanes)(1.43243161e-6f), fma(n, (lanes)(-0.693148613f), x));
    lanes series = fma(r, (lanes)(1.0f / 5040.0f), (lanes)(1.0f / 720.0f));
    series = fma(series, r, (lanes)(1.0f / 120.0f));
    series = fma(series, r, (lanes)(1.0f / 24.0f));
    series = fma(series, r, (lanes)(1.0f / 6.0f));
    series = fma(series, r, (lanes)(0.5f));
    series = fma(series, r, (lanes)(1.0f));
    series = fma(series, r, (lanes)(1.0f));
    // n stands in the constant's last bits, which lead to an exponent.
    return series * JOIN(as_float, LANES)((JOIN(as_int, LANES)(rounded) + 127) << 23);
}

// y = 1 / (1 + exp(-x)).
__kernel void sigmoid(__global const activation *x, __global activation *y, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first(1.0f / (1.0f + exponential(-load_first(x + at, left))), y + at, left);
}

// dx = dy · y · (1 − y); y is the sigmoid's output.
__kernel void sigmoid_gradient(__global const activation *dy, __global const activation *y, __global activation *dx,
                               int count, int chunk) {
    FOR_EACH_VECTOR(at, left) {
        const lanes output = load_first(y + at, left);
        store_first(load_first(dy + at, left) * output * (1.0f - output), dx + at, left);
    }
}

__kernel void scale(__global const activation *x, __global activation *y, float factor, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first(factor * load_first(x + at, left), y + at, left);
}

// y = a + b, then the epilogue; `mask` is a ReLU's output.
__kernel void add(__global const activation *a, __global const activation *b, __global const activation *mask,
                  __global activation *y, int epilogue, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) {
        lanes value = load_first(a + at, left) + load_first(b + at, left);
        if (epilogue == EPILOGUE_RELU) value = rectify(value);
        if (epilogue == EPILOGUE_RELU_MASK) value = rectify_gradient(value, load_first(mask + at, left));
        store_first(value, y + at, left);
    }
}

// Drops an element when its random word is below `threshold`, else multiplies it by `scale`. The word of
// element e is word e mod 4 of philox(e / 4, step, node, 0), so the gradient needs no stored mask.
__kernel void dropout(__global const activation *x, __global activation *y, __global const StepUniforms *step,
                      uint node, uint threshold, float scale, int count, int chunk) {
    const uint2 key = philox_key(step, STREAM_DROPOUT);
    FOR_EACH_VECTOR(at, left) {
        for (int four = 0; four < LANES && four < left; four += 4) {
            const uint4 words = philox((uint4)((at + four) / 4, step->step, node, 0), key);
            const uint word[4] = {words.x, words.y, words.z, words.w};
            for (int lane = 0; lane < 4 && four + lane < left; lane++) {
                const int e = at + four + lane;
                STORE_ONE(word[lane] < threshold ? 0.0f : LOAD_ONE(x + e) * scale, y + e);
            }
        }
    }
}
