// The loss of loss.cl by work-groups: the same formulas, one group an image, and the metrics' sum by one group, the
// last of them where it can be told, or that of a launch of its own. Groups past the last image run like the others and
// store zeros: PoCL 3.1 does not survive a return in front of a barrier.
//
// Work-items: global (1, GROUP_Y · N) in groups of 1 × GROUP_Y, which share an image's classes;
// record_metrics_reduction: global (1, GROUP_Y). Constants: METRIC_SHARES, a power of two, of at least GROUP_Y.

// The larger; NaN where one is.
static inline float larger(float a, float b) { return isnan(a) || a > b ? a : b; }

// The largest of an image's logits, and Σ exp(z − largest) and Σ (z − largest), in every work-item.
#define SOFTMAX_SUMS(z, classes, y)                                                                  \
    __local float top_rows[GROUP_Y], sum_rows[GROUP_Y], total_rows[GROUP_Y];                         \
    float top = -INFINITY, sum = 0.0f, total = 0.0f;                                                 \
    for (int c = y; c < classes; c += GROUP_Y) top = larger(LOAD_ONE(z + c), top);                   \
    top_rows[y] = top;                                                                               \
    HALVE(reach, y, top_rows[y] = larger(top_rows[y + reach], top_rows[y]))                            \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                    \
    top = top_rows[0];                                                                               \
    for (int c = y; c < classes; c += GROUP_Y) {                                                     \
        sum += exp(LOAD_ONE(z + c) - top);                                                           \
        total += LOAD_ONE(z + c) - top;                                                              \
    }                                                                                                \
    sum_rows[y] = sum;                                                                               \
    total_rows[y] = total;                                                                           \
    HALVE(reach, y, sum_rows[y] += sum_rows[y + reach]; total_rows[y] += total_rows[y + reach])         \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                    \
    sum = sum_rows[0];                                                                               \
    total = total_rows[0];

// As record_metrics, by a group: each of METRIC_SHARES shares with Kahan's compensation, then all of these.
static inline void record(__global const float *rows, __global float *metrics, const StepUniforms *step, int images,
                          int y, __local float4 *sums) {
    for (int share = y; share < METRIC_SHARES; share += GROUP_Y) {
        float4 sum = (float4)(0.0f), carry = (float4)(0.0f);
        for (int n = share; n < images; n += METRIC_SHARES) {
            const float4 value = vload4(n, rows) - carry;
            const float4 next = sum + value;
            carry = (next - sum) - value;
            sum = next;
        }
        sums[share] = sum;
    }
    for (int reach = METRIC_SHARES / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int share = y; share < reach; share += GROUP_Y) sums[share] += sums[share + reach];
    }
    if (y == 0) vstore4(sums[0], step->slot, metrics);
}

// As softmax_cross_entropy.
__kernel GROUP void softmax_cross_entropy_reduction(__global const activation *restrict logits,
                                                  __global const int *restrict labels,
                                                  __global const int *restrict order, __global float *rows,
                                                  __global activation *restrict gradient, const StepUniforms step,
                                                  __global const LossScale *loss_scale,
                                                  __global const ImageSample *restrict samples,
                                                  __global const float *restrict class_weights,
                                                  __global float *restrict metrics, volatile __global int *counter,
                                                  const LossSettings settings) {
    const int n = get_group_id(1), y = get_local_id(1), classes = settings.classes;
    const float smoothing = settings.smoothing;
    const bool counts = n < (int)step.image_count;
    __global const activation *z = logits + (size_t)n * classes;
    SOFTMAX_SUMS(z, classes, y)
    FIND_LABELS(n, label, partner, label_share)
    // Where classes have weights: of the step's labels, of all classes, and of all classes times their logits.
    float images_weight = 0.0f, weight_sum = 0.0f, weighted_total = 0.0f;
    if (settings.weighs) {
        for (int m = y; m < (int)step.image_count; m += GROUP_Y)
            images_weight += class_weights[label_of(m, labels, order, samples, &step, &settings)];
        for (int c = y; c < classes; c += GROUP_Y) {
            weight_sum += class_weights[c];
            weighted_total += class_weights[c] * (LOAD_ONE(z + c) - top);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        top_rows[y] = images_weight;
        sum_rows[y] = weight_sum;
        total_rows[y] = weighted_total;
        HALVE(reach, y, top_rows[y] += top_rows[y + reach]; sum_rows[y] += sum_rows[y + reach];
              total_rows[y] += total_rows[y + reach])
        barrier(CLK_LOCAL_MEM_FENCE);
        images_weight = top_rows[0];
        weight_sum = sum_rows[0];
        weighted_total = total_rows[0];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const float own_weight = settings.weighs ? (1.0f - smoothing) * class_weights[label] : 0.0f;
    const float target_sum = own_weight + smoothing / classes * weight_sum;
    if (settings.gives_gradient && settings.weighs) {
        __global activation *result = gradient + (size_t)n * classes;
        const float share = target_sum / (sum * images_weight), whole = 1.0f / images_weight;
        const float scale = settings.is_scaled ? loss_scale->scale : 1.0f;
        for (int c = y; c < classes; c += GROUP_Y) {
            const float target = (c == label ? own_weight : 0.0f) + smoothing / classes * class_weights[c];
            const float value = exp(LOAD_ONE(z + c) - top) * share - whole * target;
            STORE_ONE(counts ? scale * value : 0.0f, result + c);
        }
    } else if (settings.gives_gradient) {
        __global activation *result = gradient + (size_t)n * classes;
        const float share = 1.0f / (sum * step.image_count), whole = 1.0f / step.image_count;
        const float others = whole * smoothing / classes;
        const float own = partner < 0 ? others + whole * (1.0f - smoothing)
                                      : others + whole * (1.0f - smoothing) * label_share;
        const float rest = others + whole * (1.0f - smoothing) * (1.0f - label_share);
        const float scale = settings.is_scaled ? loss_scale->scale : 1.0f;
        for (int c = y; c < classes; c += GROUP_Y) {
            const float target = c == label ? own : c == partner ? rest : others;
            const float value = exp(LOAD_ONE(z + c) - top) * share - target;
            STORE_ONE(counts ? scale * value : 0.0f, result + c);
        }
    }
    const float own = LOAD_ONE(z + label);
    __local int ahead_rows[GROUP_Y];
    int ahead = 0;
    for (int c = y; c < classes; c += GROUP_Y) {
        const float other = LOAD_ONE(z + c);
        ahead += other > own || (other == own && c < label) || isnan(own);
    }
    ahead_rows[y] = ahead;
    HALVE(reach, y, ahead_rows[y] += ahead_rows[y + reach])
    if (y == 0 && settings.gives_rows) {
        ahead = ahead_rows[0];
        float expected = own - top;
        if (partner >= 0) expected += (1.0f - label_share) * (LOAD_ONE(z + partner) - own);
        // Without smoothing an infinite logit of another class must not count.
        if (smoothing > 0.0f) expected += smoothing * (total / classes - expected);
        float loss = log(sum) - expected;
        if (settings.weighs) {
            expected = own_weight * (own - top);
            if (smoothing > 0.0f) expected += smoothing / classes * weighted_total;
            loss = (log(sum) * target_sum - expected) * step.image_count / images_weight;
        }
        vstore4(counts ? (float4)(loss, ahead < 1, ahead < 5, !isfinite(loss)) : (float4)(0.0f), n, rows);
    }
#if FENCE
    __local int ticket;
    __local float4 sums[METRIC_SHARES];
    if (settings.records && is_last_group(counter, get_num_groups(1), &ticket))
        record(rows, metrics, &step, get_num_groups(1), y, sums);
#endif
}

__kernel GROUP void record_metrics_reduction(__global const float *rows, __global float *restrict metrics,
                                           const StepUniforms step, int images) {
    __local float4 sums[METRIC_SHARES];
    record(rows, metrics, &step, images, get_local_id(1), sums);
}
