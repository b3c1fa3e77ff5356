// Convolution in groups of channels, and its gradients, of every shape. With D input and E output channels a group, o
// of group k = ⌊o / E⌋,
//
//     result[n, i·d + p, j·d + q, o] =
//         Σ source[n, i·s + a + t·e, j·s + b + u·e, k·D + c] · filter[f + t·g, h + u·g, c, o]
//     dw[t, u, c, o]                 = Σ over n, i, j of x[n, i·s − p + t·e, j·s − q + u·e, k·D + c] · dy[n, i, j, o]
//     db[o]                          = Σ over n, i, j of dy[n, i, j, o]
//
// The first sum is the forward pass, and the image's gradient phase by phase, from dy and the filter transposed and
// mirrored; its letters are those of convolution2d_gather.cl. Vectors go along a group's outputs, and hold no other's.
//
// Buffers: source and x [N][H][W][C]; filter [KH][KW][D][O]; bias [O]; addend, operand and result [N][H′][W′][O]; dy
// likewise; partial [splits][KH·KW·D + 1][O], the last row the bias's. Constants: LANES; ROWS (pixels that a work-item
// makes, or input channels); DILATION_HEIGHT and DILATION_WIDTH, e where it is not 1; WHOLE: 1 where D is a multiple of
// LANES and a work-item loads as many channels of a pixel at once, which GPUs do.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifndef DILATION_WIDTH
#define DILATION_WIDTH 1
#endif

// As in depthwise_convolution2d.cl.
#if MIXED
#define ROUND_FILTER(w) lanes_from_stored(lanes_to_stored(w))
#else
#define ROUND_FILTER(w) (w)
#endif

// The group of a work-item's vector, its first channel of the result, and how many of the group's are left.
typedef struct {
    int group, channel, count;
} GroupVector;

static inline GroupVector group_vector(int index, int group_outputs) {
    const int vectors = (group_outputs + LANES - 1) / LANES, group = index / vectors, first = index % vectors * LANES;
    return (GroupVector){group, group * group_outputs + first, group_outputs - first};
}

// sums[m] += value · filter[c].
#define ADD_PRODUCT(c, VALUE)                                                                       \
    {                                                                                               \
        const lanes w = ROUND_FILTER(load_first(weights + (size_t)(c) * g.result_channels, vector.count)); \
        UNROLL for (int m = 0; m < ROWS; m++) sums[m] = fma((lanes)(VALUE), w, sums[m]);            \
    }

// Work-items: global (vectors of all groups, ⌈positions / ROWS⌉): ROWS consecutive positions of the (n, i, j) grid.
__kernel WORK_GROUP
void grouped_convolution2d(__global const activation *restrict source, __global const float *restrict filter,
                           __global const float *restrict bias, __global const activation *restrict addend,
                           __global const activation *restrict operand, __global activation *restrict result,
                           const ConvolutionGeometry g, int groups) {
    const GroupVector vector = group_vector(get_global_id(0), g.result_channels / groups);
    const int grid = g.grid_images * g.grid_height * g.grid_width, first = get_global_id(1) * ROWS;
    const int inputs = g.source_channels / groups;
    if (vector.group >= groups || first >= grid) return;

    lanes sums[ROWS];
    int top[ROWS], left[ROWS];
    long base[ROWS];
    UNROLL for (int m = 0; m < ROWS; m++) {
        sums[m] = (lanes)(0.0f);
        const int position = min(first + m, grid - 1);
        const int j = position % g.grid_width;
        const int i = position / g.grid_width % g.grid_height;
        const int n = position / (g.grid_width * g.grid_height);
        top[m] = i * g.stride_height + g.origin_height;
        left[m] = j * g.stride_width + g.origin_width;
        base[m] = (((long)n * g.source_height + top[m]) * g.source_width + left[m]) * g.source_channels +
                  vector.group * inputs;
    }
    for (int t = 0; t < g.tap_rows; t++)
        for (int u = 0; u < g.tap_columns; u++) {
            const int tap = (g.first_row + t * g.tap_step_height) * g.filter_columns + g.first_column +
                            u * g.tap_step_width;
            __global const float *weights = filter + (size_t)tap * inputs * g.result_channels + vector.channel;
            const long step = ((long)t * DILATION_HEIGHT * g.source_width + u * DILATION_WIDTH) * g.source_channels;
            bool inside[ROWS];
            UNROLL for (int m = 0; m < ROWS; m++)
                inside[m] = (uint)(top[m] + t * DILATION_HEIGHT) < (uint)g.source_height &&
                            (uint)(left[m] + u * DILATION_WIDTH) < (uint)g.source_width;
#if WHOLE
            for (int c = 0; c < inputs; c += 4) {
                float4 values[ROWS];
                UNROLL for (int m = 0; m < ROWS; m++)
                    values[m] = inside[m] ? load_first(source + base[m] + step + c, 4) : (float4)(0.0f);
                ADD_PRODUCT(c, values[m].s0)
                ADD_PRODUCT(c + 1, values[m].s1)
                ADD_PRODUCT(c + 2, values[m].s2)
                ADD_PRODUCT(c + 3, values[m].s3)
            }
#else
            for (int c = 0; c < inputs; c++)
                ADD_PRODUCT(c, inside[m] ? LOAD_ONE(source + base[m] + step + c) : 0.0f)
#endif
        }
    UNROLL for (int m = 0; m < ROWS; m++) {
        const int position = first + m;
        if (position >= grid) continue;
        const int j = position % g.grid_width;
        const int i = position / g.grid_width % g.grid_height;
        const int n = position / (g.grid_width * g.grid_height);
        const int row = i * g.result_step_height + g.phase_height;
        const int column = j * g.result_step_width + g.phase_width;
        const size_t at =
            (((size_t)n * g.result_height + row) * g.result_width + column) * g.result_channels + vector.channel;
        const lanes sum = with_offset(sums[m], bias + vector.channel, g.result_channels, vector.count, g.offset_kind);
        store_first(with_epilogue(sum, g.epilogue, addend + at, operand + at, vector.count), result + at,
                    vector.count);
    }
}

// The filter of the image's gradient: [KH][KW][D][groups·E] to [KH][KW][E][groups·D], mirrored. Work-items: global
// (channels of the image, results a group, taps).
__kernel WORK_GROUP
void grouped_convolution2d_transpose(__global const float *restrict filter, __global float *restrict transposed,
                                     int taps, int inputs, int outputs, int groups) {
    const int channel = get_global_id(0), o = get_global_id(1), tap = get_global_id(2);
    const int group = channel / inputs, c = channel % inputs;
    transposed[((size_t)tap * outputs + o) * inputs * groups + channel] =
        filter[(((size_t)(taps - 1 - tap) * inputs + c) * groups + group) * outputs + o];
}

// The first pixel whose place `position · stride − padding + offset` is at least zero; the first one from which on it
// is `length` or more.
static inline int first_inside(int offset, int stride, int padding) {
    return max(0, (padding - offset + stride - 1) / stride);
}

static inline int first_outside(int offset, int stride, int padding, int length, int pixels) {
    const int room = length + padding - offset;
    return room <= 0 ? 0 : min(pixels, (room + stride - 1) / stride);
}

// The filter's gradient, of parts of the rows (n, i) that are added up behind it in order. Work-items: global (vectors
// of all groups, taps · ⌈D / ROWS⌉, splits): ROWS input channels at one tap.
__kernel WORK_GROUP
void grouped_convolution2d_filter_gradient(__global const activation *restrict x,
                                           __global const activation *restrict dy, __global float *restrict partial,
                                           const GroupedGeometry g) {
    const GroupVector vector = group_vector(get_global_id(0), g.output_channels / g.groups);
    const int inputs = g.channels / g.groups, runs = (inputs + ROWS - 1) / ROWS;
    const int tap = get_global_id(1) / runs, c = get_global_id(1) % runs * ROWS, split = get_global_id(2);
    const int down = tap / g.kernel_width * g.dilation_height, right = tap % g.kernel_width * g.dilation_width;
    const bool adds_bias = g.has_bias && get_global_id(1) == 0;
    if (vector.group >= g.groups || tap >= g.kernel_height * g.kernel_width) return;

    const int rows = g.images * g.output_height;
    const int first_row = (int)((long)rows * split / g.splits), end_row = (int)((long)rows * (split + 1) / g.splits);
    const int first_j = first_inside(right, g.stride_width, g.padding_width);
    const int end_j = first_outside(right, g.stride_width, g.padding_width, g.width, g.output_width);
    lanes sums[ROWS], bias_sum = (lanes)(0.0f);
    UNROLL for (int m = 0; m < ROWS; m++) sums[m] = (lanes)(0.0f);
    for (int row = first_row; row < end_row; row++) {
        __global const activation *gradient = dy + (size_t)row * g.output_width * g.output_channels + vector.channel;
        if (adds_bias)
            for (int j = 0; j < g.output_width; j++)
                bias_sum += load_first(gradient + (size_t)j * g.output_channels, vector.count);
        const int n = row / g.output_height;
        const int at = row % g.output_height * g.stride_height - g.padding_height + down;
        if ((uint)at >= (uint)g.height) continue;
        __global const activation *from =
            x + (((long)n * g.height + at) * g.width + right - g.padding_width) * g.channels +
            vector.group * inputs + c;
        for (int j = first_j; j < end_j; j++) {
            const lanes d = load_first(gradient + (size_t)j * g.output_channels, vector.count);
            __global const activation *values = from + (long)j * g.stride_width * g.channels;
#if WHOLE
            const float4 run = load_first(values, 4);
            sums[0] = fma((lanes)(run.s0), d, sums[0]);
            sums[1] = fma((lanes)(run.s1), d, sums[1]);
            sums[2] = fma((lanes)(run.s2), d, sums[2]);
            sums[3] = fma((lanes)(run.s3), d, sums[3]);
#else
            UNROLL for (int m = 0; m < ROWS; m++)
                sums[m] = fma((lanes)(c + m < inputs ? LOAD_ONE(values + m) : 0.0f), d, sums[m]);
#endif
        }
    }
    __global float *stored =
        partial + (size_t)split * (g.kernel_height * g.kernel_width * inputs + 1) * g.output_channels +
        vector.channel;
    UNROLL for (int m = 0; m < ROWS; m++)
        if (c + m < inputs)
            store_first(sums[m], stored + (size_t)(tap * inputs + c + m) * g.output_channels, vector.count);
    if (adds_bias)
        store_first(bias_sum, stored + (size_t)g.kernel_height * g.kernel_width * inputs * g.output_channels,
                    vector.count);
}

// Adds the splits, `count` floats each, to as many as `parts`: part p the splits p, p + parts, … in this order, in
// their first one's place. Work-items: global (⌈count / LANES⌉, parts).
__kernel WORK_GROUP
void grouped_convolution2d_fold(__global float *partial, int count, int splits, int parts) {
    const int first = get_global_id(0) * LANES, part = get_global_id(1);
    if (first >= count) return;
    lanes sum = (lanes)(0.0f);
    for (int split = part; split < splits; split += parts)
        sum += load_first(partial + (size_t)split * count + first, count - first);
    store_first(sum, partial + (size_t)part * count + first, count - first);
}
