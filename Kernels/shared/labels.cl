// The labels of a step's rows; in front of the files of the loss. Labels are a row's own, a data set's, or the
// samples'.

// The label of row n, that of its partner, and the label's share. PARTNER is −1 where the label has the whole target.
#define FIND_LABELS(n, LABEL, PARTNER, SHARE)                                                                     \
    int LABEL = label_of(n, labels, order, samples, &step, &settings), PARTNER = -1;                              \
    float SHARE = 1.0f;                                                                                           \
    if (settings.mixes && samples[place_of(n, &step)].partner >= 0) {                                             \
        PARTNER = label_of(samples[place_of(n, &step)].partner, labels, order, samples, &step, &settings);        \
        SHARE = samples[place_of(n, &step)].share;                                                                \
        if (PARTNER == LABEL) PARTNER = -1;                                                                       \
        if (PARTNER >= 0 && SHARE < 0.5f) {                                                                       \
            const int other = LABEL;                                                                              \
            LABEL = PARTNER, PARTNER = other, SHARE = 1.0f - SHARE;                                               \
        }                                                                                                         \
    }

static inline int label_of(int n, __global const int *labels, __global const int *order,
                           __global const ImageSample *samples, const StepUniforms *step,
                           const LossSettings *settings) {
    if (settings->picks_labels == 2) return samples[place_of(n, step)].label;
    return labels[settings->picks_labels ? image_of(n, order, step) : n];
}
