// What optimizers' kernels share: what gradients are multiplied by, and which tensor a place of the flat buffers is of.

static inline bool has_finite_loss(const StepUniforms *step, __global const float *metrics) {
    return !(metrics[step->slot * METRIC_COLUMNS + METRIC_NOT_FINITE] > 0.0f);
}

// What gradients are multiplied by to be the loss's own; zero where the step is left out.
static inline float gradient_factor(const StepUniforms *step, __global const float *metrics,
                                    __global const LossScale *loss_scale, const UpdateSettings *settings) {
    if (settings->skips && !has_finite_loss(step, metrics)) return 0.0f;
    return !settings->is_scaled ? 1.0f : loss_scale->overflow ? 0.0f : 1.0f / loss_scale->scale;
}

// The last tensor that begins at or before a place; and that whose blocks begin at or before a block.
static inline int tensor_at(__global const ParameterSlice *slices, const UpdateSettings *settings, int place) {
    int number = 0;
    for (int reach = settings->search_reach; reach > 0; reach /= 2)
        if (number + reach < settings->slices && slices[number + reach].first <= place) number += reach;
    return number;
}

static inline int tensor_of_block(__global const ParameterSlice *slices, const UpdateSettings *settings, int block) {
    int number = 0;
    for (int reach = settings->search_reach; reach > 0; reach /= 2)
        if (number + reach < settings->slices && slices[number + reach].first_block <= block) number += reach;
    return number;
}

// What Adam's moments m and v make of LAMB's update, before it is scaled.
static inline lanes lamb_update(lanes w, lanes m, lanes v, float decay, float epsilon, const StepUniforms *step) {
    const lanes deviation = sqrt(v) / sqrt(step->second_correction) + epsilon;
    return fma((lanes)(decay), w, m / step->first_correction / deviation);
}
