// Norms that optimizers need, in a fixed order: of all gradients together, by which they are clipped, and of each
// tensor and its update, by which LAMB scales that.
//
//     clip = min(1, largest / (‖g‖ + 10⁻⁶))
//     trust = ‖w‖ / ‖update‖ for tensors that decay, where both are above zero; else 1
//
// Squares are summed in blocks of NORM_BLOCK floats, and then the blocks' sums, with Kahan's compensation, so that the
// order follows from the buffers' lengths and the constants alone. A tensor's first block begins where the tensor does.
//
// Work-items: global (1, GROUP_Y · groups) in groups of 1 × GROUP_Y, which are one work-item on a CPU. Groups: one a
// block of the gradients (gradient_squares) or of the tensors (lamb_moments), one (clip_ratio), one a tensor
// (trust_ratios). Constants: NORM_BLOCK, a multiple of GROUP_Y · LANES or a divisor of it.

// Adds a group's shares, each work-item's in rows[y]; the sum is in rows[0] of work-item 0.
#define SUM_ROWS(y, rows) HALVE(reach, y, rows[y] += rows[y + reach])

static inline float sum_of_vector(lanes x) {
    float values[LANES], sum = 0.0f;
    JOIN(vstore, LANES)(x, 0, values);
    for (int lane = 0; lane < LANES; lane++) sum += values[lane];
    return sum;
}

// Every GROUP_Y-th of the sums of blocks `first` ..< `end`, which lie `pitch` floats apart.
static inline float sum_of_blocks(__global const float *sums, int first, int end, int pitch) {
    float sum = 0.0f, carry = 0.0f;
    for (int block = first + (int)get_local_id(1); block < end; block += GROUP_Y) {
        const float value = sums[(size_t)block * pitch] - carry;
        const float next = sum + value;
        carry = (next - sum) - value;
        sum = next;
    }
    return sum;
}

__kernel GROUP void gradient_squares(__global const float *restrict gradients, __global const LossScale *loss_scale,
                                     __global float *restrict sums, const UpdateSettings settings) {
    const int y = get_local_id(1), block = get_group_id(1);
    const int first = block * NORM_BLOCK, end = min(first + NORM_BLOCK, settings.count);
    // Before they are squared, which large ones do not survive.
    const float factor = settings.is_scaled ? 1.0f / loss_scale->scale : 1.0f;
    lanes sum = (lanes)(0.0f);
    for (int at = first + y * LANES; at < end; at += GROUP_Y * LANES) {
        const lanes g = factor * LOAD(gradients + at);
        sum = fma(g, g, sum);
    }
    __local float rows[GROUP_Y];
    rows[y] = sum_of_vector(sum);
    SUM_ROWS(y, rows)
    if (y == 0) sums[block] = rows[0];
}

__kernel GROUP void clip_ratio(__global const float *restrict sums, __global float *restrict clip, int blocks,
                               float largest) {
    const int y = get_local_id(1);
    __local float rows[GROUP_Y];
    rows[y] = sum_of_blocks(sums, 0, blocks, 1);
    SUM_ROWS(y, rows)
    if (y == 0) {
        const float ratio = largest / (sqrt(rows[0]) + 1e-6f);
        // What is not a number stays so: the weights show it.
        *clip = ratio > 1.0f ? 1.0f : ratio;
    }
}

// Updates the moments, and sums the squares of the parameters and of what LAMB is to add to them.
__kernel GROUP void lamb_moments(__global const float *restrict w, __global const float *restrict gradients,
                                 __global float *restrict first_moment, __global float *restrict second_moment,
                                 const StepUniforms step, __global const float *restrict metrics,
                                 __global const LossScale *loss_scale, __global const float *restrict clip,
                                 __global const ParameterSlice *restrict slices, __global float *restrict sums,
                                 const UpdateSettings settings) {
    const int y = get_local_id(1), block = get_group_id(1);
    const int tensor = tensor_of_block(slices, &settings, block);
    const int first = slices[tensor].first + (block - slices[tensor].first_block) * NORM_BLOCK;
    const int end = min(first + NORM_BLOCK, slices[tensor + 1].first);
    const float beta1 = settings.beta1, beta2 = settings.beta2, decay = slices[tensor].decay;
    float factor = gradient_factor(&step, metrics, loss_scale, &settings);
    // A step that is left out has no vectors here.
    const int taken = factor == 0.0f ? first : end;
    if (settings.clips) factor *= *clip;
    lanes weights = (lanes)(0.0f), updates = (lanes)(0.0f);
    for (int at = first + y * LANES; at < taken; at += GROUP_Y * LANES) {
        const lanes old = LOAD(w + at), g = factor * LOAD(gradients + at);
        const lanes m = fma((lanes)(beta1), LOAD(first_moment + at), (1.0f - beta1) * g);
        const lanes v = fma((lanes)(beta2), LOAD(second_moment + at), (1.0f - beta2) * g * g);
        STORE(m, first_moment + at);
        STORE(v, second_moment + at);
        const lanes update = lamb_update(old, m, v, decay, settings.epsilon, &step);
        weights = fma(old, old, weights);
        updates = fma(update, update, updates);
    }
    __local float weight_rows[GROUP_Y], update_rows[GROUP_Y];
    weight_rows[y] = sum_of_vector(weights);
    update_rows[y] = sum_of_vector(updates);
    HALVE(reach, y, weight_rows[y] += weight_rows[y + reach]; update_rows[y] += update_rows[y + reach])
    if (y == 0) {
        sums[2 * (size_t)block] = weight_rows[0];
        sums[2 * (size_t)block + 1] = update_rows[0];
    }
}

__kernel GROUP void trust_ratios(__global const ParameterSlice *restrict slices, __global const float *restrict sums,
                                 __global float *restrict trust) {
    const int y = get_local_id(1), tensor = get_group_id(1);
    const int first = slices[tensor].first_block, end = slices[tensor + 1].first_block;
    __local float weight_rows[GROUP_Y], update_rows[GROUP_Y];
    weight_rows[y] = sum_of_blocks(sums, first, end, 2);
    update_rows[y] = sum_of_blocks(sums + 1, first, end, 2);
    HALVE(reach, y, weight_rows[y] += weight_rows[y + reach]; update_rows[y] += update_rows[y + reach])
    if (y == 0) {
        const float weights = sqrt(weight_rows[0]), updates = sqrt(update_rows[0]);
        const bool adapts = slices[tensor].decay != 0.0f && weights > 0.0f && updates > 0.0f;
        trust[tensor] = adapts ? weights / updates : 1.0f;
    }
}
