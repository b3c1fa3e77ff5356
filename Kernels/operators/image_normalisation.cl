// From bytes to what the network reads, and the labels of samples.
//
//     value(n, p, c) = erased(n) holds p ? 0 : byte(n, p, c) · factor[c] + offset[c]
//     y(n, p, c)     = value(n), or mixed with the partner m: share · value(n) + (1 − share) · value(m),
//                      or, where a box is mixed, value(m) in the box
//
// with factor = 1 / (255 · deviation) and offset = −mean / deviation. Two forms: a GPU's work-item makes one value, a
// CPU's several rows in vectors. Buffers: x [N][H][W][CHANNELS] bytes, samples, y like x. CHANNELS is given by -D.

static inline bool is_in_box(__global const PixelBox *box, int row, int column) {
    return (uint)(row - box->top) < (uint)box->height && (uint)(column - box->left) < (uint)box->width;
}

static inline float value_at(__global const uchar *x, __global const ImageSample *s, int n, int row, int v,
                             __global const float *factor_offset, const InputGeometry *g) {
    if (is_in_box(&s->erased, row, v / CHANNELS)) return 0.0f;
    const float byte = x[((size_t)n * g->height + row) * g->width * CHANNELS + v];
    return byte * factor_offset[v % CHANNELS] + factor_offset[CHANNELS + v % CHANNELS];
}

static inline float mixed_at(__global const uchar *x, __global const ImageSample *samples, int n, int row, int v,
                             __global const float *factor_offset, const InputGeometry *g, const StepUniforms *step) {
    __global const ImageSample *s = samples + place_of(n, step);
    const float own = value_at(x, s, n, row, v, factor_offset, g);
    if (s->partner < 0) return own;
    const float other = value_at(x, samples + place_of(s->partner, step), s->partner, row, v, factor_offset, g);
    if (s->mixed.height > 0) return is_in_box(&s->mixed, row, v / CHANNELS) ? other : own;
    return s->share * own + (1.0f - s->share) * other;
}

// Work-items: global (W · CHANNELS, image rows (n, i)).
__kernel void image_normalisation(__global const uchar *restrict x, __global const ImageSample *restrict samples,
                                  __global activation *restrict y, const StepUniforms step,
                                  __global const float *restrict factor_offset, const InputGeometry g) {
    const int v = get_global_id(0), at = get_global_id(1), length = g.width * CHANNELS;
    if (v >= length || at >= g.rows) return;
    const float value = mixed_at(x, samples, at / g.height, at % g.height, v, factor_offset, &g, &step);
    STORE_ONE(value, y + (size_t)at * length + v);
}

#if LONG_WORK_ITEMS
// The first and the end of a box's values in a row; none where it does not reach there.
static inline void span_of(__global const PixelBox *box, int row, int *first, int *end) {
    const bool reaches = (uint)(row - box->top) < (uint)box->height;
    *first = reaches ? box->left * CHANNELS : 0;
    *end = reaches ? (box->left + box->width) * CHANNELS : 0;
}

static inline lanes between(lanes inside, lanes outside, int_lanes place, int first, int end) {
    return select(outside, inside, (place >= (int_lanes)(first)) & (place < (int_lanes)(end)));
}

// Work-items: global (shares of the image rows (n, i)). factor_offset [2][CHANNELS + LANES], going round.
__kernel WORK_GROUP
void image_normalisation_rows(__global const uchar *restrict x, __global const ImageSample *restrict samples,
                              __global float *restrict y, const StepUniforms step,
                              __global const float *restrict factor_offset, const InputGeometry g) {
    const int length = g.width * CHANNELS;
    __global const float *offsets = factor_offset + CHANNELS + LANES;
    int numbers[LANES];
    for (int lane = 0; lane < LANES; lane++) numbers[lane] = lane;
    const int_lanes lane = JOIN(vload, LANES)(0, numbers);
    const int end_row = (int)((long)g.rows * (get_global_id(0) + 1) / get_global_size(0));
    for (int at = (int)((long)g.rows * get_global_id(0) / get_global_size(0)); at < end_row; at++) {
        const int n = at / g.height, row = at % g.height;
        __global const ImageSample *s = samples + place_of(n, &step);
        const bool mixes = s->partner >= 0;
        const int partner = mixes ? s->partner : n;
        __global const ImageSample *t = samples + place_of(partner, &step);
        __global const uchar *own = x + (size_t)at * length;
        __global const uchar *other = x + ((size_t)partner * g.height + row) * length;
        __global float *result = y + (size_t)at * length;
        int erased, erased_end, other_erased, other_erased_end, mixed, mixed_end;
        span_of(&s->erased, row, &erased, &erased_end);
        span_of(&t->erased, row, &other_erased, &other_erased_end);
        span_of(&s->mixed, row, &mixed, &mixed_end);
        const bool cuts = s->mixed.height > 0;
        const float share = s->share;
        // The last vector begins where it ends with the row, so that it may be made of values that are there already.
        for (int begin = 0; begin < length && length >= LANES; begin += LANES) {
            const int v = min(begin, length - LANES);
            const lanes factor = JOIN(vload, LANES)(0, factor_offset + v % CHANNELS);
            const lanes offset = JOIN(vload, LANES)(0, offsets + v % CHANNELS);
            lanes value = JOIN(convert_float, LANES)(JOIN(vload, LANES)(0, own + v)) * factor + offset;
            value = between((lanes)(0.0f), value, lane + v, erased, erased_end);
            if (mixes && (!cuts || mixed < mixed_end)) {
                lanes second = JOIN(convert_float, LANES)(JOIN(vload, LANES)(0, other + v)) * factor + offset;
                second = between((lanes)(0.0f), second, lane + v, other_erased, other_erased_end);
                value = cuts ? between(second, value, lane + v, mixed, mixed_end)
                             : share * value + (1.0f - share) * second;
            }
            STORE(value, result + v);
        }
        for (int v = 0; v < length && length < LANES; v++) {
            float value = own[v] * factor_offset[v % CHANNELS] + offsets[v % CHANNELS];
            if (v >= erased && v < erased_end) value = 0.0f;
            if (mixes) {
                float second = other[v] * factor_offset[v % CHANNELS] + offsets[v % CHANNELS];
                if (v >= other_erased && v < other_erased_end) second = 0.0f;
                value = !cuts ? share * value + (1.0f - share) * second
                              : v >= mixed && v < mixed_end ? second : value;
            }
            result[v] = value;
        }
    }
}
#endif

// Work-items: global (N).
__kernel void sample_labels(__global const ImageSample *restrict samples, __global int *restrict y,
                            const StepUniforms step) {
    const int n = get_global_id(0);
    y[n] = samples[place_of(n, &step)].label;
}
