// Updates all parameters w from their gradients g, flat buffers, in one launch.
//
//     SGD:   g += decay · w;  v = momentum · v + g;  w −= rate · (nesterov ? g + momentum · v : v)
//     Adam:  g += decay · w  (AdamW: w −= rate · decay · w);  m = β₁ m + (1 − β₁) g;  v = β₂ v + (1 − β₂) g²;
//            w −= rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//
// A step whose loss was not finite is left out where `skips` is 1: the metrics count such images. The
// forward pass has updated the running statistics by then: those of the last step that was finite are put back.
//
// Where `is_scaled` is 1, the gradients are those of the loss times a scale, by which they are divided; one of them
// that is not finite leaves the step out, too, and check_gradients says so before, adjust_loss_scale draws the
// consequence after.
//
// Work-items: global (chunks), each `chunk` vectors of LANES, of the parameters and then of the statistics; the
// buffers' lengths, `count` and `statistics_count`, are multiples of LANES.

static inline bool has_finite_loss(const StepUniforms *step, __global const float *metrics) {
    return !(metrics[step->slot * METRIC_COLUMNS + METRIC_NOT_FINITE] > 0.0f);
}

// What gradients are multiplied by; zero where the step is left out.
static inline float gradient_factor(const StepUniforms *step, __global const float *metrics, int skips,
                                    __global const LossScale *loss_scale, int is_scaled) {
    if (skips && !has_finite_loss(step, metrics)) return 0.0f;
    return !is_scaled ? 1.0f : loss_scale->overflow ? 0.0f : 1.0f / loss_scale->scale;
}

// Whether this work-item's chunk is one of the statistics, behind the `count` parameters, and that chunk's work:
// statistics = kept where the loss was not finite, else kept = statistics.
static inline bool keeps_statistics(__global float *restrict statistics, __global float *restrict kept,
                                    const StepUniforms *step, __global const float *restrict metrics, int count,
                                    int statistics_count, int chunk) {
    const int parameter_chunks = (count + chunk * LANES - 1) / (chunk * LANES);
    const int first = ((int)get_global_id(0) - parameter_chunks) * chunk * LANES;
    if (first < 0) return false;
    if (first >= statistics_count) return true;
    const bool is_finite = has_finite_loss(step, metrics);
    __global const float *from = is_finite ? statistics : kept;
    __global float *to = is_finite ? kept : statistics;
    const int end = min(first + chunk * LANES, statistics_count);
    for (int at = first; at < end; at += LANES) STORE(LOAD(from + at), to + at);
    return true;
}

__kernel void sgd(__global float *restrict w, __global const float *restrict gradients,
                  __global float *restrict velocity, const StepUniforms step,
                  __global const float *restrict metrics, __global const LossScale *loss_scale, int skips,
                  int is_scaled, float momentum, float decay, int nesterov, __global float *restrict statistics,
                  __global float *restrict kept, int count, int statistics_count, int chunk) {
    if (keeps_statistics(statistics, kept, &step, metrics, count, statistics_count, chunk)) return;
    const int first = get_global_id(0) * chunk * LANES;
    const float factor = gradient_factor(&step, metrics, skips, loss_scale, is_scaled);
    if (factor == 0.0f) return;
    const float rate = step.learning_rate;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes old = LOAD(w + at);
        lanes g = fma((lanes)(decay), old, factor * LOAD(gradients + at));
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
                   const StepUniforms step, __global const float *restrict metrics,
                   __global const LossScale *loss_scale, int skips, int is_scaled, float beta1, float beta2,
                   float epsilon, float decay, int decoupled, __global float *restrict statistics,
                   __global float *restrict kept, int count, int statistics_count, int chunk) {
    if (keeps_statistics(statistics, kept, &step, metrics, count, statistics_count, chunk)) return;
    const int first = get_global_id(0) * chunk * LANES;
    const float factor = gradient_factor(&step, metrics, skips, loss_scale, is_scaled);
    if (factor == 0.0f) return;
    const float rate = step.learning_rate / step.first_correction;
    const float root = sqrt(step.second_correction);
    const float shrink = decoupled ? 1.0f - step.learning_rate * decay : 1.0f;
    const float added_decay = decoupled ? 0.0f : decay;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes old = LOAD(w + at) * shrink;
        const lanes g = fma((lanes)(added_decay), old, factor * LOAD(gradients + at));
        const lanes m = fma((lanes)(beta1), LOAD(first_moment + at), (1.0f - beta1) * g);
        const lanes v = fma((lanes)(beta2), LOAD(second_moment + at), (1.0f - beta2) * g * g);
        STORE(m, first_moment + at);
        STORE(v, second_moment + at);
        STORE(old - rate * m / (sqrt(v) / root + epsilon), w + at);
    }
}

// Notes whether a gradient is not finite.
__kernel void check_gradients(__global const float *restrict gradients, __global LossScale *loss_scale, int count,
                              int chunk) {
    int_lanes is_finite = (int_lanes)(-1);
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES)
        is_finite &= isfinite(LOAD(gradients + at));
    if (!all(is_finite)) atomic_or(&loss_scale->overflow, 1);
}

// Halves the scale after an overflow that it may have caused, which a loss that is not finite rules out; doubles it
// after `interval` steps without one. Work-items: global (1).
__kernel void adjust_loss_scale(__global LossScale *loss_scale, const StepUniforms step,
                                __global const float *restrict metrics, float interval, float largest) {
    LossScale next = *loss_scale;
    if (has_finite_loss(&step, metrics)) {
        next.steady_steps += 1.0f;
        if (next.overflow) {
            next.scale *= 0.5f;
            next.steady_steps = 0.0f;
            next.skipped_steps += 1.0f;
        } else if (next.steady_steps == interval) {
            next.scale = fmin(2.0f * next.scale, largest);
            next.steady_steps = 0.0f;
        }
    }
    next.overflow = 0;
    *loss_scale = next;
}

// target = factor · (source + target), or factor · source: what becomes of a shard's gradients.
__kernel void region_sum(__global const float *restrict source, __global float *restrict target, int adds,
                         float factor, int count, int chunk) {
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes value = LOAD(source + at);
        STORE(factor * (adds ? value + LOAD(target + at) : value), target + at);
    }
}

// metrics[slot] = Σ metrics[first_row + k], in the order of k. Work-items: global (1).
__kernel void shard_metrics(__global float *restrict metrics, const StepUniforms step, int first_row, int count) {
    float4 sum = (float4)(0.0f);
    for (int row = 0; row < count; row++) sum += vload4(first_row + row, metrics);
    vstore4(sum, step.slot, metrics);
}
