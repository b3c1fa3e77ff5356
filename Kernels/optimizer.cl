// Updates all parameters w from their gradients g, flat buffers, in one launch.
//
//     SGD:   g += decay · w;  v = momentum · v + g;  w −= rate · (nesterov ? g + momentum · v : v)
//     Adam:  g += decay · w  (AdamW: w −= rate · decay · w);  m = β₁ m + (1 − β₁) g;  v = β₂ v + (1 − β₂) g²;
//            w −= rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//
// A step whose loss was not finite is left out where `skips` is 1: `metrics` column 3 counts such images. The
// forward pass has updated the running statistics by then; keep_statistics puts back those of the last step that
// was finite.
//
// Work-items: global (chunks), each `chunk` vectors of LANES; the buffers' length is a multiple of LANES.

__kernel void sgd(__global float *restrict w, __global const float *restrict gradients,
                  __global float *restrict velocity, __global const StepUniforms *step,
                  __global const float *restrict metrics, float momentum, float decay, int nesterov, int skips,
                  int count, int chunk) {
    if (skips && metrics[step->slot * 4 + 3] > 0.0f) return;
    const float rate = step->learning_rate;
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes old = LOAD(w + at);
        lanes g = fma((lanes)(decay), old, LOAD(gradients + at));
        if (momentum != 0.0f) {
            const lanes v = fma((lanes)(momentum), LOAD(velocity + at), g);
            STORE(v, velocity + at);
            g = nesterov ? fma((lanes)(momentum), v, g) : v;
        }
        STORE(fma((lanes)(-rate), g, old), w + at);
    }
}

__kernel void adam(__global float *restrict w, __global const float *restrict gradients,
                   __global float *restrict first_moment, __global float *restrict second_moment,
                   __global const StepUniforms *step, __global const float *restrict metrics, float beta1,
                   float beta2, float epsilon, float decay, int decoupled, int skips, int count, int chunk) {
    if (skips && metrics[step->slot * 4 + 3] > 0.0f) return;
    const float rate = step->learning_rate / step->first_correction;
    const float root = sqrt(step->second_correction);
    const float shrink = decoupled ? 1.0f - step->learning_rate * decay : 1.0f;
    const float added_decay = decoupled ? 0.0f : decay;
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes old = LOAD(w + at) * shrink;
        const lanes g = fma((lanes)(added_decay), old, LOAD(gradients + at));
        const lanes m = fma((lanes)(beta1), LOAD(first_moment + at), (1.0f - beta1) * g);
        const lanes v = fma((lanes)(beta2), LOAD(second_moment + at), (1.0f - beta2) * g * g);
        STORE(m, first_moment + at);
        STORE(v, second_moment + at);
        STORE(old - rate * m / (sqrt(v) / root + epsilon), w + at);
    }
}

// statistics = kept where the loss was not finite, else kept = statistics.
__kernel void keep_statistics(__global float *restrict statistics, __global float *restrict kept,
                              __global const StepUniforms *step, __global const float *restrict metrics,
                              int count, int chunk) {
    const bool is_left_out = metrics[step->slot * 4 + 3] > 0.0f;
    __global const float *from = is_left_out ? kept : statistics;
    __global float *to = is_left_out ? statistics : kept;
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) STORE(LOAD(from + at), to + at);
}
