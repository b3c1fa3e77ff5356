// Images in another size, by the nearest pixel or bilinearly, and the gradients, of x [N][H][W][C].
//
//     nearest:   y[i, j] = x[⌊i · H / H′⌋, ⌊j · W / W′⌋]
//     bilinear:  a row i lies at max((i + ½) · H / H′ − ½, 0), or at i · (H − 1) / (H′ − 1) where corners are aligned;
//                y is the mean of the rows above and below by their distance, and so along columns
//
// The gradients gather: each pixel of the image looks at those of the result that it is part of, in their order, so no
// two work-items add to one place.
//
// Work-items: global (channel workers, column workers, rows (n, i) of what is made); one takes every size(1)-th pixel
// of its row and every size(0)-th vector of their channels.

// The two places that a place of the result is made of, and the second one's share.
typedef struct {
    int first, second;
    float share;
} Source;

static inline Source source_of(int place, int size, int result_size, const ResizeGeometry *g) {
    if (!g->is_bilinear) {
        const int nearest = (int)((long)place * size / result_size);
        return (Source){nearest, nearest, 0.0f};
    }
    const float at = g->aligns_corners
                         ? (result_size > 1 ? place * ((float)(size - 1) / (float)(result_size - 1)) : 0.0f)
                         : fmax((place + 0.5f) * ((float)size / (float)result_size) - 0.5f, 0.0f);
    const int first = min((int)at, size - 1);
    return (Source){first, min(first + 1, size - 1), at - first};
}

// The share that a place of the image has in one of the result.
static inline float share_of(int place, Source source) {
    return (source.first == place ? 1.0f - source.share : 0.0f) + (source.second == place ? source.share : 0.0f);
}

// Places of the result from which on, and before which, a place of the image is part of it: none is left out.
static inline int first_reached(int place, int size, int result_size) {
    return max((int)(((long)place - 1) * result_size / size) - 2, 0);
}

static inline int end_reached(int place, int size, int result_size) {
    return min((int)(((long)place + 2) * result_size / size) + 3, result_size);
}

// `upsample` is a function of OpenCL C.
__kernel void resize(__global const activation *restrict x, __global activation *restrict y,
                     const ResizeGeometry g) {
    const int row = get_global_id(2), n = row / g.output_height;
    const Source rows = source_of(row % g.output_height, g.height, g.output_height, &g);
    __global const activation *image = x + (size_t)n * g.height * g.width * g.channels;
    __global const activation *upper = image + (size_t)rows.first * g.width * g.channels;
    __global const activation *lower = image + (size_t)rows.second * g.width * g.channels;
    for (int j = get_global_id(1); j < g.output_width; j += get_global_size(1)) {
        const Source columns = source_of(j, g.width, g.output_width, &g);
        const size_t left_pixel = (size_t)columns.first * g.channels;
        const size_t right_pixel = (size_t)columns.second * g.channels;
        const size_t result = ((size_t)row * g.output_width + j) * g.channels;
        FOR_EACH_CHANNELS(channel, left, g.channels) {
            lanes value = load_first(upper + left_pixel + channel, left);
            if (g.is_bilinear) {
                const lanes upper_right = load_first(upper + right_pixel + channel, left);
                const lanes lower_left = load_first(lower + left_pixel + channel, left);
                const lanes lower_right = load_first(lower + right_pixel + channel, left);
                const lanes above = fma(upper_right, (lanes)(columns.share), value * (1.0f - columns.share));
                const lanes below = fma(lower_right, (lanes)(columns.share), lower_left * (1.0f - columns.share));
                value = fma(below, (lanes)(rows.share), above * (1.0f - rows.share));
            }
            store_first(value, y + result + channel, left);
        }
    }
}

__kernel void resize_gradient(__global const activation *restrict dy, __global activation *restrict dx,
                              const ResizeGeometry g) {
    const int row = get_global_id(2), h = row % g.height, n = row / g.height;
    __global const activation *image = dy + (size_t)n * g.output_height * g.output_width * g.channels;
    const int first_row = first_reached(h, g.height, g.output_height);
    const int end_row = end_reached(h, g.height, g.output_height);
    for (int w = get_global_id(1); w < g.width; w += get_global_size(1)) {
        const int first_column = first_reached(w, g.width, g.output_width);
        const int end_column = end_reached(w, g.width, g.output_width);
        FOR_EACH_CHANNELS(channel, left, g.channels) {
            lanes sum = (lanes)(0.0f);
            for (int i = first_row; i < end_row; i++) {
                const float row_share = share_of(h, source_of(i, g.height, g.output_height, &g));
                if (row_share == 0.0f) continue;
                for (int j = first_column; j < end_column; j++) {
                    const float share = row_share * share_of(w, source_of(j, g.width, g.output_width, &g));
                    if (share == 0.0f) continue;
                    const size_t at = ((size_t)i * g.output_width + j) * g.channels + channel;
                    sum = fma(load_first(image + at, left), (lanes)(share), sum);
                }
            }
            store_first(sum, dx + ((size_t)row * g.width + w) * g.channels + channel, left);
        }
    }
}
