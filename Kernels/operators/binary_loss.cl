// Binary cross-entropy of logits z [N][classes] with sets of classes, its gradient, and what is measured.
//
//     loss[n] = Σ focus · (w[c] · t · log(1 + exp(−z)) + (1 − t) · log(1 + exp(z))) / classes,   z = z[n, c]
//     focus = (α t + (1 − α)(1 − t)) · m^γ,   m = t · σ(−z) + (1 − t) · σ(z), which is 1 − p_t
//
// t is 1 where c is in the set that labels[n] is the number of, and 0 where not; where rows are mixed, the label's set
// has `label_share` of it and its partner's the rest. A set is a row of label_sets, with a bit a class.
//
// Work-items: global (1, GROUP_Y · N) in groups of 1 × GROUP_Y, which share an image's classes. Every device has this
// form; a CPU's groups are single work-items. Groups past the last image run like the others and store zeros.

// What one class adds to an image's loss, and the derivative of that.
typedef struct {
    float loss, slope;
} BinaryLoss;

static inline BinaryLoss binary_loss(float z, float target, float weight, float gamma, float alpha) {
    const float small = exp(-fabs(z)), tail = log1p(small);
    const float larger = 1.0f / (1.0f + small), smaller = small * larger;
    const float p = z < 0.0f ? smaller : larger, rest = z < 0.0f ? larger : smaller;
    // A logit that is infinite must count only where it is wrong.
    float loss = 0.0f;
    if (target > 0.0f) loss += weight * target * (tail + fmax(-z, 0.0f));
    if (target < 1.0f) loss += (1.0f - target) * (tail + fmax(z, 0.0f));
    float slope = (1.0f - target) * p - weight * target * rest;
    if (gamma > 0.0f) {
        const float wrong = target * rest + (1.0f - target) * p;
        const float balance = alpha < 0.0f ? 1.0f : alpha * target + (1.0f - alpha) * (1.0f - target);
        const float focus = pow(wrong, gamma);
        const float change =
            wrong > 0.0f ? gamma * focus / wrong * (1.0f - 2.0f * target) * p * rest * loss : 0.0f;
        slope = balance * (focus * slope + change);
        loss *= balance * focus;
    }
    return (BinaryLoss){isnan(z) ? z : loss, isnan(z) ? z : slope};
}

static inline bool has_class(__global const int *set, int c) { return ((uint)set[c / 32] >> (c % 32)) & 1; }

// Whether the first pair of logit and class counts as larger.
static inline bool leads(float a, int class_a, float b, int class_b) {
    return a > b || (a == b && class_a < class_b);
}

// Where gives_rows is 1, rows[n] = loss, largest logit one of the image's classes, one of the five largest, loss not
// finite.
// Where gives_gradient is 1, gradient = slope / (classes · image count), times the loss's scale where is_scaled is 1.
__kernel GROUP void binary_cross_entropy(__global const activation *restrict logits,
                                         __global const int *restrict labels,
                                         __global const int *restrict label_sets, __global float *restrict rows,
                                         __global activation *restrict gradient, const StepUniforms step,
                                         __global const LossScale *loss_scale,
                                         __global const ImageSample *restrict samples,
                                         __global const float *restrict class_weights,
                                         const BinaryLossSettings binary) {
    __local float sums[GROUP_Y], best_logits[GROUP_Y];
    __local int best_classes[GROUP_Y], counts[GROUP_Y];
    const LossSettings settings = binary.loss;
    __global const int *order = labels;                 // labels are rows' own
    const int n = get_group_id(1), y = get_local_id(1), classes = settings.classes;
    const bool counts_image = n < (int)step.image_count;
    __global const activation *z = logits + (size_t)n * classes;
    // Rows past the last image have no label.
    const int row = counts_image ? n : 0;
    FIND_LABELS(row, label, partner, label_share)
    __global const int *own = label_sets + (size_t)label * binary.set_words;
    __global const int *other = label_sets + (size_t)max(partner, 0) * binary.set_words;
    const float partner_share = partner < 0 ? 0.0f : 1.0f - label_share;
    const float own_share = partner < 0 ? 1.0f : label_share;
    const float factor =
        (settings.is_scaled ? loss_scale->scale : 1.0f) / ((float)classes * (float)step.image_count);

    float sum = 0.0f, best = -INFINITY;
    int best_class = classes;
    for (int c = y; c < classes; c += GROUP_Y) {
        const bool is_own = has_class(own, c);
        const float target = (is_own ? own_share : 0.0f) + (has_class(other, c) ? partner_share : 0.0f);
        const float logit = LOAD_ONE(z + c);
        const BinaryLoss value = binary_loss(logit, target, settings.weighs ? class_weights[c] : 1.0f, binary.gamma,
                                             binary.alpha);
        sum += value.loss;
        if (is_own && leads(logit, c, best, best_class)) {
            best = logit;
            best_class = c;
        }
        if (settings.gives_gradient)
            STORE_ONE(counts_image ? factor * value.slope : 0.0f, gradient + (size_t)n * classes + c);
    }
    sums[y] = sum;
    best_logits[y] = best;
    best_classes[y] = best_class;
    HALVE(reach, y, sums[y] += sums[y + reach];
          if (leads(best_logits[y + reach], best_classes[y + reach], best_logits[y], best_classes[y])) {
              best_logits[y] = best_logits[y + reach];
              best_classes[y] = best_classes[y + reach];
          })
    barrier(CLK_LOCAL_MEM_FENCE);
    const float loss = sums[0] / classes;
    best = best_logits[0];
    best_class = best_classes[0];

    int ahead = 0;
    for (int c = y; c < classes; c += GROUP_Y)
        ahead += !has_class(own, c) && !leads(best, best_class, LOAD_ONE(z + c), c);
    counts[y] = ahead;
    HALVE(reach, y, counts[y] += counts[y + reach])
    if (y == 0 && settings.gives_rows) {
        // Without a class nothing is right, nor where a logit is not a number.
        ahead = best_class == classes || isnan(loss) ? classes + 5 : counts[0];
        vstore4(counts_image ? (float4)(loss, ahead < 1, ahead < 5, !isfinite(loss)) : (float4)(0.0f), n, rows);
    }
}
