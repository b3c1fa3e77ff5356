// Updates all parameters w from their gradients g, flat buffers, in one launch.
//
//     SGD:      g += decay · w;  v = momentum · v + g;  w −= rate · (nesterov ? g + momentum · v : v)
//     Adam:     g += decay · w  (AdamW: w −= rate · decay · w);  m = β₁ m + (1 − β₁) g;  v = β₂ v + (1 − β₂) g²;
//               w −= rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//     RMSprop:  g += decay · w;  v = β₂ v + (1 − β₂) g²;  b = momentum · b + g / (√v + ε);  w −= rate · b
//     Lion:     w −= rate · (sign(β₁ m + (1 − β₁) g) + decay · w);  m = β₂ m + (1 − β₂) g
//     LAMB:     w −= rate · trust · (m / (1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε) + decay · w); its moments and each tensor's
//               trust come from optimizer_norms.cl
//
// A step whose loss was not finite is left out where `skips` is 1: the metrics count such images. The
// forward pass has updated the running statistics by then: those of the last step that was finite are put back.
//
// Where `is_scaled` is 1, the gradients are those of the loss times a scale, by which they are divided; one of them
// that is not finite leaves the step out, too, and check_gradients says so before, adjust_loss_scale draws the
// consequence after. Where `clips` is 1, they are multiplied by the ratio that optimizer_norms.cl has found.
//
// Where `slices` is above 0, so many tensors have rates and decays of their own: a vector lies within one of them.
//
// Work-items: global (chunks), each `chunk` vectors of LANES, of the parameters and then of the statistics; the
// buffers' lengths, `count` and `statistics_count`, are multiples of LANES.

// The tensor that a work-item is at, or all of them.
typedef struct {
    int number, end;
    float rate, decay;
    float corrected_rate;   // Adam's
    float shrink;           // what is left of w where it decays by itself
} Tensor;

static inline void enter(Tensor *tensor, int number, __global const ParameterSlice *slices, const StepUniforms *step,
                         const UpdateSettings *settings) {
    const bool are_alike = settings->slices == 0;
    tensor->number = number;
    tensor->end = are_alike ? settings->count : slices[number + 1].first;
    tensor->rate = are_alike ? step->learning_rate : step->learning_rate * slices[number].rate_factor;
    tensor->decay = are_alike ? settings->decay : slices[number].decay;
    tensor->corrected_rate = tensor->rate / step->first_correction;
    tensor->shrink = 1.0f - tensor->rate * tensor->decay;
}

// A work-item's vectors, each with the tensor that it is of. No tensor is smaller than a vector.
#define FOR_EACH_RATED_VECTOR(at, first, tensor)                                                              \
    Tensor tensor;                                                                                            \
    enter(&tensor, settings.slices == 0 ? 0 : tensor_at(slices, &settings, first), slices, &step, &settings); \
    for (int at = first; at < min(first + settings.chunk * LANES, settings.count); at += LANES)

#define ENTER_TENSOR(at, tensor) \
    if (at >= tensor.end) enter(&tensor, tensor.number + 1, slices, &step, &settings);

// Whether this work-item's chunk is one of the statistics, behind the `count` parameters, and that chunk's work:
// statistics = kept where the loss was not finite, else kept = statistics.
static inline bool keeps_statistics(__global float *restrict statistics, __global float *restrict kept,
                                    const StepUniforms *step, __global const float *restrict metrics,
                                    const UpdateSettings *settings) {
    const int chunk = settings->chunk;
    const int parameter_chunks = (settings->count + chunk * LANES - 1) / (chunk * LANES);
    const int first = ((int)get_global_id(0) - parameter_chunks) * chunk * LANES;
    if (first < 0) return false;
    if (first >= settings->statistics_count) return true;
    const bool is_finite = has_finite_loss(step, metrics);
    __global const float *from = is_finite ? statistics : kept;
    __global float *to = is_finite ? kept : statistics;
    const int end = min(first + chunk * LANES, settings->statistics_count);
    for (int at = first; at < end; at += LANES) STORE(LOAD(from + at), to + at);
    return true;
}

__kernel void sgd(__global float *restrict w, __global const float *restrict gradients,
                  __global float *restrict velocity, __global float *restrict unused, const StepUniforms step,
                  __global const float *restrict metrics, __global const LossScale *loss_scale,
                  __global const float *restrict clip, __global const ParameterSlice *restrict slices,
                  __global float *restrict statistics, __global float *restrict kept, const UpdateSettings settings) {
    if (keeps_statistics(statistics, kept, &step, metrics, &settings)) return;
    float factor = gradient_factor(&step, metrics, loss_scale, &settings);
    if (factor == 0.0f) return;
    if (settings.clips) factor *= *clip;
    const int first = get_global_id(0) * settings.chunk * LANES;
    const float momentum = settings.momentum;
    FOR_EACH_RATED_VECTOR(at, first, tensor) {
        ENTER_TENSOR(at, tensor)
        const lanes old = LOAD(w + at);
        lanes g = fma((lanes)(tensor.decay), old, factor * LOAD(gradients + at));
        if (momentum != 0.0f) {
            const lanes v = fma((lanes)(momentum), LOAD(velocity + at), g);
            STORE(v, velocity + at);
            g = settings.nesterov ? fma((lanes)(momentum), v, g) : v;
        }
        STORE(fma((lanes)(-tensor.rate), g, old), w + at);
    }
}

__kernel void adam(__global float *restrict w, __global const float *restrict gradients,
                   __global float *restrict first_moment, __global float *restrict second_moment,
                   const StepUniforms step, __global const float *restrict metrics,
                   __global const LossScale *loss_scale, __global const float *restrict clip,
                   __global const ParameterSlice *restrict slices, __global float *restrict statistics,
                   __global float *restrict kept, const UpdateSettings settings) {
    if (keeps_statistics(statistics, kept, &step, metrics, &settings)) return;
    float factor = gradient_factor(&step, metrics, loss_scale, &settings);
    if (factor == 0.0f) return;
    if (settings.clips) factor *= *clip;
    const int first = get_global_id(0) * settings.chunk * LANES;
    const float root = sqrt(step.second_correction), beta1 = settings.beta1, beta2 = settings.beta2;
    FOR_EACH_RATED_VECTOR(at, first, tensor) {
        ENTER_TENSOR(at, tensor)
        const lanes old = LOAD(w + at) * (settings.decoupled ? tensor.shrink : 1.0f);
        const float decay = settings.decoupled ? 0.0f : tensor.decay;
        const lanes g = fma((lanes)(decay), old, factor * LOAD(gradients + at));
        const lanes m = fma((lanes)(beta1), LOAD(first_moment + at), (1.0f - beta1) * g);
        const lanes v = fma((lanes)(beta2), LOAD(second_moment + at), (1.0f - beta2) * g * g);
        STORE(m, first_moment + at);
        STORE(v, second_moment + at);
        STORE(old - tensor.corrected_rate * m / (sqrt(v) / root + settings.epsilon), w + at);
    }
}

__kernel void rmsprop(__global float *restrict w, __global const float *restrict gradients,
                      __global float *restrict squares, __global float *restrict velocity, const StepUniforms step,
                      __global const float *restrict metrics, __global const LossScale *loss_scale,
                      __global const float *restrict clip, __global const ParameterSlice *restrict slices,
                      __global float *restrict statistics, __global float *restrict kept,
                      const UpdateSettings settings) {
    if (keeps_statistics(statistics, kept, &step, metrics, &settings)) return;
    float factor = gradient_factor(&step, metrics, loss_scale, &settings);
    if (factor == 0.0f) return;
    if (settings.clips) factor *= *clip;
    const int first = get_global_id(0) * settings.chunk * LANES;
    const float alpha = settings.beta2;
    FOR_EACH_RATED_VECTOR(at, first, tensor) {
        ENTER_TENSOR(at, tensor)
        const lanes old = LOAD(w + at);
        const lanes g = fma((lanes)(tensor.decay), old, factor * LOAD(gradients + at));
        const lanes v = fma((lanes)(alpha), LOAD(squares + at), (1.0f - alpha) * g * g);
        STORE(v, squares + at);
        lanes update = g / (sqrt(v) + settings.epsilon);
        if (settings.momentum != 0.0f) {
            update = fma((lanes)(settings.momentum), LOAD(velocity + at), update);
            STORE(update, velocity + at);
        }
        STORE(fma((lanes)(-tensor.rate), update, old), w + at);
    }
}

__kernel void lion(__global float *restrict w, __global const float *restrict gradients,
                   __global float *restrict moment, __global float *restrict unused, const StepUniforms step,
                   __global const float *restrict metrics, __global const LossScale *loss_scale,
                   __global const float *restrict clip, __global const ParameterSlice *restrict slices,
                   __global float *restrict statistics, __global float *restrict kept,
                   const UpdateSettings settings) {
    if (keeps_statistics(statistics, kept, &step, metrics, &settings)) return;
    float factor = gradient_factor(&step, metrics, loss_scale, &settings);
    if (factor == 0.0f) return;
    if (settings.clips) factor *= *clip;
    const int first = get_global_id(0) * settings.chunk * LANES;
    const float beta1 = settings.beta1, beta2 = settings.beta2;
    FOR_EACH_RATED_VECTOR(at, first, tensor) {
        ENTER_TENSOR(at, tensor)
        const lanes g = factor * LOAD(gradients + at), m = LOAD(moment + at);
        const lanes direction = fma((lanes)(beta1), m, (1.0f - beta1) * g);
        STORE(fma((lanes)(1.0f - beta2), g - m, m), moment + at);
        // Zero has no sign, and what is not a number stays so.
        lanes sign = direction > 0.0f ? (lanes)(1.0f) : direction;
        sign = direction < 0.0f ? (lanes)(-1.0f) : sign;
        STORE(fma((lanes)(-tensor.rate), sign, LOAD(w + at) * tensor.shrink), w + at);
    }
}

// The moments are this step's already.
__kernel void lamb(__global float *restrict w, __global const float *restrict trust,
                   __global const float *restrict first_moment, __global const float *restrict second_moment,
                   const StepUniforms step, __global const float *restrict metrics,
                   __global const LossScale *loss_scale, __global const float *restrict clip,
                   __global const ParameterSlice *restrict slices, __global float *restrict statistics,
                   __global float *restrict kept, const UpdateSettings settings) {
    if (keeps_statistics(statistics, kept, &step, metrics, &settings)) return;
    if (gradient_factor(&step, metrics, loss_scale, &settings) == 0.0f) return;
    const int first = get_global_id(0) * settings.chunk * LANES;
    FOR_EACH_RATED_VECTOR(at, first, tensor) {
        ENTER_TENSOR(at, tensor)
        const lanes old = LOAD(w + at);
        const lanes update = lamb_update(old, LOAD(first_moment + at), LOAD(second_moment + at), tensor.decay,
                                         settings.epsilon, &step);
        STORE(fma((lanes)(-tensor.rate), trust[tensor.number] * update, old), w + at);
    }
}

// average += share · (value − average), and at a run's first step average = value.
__kernel void update_average(__global float *restrict average, __global const float *restrict value,
                             const StepUniforms step, float share, int count, int chunk) {
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes old = LOAD(average + at), next = LOAD(value + at);
        STORE(step.step == 1 ? next : fma((lanes)(share), next - old, old), average + at);
    }
}

__kernel void exchange(__global float *restrict a, __global float *restrict b, int count, int chunk) {
    const int first = get_global_id(0) * chunk * LANES;
    for (int at = first; at < min(first + chunk * LANES, count); at += LANES) {
        const lanes value = LOAD(a + at);
        STORE(LOAD(b + at), a + at);
        STORE(value, b + at);
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
