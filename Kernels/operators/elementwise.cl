// Element-wise work that no neighbour's epilogue took over.
//
// Work-items: global (chunks), each takes `chunk` consecutive vectors of LANES elements; the last may be short.
// Any of these may run in place: an element is read before it is written and by nobody else.

#define FOR_EACH_VECTOR(at, left)                                                                   \
    for (int vector = get_global_id(0) * chunk, at = vector * LANES, left = count - at;             \
         vector < (int)(get_global_id(0) + 1) * chunk && at < count; vector++, at += LANES, left -= LANES)

// x = 0.
__kernel void clear(__global float *x, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first((lanes)(0.0f), x + at, left);
}

// y = f(x), and dx from dy and v, f's output or input, for every activation f: relu, relu_gradient, ….
#define ACTIVATION_KERNELS(name)                                                                                       \
    __kernel void name(__global const activation *x, __global activation *y, int count, int chunk) {                   \
        FOR_EACH_VECTOR(at, left) store_first(value_of_##name(load_first(x + at, left)), y + at, left);                \
    }                                                                                                                  \
    __kernel void name##_gradient(__global const activation *dy, __global const activation *v,                         \
                                  __global activation *dx, int count, int chunk) {                                     \
        FOR_EACH_VECTOR(at, left)                                                                                      \
            store_first(gradient_of_##name(load_first(dy + at, left), load_first(v + at, left)), dx + at, left);       \
    }
EACH_ACTIVATION(ACTIVATION_KERNELS)

__kernel void scale(__global const activation *x, __global activation *y, float factor, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) store_first(factor * load_first(x + at, left), y + at, left);
}

// y = a + b, then the epilogue.
__kernel void add(__global const activation *a, __global const activation *b, __global const activation *operand,
                  __global activation *y, int epilogue, int count, int chunk) {
    FOR_EACH_VECTOR(at, left) {
        const lanes sum = load_first(a + at, left) + load_first(b + at, left);
        store_first(with_epilogue(sum, epilogue, operand + at, operand + at, left), y + at, left);
    }
}

// y = a · b, then the epilogue.
__kernel void multiply(__global const activation *a, __global const activation *b, __global const activation *addend,
                       __global const activation *operand, __global activation *y, int epilogue, int count,
                       int chunk) {
    FOR_EACH_VECTOR(at, left) {
        const lanes product = load_first(a + at, left) * load_first(b + at, left);
        store_first(with_epilogue(product, epilogue, addend + at, operand + at, left), y + at, left);
    }
}

// Drops an element when its random word is below `threshold`, else multiplies it by `scale`. The word of
// element e is word e mod 4 of philox(e / 4, step, node, 0), so the gradient needs no stored mask. Then the epilogue.
__kernel void dropout(__global const activation *x, __global activation *y, const StepUniforms step,
                      uint node, uint threshold, float scale, __global const activation *operand, int epilogue,
                      int count, int chunk) {
    const uint2 key = philox_key(&step, STREAM_DROPOUT);
    FOR_EACH_VECTOR(at, left) {
        for (int four = 0; four < LANES && four < left; four += 4) {
            const uint4 words = philox((uint4)((at + four) / 4, step.step, node, step.shard), key);
            const uint word[4] = {words.x, words.y, words.z, words.w};
            for (int lane = 0; lane < 4 && four + lane < left; lane++) {
                const int e = at + four + lane;
                const float kept = word[lane] < threshold ? 0.0f : LOAD_ONE(x + e) * scale;
                STORE_ONE(with_epilogue_one(kept, epilogue, operand + e, operand + e), y + e);
            }
        }
    }
}
