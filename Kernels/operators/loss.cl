// Softmax cross-entropy of logits z [N][classes] with labels [N], its gradient, and what is measured.
//
//     loss[n] = log Σ exp(z[n, c] − top) − Σ target[c]·(z[n, c] − top),   top = max z[n, :],
//     target[c] = smoothing / classes + (c == label ? 1 − smoothing : 0)
//
// Where rows are mixed, the label has `label_share` of the 1 − smoothing, at least half, and its partner the rest.
//
// Where classes have weights w, target[c] is w[c] times that, the mean is over W = Σ w[label] of the step's images, and
// loss[n] is given times images / W.
//
// Work-items: global (N), one image each; record_metrics: global (1).

// The largest logit; NaN where one is NaN.
static inline float largest(__global const float *z, int classes) {
    float top = z[0];
    for (int c = 1; c < classes; c++) top = z[c] > top || isnan(z[c]) ? z[c] : top;
    return top;
}

// Where gives_rows is 1, rows[n] = loss, top-1 correct, top-5 correct, loss not finite; of equal logits the first
// counts as larger. Where gives_gradient is 1, gradient = (softmax(z) − target) / image count, times the loss's scale
// where is_scaled is 1. Zeros from the image count on.
__kernel void softmax_cross_entropy(__global const float *restrict logits, __global const int *restrict labels,
                                    __global const int *restrict order, __global float *restrict rows,
                                    __global float *restrict gradient, const StepUniforms step,
                                    __global const LossScale *loss_scale,
                                    __global const ImageSample *restrict samples,
                                    __global const float *restrict class_weights, const LossSettings settings) {
    const int n = get_global_id(0), classes = settings.classes;
    __global const float *z = logits + (size_t)n * classes;
    __global float *result = gradient + (size_t)n * classes;
    if (n >= (int)step.image_count) {
        if (settings.gives_rows) vstore4((float4)(0.0f), n, rows);
        if (settings.gives_gradient)
            for (int c = 0; c < classes; c++) result[c] = 0.0f;
        return;
    }
    FIND_LABELS(n, label, partner, label_share)
    const float smoothing = settings.smoothing, top = largest(z, classes), own_logit = z[label];
    float sum = 0.0f, total = 0.0f;
    int ahead = 0;
    for (int c = 0; c < classes; c++) {
        sum += exp(z[c] - top);
        total += z[c] - top;
        ahead += z[c] > own_logit || (z[c] == own_logit && c < label) || isnan(own_logit);
    }
    if (settings.weighs) {
        float images_weight = 0.0f;
        for (int m = 0; m < (int)step.image_count; m++)
            images_weight += class_weights[label_of(m, labels, order, samples, &step, &settings)];
        const float own = (1.0f - smoothing) * class_weights[label], others = smoothing / classes;
        float target_sum = own, expected = own * (own_logit - top);
        if (smoothing > 0.0f)
            for (int c = 0; c < classes; c++) {
                target_sum += others * class_weights[c];
                expected += others * class_weights[c] * (z[c] - top);
            }
        if (settings.gives_rows) {
            const float loss = (log(sum) * target_sum - expected) * step.image_count / images_weight;
            vstore4((float4)(loss, ahead < 1, ahead < 5, !isfinite(loss)), n, rows);
        }
        if (settings.gives_gradient) {
            const float share = target_sum / (sum * images_weight), whole = 1.0f / images_weight;
            const float scale = settings.is_scaled ? loss_scale->scale : 1.0f;
            for (int c = 0; c < classes; c++) {
                const float target = whole * ((c == label ? own : 0.0f) + others * class_weights[c]);
                result[c] = scale * (exp(z[c] - top) * share - target);
            }
        }
        return;
    }
    if (settings.gives_rows) {
        float expected = own_logit - top;
        if (partner >= 0) expected += (1.0f - label_share) * (z[partner] - own_logit);
        // Without smoothing an infinite logit of another class must not count.
        if (smoothing > 0.0f) expected += smoothing * (total / classes - expected);
        const float loss = log(sum) - expected;
        vstore4((float4)(loss, ahead < 1, ahead < 5, !isfinite(loss)), n, rows);
    }
    if (settings.gives_gradient) {
        const float share = 1.0f / (sum * step.image_count), whole = 1.0f / step.image_count;
        const float others = whole * smoothing / classes;
        const float own = partner < 0 ? others + whole * (1.0f - smoothing)
                                      : others + whole * (1.0f - smoothing) * label_share;
        const float scale = settings.is_scaled ? loss_scale->scale : 1.0f;
        for (int c = 0; c < classes; c++)
            result[c] = scale * (exp(z[c] - top) * share - (c == label ? own : others));
        if (partner >= 0) {
            const float rest = others + whole * (1.0f - smoothing) * (1.0f - label_share);
            result[partner] = scale * (exp(z[partner] - top) * share - rest);
        }
    }
}

// metrics[slot] = Σ rows, with Kahan's compensation, in the images' order.
__kernel void record_metrics(__global const float *restrict rows, __global float *restrict metrics,
                             const StepUniforms step, int images) {
    float4 sum = (float4)(0.0f), carry = (float4)(0.0f);
    for (int n = 0; n < images; n++) {
        const float4 value = vload4(n, rows) - carry;
        const float4 next = sum + value;
        carry = (next - sum) - value;
        sum = next;
    }
    vstore4(sum, step.slot, metrics);
}

// activity[offset + c] = 1 where x [pixels][C] is above zero anywhere. Work-items: global (channel vectors, chunks).
// The flags only ever rise, so the order of the atomic operations does not matter.
__kernel void channel_activity(__global const activation *restrict x, __global int *restrict activity, int offset,
                               int pixels, int channels, int chunk) {
    const int channel = get_global_id(0) * LANES, left = channels - channel;
    const int first = get_global_id(1) * chunk, end = min(first + chunk, pixels);
    lanes top = (lanes)(0.0f);
    for (int pixel = first; pixel < end; pixel++)
        top = fmax(top, load_first(x + (size_t)pixel * channels + channel, left));
    float values[LANES];
    JOIN(vstore, LANES)(top, 0, values);
    for (int lane = 0; lane < LANES && lane < left; lane++)
        if (values[lane] > 0.0f) atomic_or(activity + offset + channel + lane, 1);
}
