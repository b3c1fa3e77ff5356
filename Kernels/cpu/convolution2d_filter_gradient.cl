// Convolution's gradient with respect to filter and bias, direct, as register-tiled matrix products:
//
//     dw[t, r, o] = Σ over n, i, j of x[n, i·s − p + t·e, (j·s − q)·C + r] · dy[n, i, j, o]
//     db[o]       = Σ over n, i, j of dy[n, i, j, o]
//
// A row of a filter and the image under it are both contiguous, so tap column and input channel are one
// index r = u·C + c of a run of kernel width · C floats. Elements of a run that hang over the image's edge
// are zeros. Where taps are dilated along rows, e > 1, each is a run of C floats by itself, u·e pixels further on.
//
// Two launches, for a fixed order of summation whatever runs in parallel:
//
//   filter_gradient  global (filter rows t, or taps, channel tiles, splits). A work-item sums over the images
//                    of its split into partial[split]. It goes through them in blocks small enough to stay in
//                    cache; for each block, and each ROWS elements of the run, it holds ROWS × COLUMNS vectors
//                    of sums in registers, loads COLUMNS vectors of dy and broadcasts ROWS values of x a pixel.
//   filter_reduce    Adds the splits in order (convolution2d_filter_reduce.cl).
//
// Buffers: x [N][H][W][C]; dy [N][H′][W′][O]; partial [splits][KH·KW·C + 1][O], the last row the bias's.
// Constants: LANES, ROWS, COLUMNS; DILATION_HEIGHT and DILATION_WIDTH, e where it is not 1.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifdef DILATION_WIDTH
#define RUNS g.kernel_width
#define RUN_TAPS 1
#else
#define DILATION_WIDTH 1
#define RUNS 1
#define RUN_TAPS g.kernel_width
#endif

#define TILE_CHANNELS (COLUMNS * LANES)

// The first pixel whose place `position · stride − padding + offset` is at least zero.
static inline int first_inside(int offset, int stride, int padding) {
    return max(0, (padding - offset + stride - 1) / stride);
}

// The first pixel from which on that place is `length` or more.
static inline int first_outside(int offset, int stride, int padding, int length, int pixels) {
    const int room = length + padding - offset;
    return room <= 0 ? 0 : min(pixels, (room + stride - 1) / stride);
}

// sums += x values given by VALUE(m) × dy's next pixel.
#define ACCUMULATE(VALUE)                                                        \
    {                                                                            \
        lanes d[COLUMNS];                                                        \
        UNROLL for (int v = 0; v < COLUMNS; v++)                                 \
            d[v] = whole ? LOAD(gradient + v * LANES)                            \
                         : load_first(gradient + v * LANES, count - v * LANES);  \
        UNROLL for (int m = 0; m < ROWS; m++) {                                  \
            lanes value = (lanes)(VALUE(m));                                     \
            UNROLL for (int v = 0; v < COLUMNS; v++)                             \
                sums[m][v] = fma(value, d[v], sums[m][v]);                       \
        }                                                                        \
    }
#define INSIDE_VALUE(m) run[m]
#define EDGE_VALUE(m) (r + m < run_length && (uint)(left + m) < (uint)row_length ? run[m] : 0.0f)

__kernel WORK_GROUP
void convolution2d_filter_gradient(__global const float *restrict x, __global const float *restrict dy,
                                   __global float *restrict partial, const FilterGradientGeometry g) {
    const int t = get_global_id(0) / RUNS, u = get_global_id(0) % RUNS;
    const int channel = get_global_id(1) * TILE_CHANNELS;
    const int split = get_global_id(2);
    const int count = g.output_channels - channel;
    const bool whole = count >= TILE_CHANNELS;
    const int row_length = g.width * g.channels;
    const int run_length = RUN_TAPS * g.channels;
    const int filter_rows = g.kernel_height * g.kernel_width * g.channels;
    const int right = u * DILATION_WIDTH;
    const int step = g.stride_width * g.channels;

    const int first_image = (int)((long)g.images * split / g.splits);
    const int end_image = (int)((long)g.images * (split + 1) / g.splits);
    const int first_i = first_inside(t * DILATION_HEIGHT, g.stride_height, g.padding_height);
    const int end_i = first_outside(t * DILATION_HEIGHT, g.stride_height, g.padding_height, g.height, g.output_height);
    // Columns whose whole run is inside the image.
    const int first_j = min(first_inside(right, g.stride_width, g.padding_width), g.output_width);
    const int end_j = max(first_j, first_outside(right + RUN_TAPS - 1, g.stride_width, g.padding_width,
                                                 g.width, g.output_width));
    __global float *sums_of_split = partial + (size_t)split * (filter_rows + 1) * g.output_channels + channel;

    for (int block = first_image; block < end_image; block += g.block_images) {
        const int end_block = min(block + g.block_images, end_image);
        for (int r = 0; r < run_length; r += ROWS) {
            __global float *stored = sums_of_split + ((size_t)get_global_id(0) * run_length + r) * g.output_channels;
            const bool partial_run = r + ROWS > run_length;
            lanes sums[ROWS][COLUMNS];
            UNROLL for (int m = 0; m < ROWS; m++)
                UNROLL for (int v = 0; v < COLUMNS; v++)
                    sums[m][v] = block > first_image && r + m < run_length && count > v * LANES
                                     ? load_first(stored + m * g.output_channels + v * LANES, count - v * LANES)
                                     : (lanes)(0.0f);
            for (int n = block; n < end_block; n++) {
                for (int i = first_i; i < end_i; i++) {
                    const int y = i * g.stride_height - g.padding_height + t * DILATION_HEIGHT;
                    __global const float *gradient =
                        dy + ((size_t)n * g.output_height + i) * g.output_width * g.output_channels + channel;
                    int left = r + (right - g.padding_width) * g.channels;
                    __global const float *run = x + ((size_t)n * g.height + y) * row_length + left;
                    const int end_left_edge = partial_run ? g.output_width : first_j;
                    const int end_inside = partial_run ? g.output_width : end_j;
                    int j = 0;
                    for (; j < end_left_edge; j++, left += step, run += step, gradient += g.output_channels)
                        ACCUMULATE(EDGE_VALUE)
                    for (; j < end_inside; j++, left += step, run += step, gradient += g.output_channels)
                        ACCUMULATE(INSIDE_VALUE)
                    for (; j < g.output_width; j++, left += step, run += step, gradient += g.output_channels)
                        ACCUMULATE(EDGE_VALUE)
                }
            }
            UNROLL for (int m = 0; m < ROWS; m++)
                UNROLL for (int v = 0; v < COLUMNS; v++)
                    if (r + m < run_length && count > v * LANES)
                        store_first(sums[m][v], stored + m * g.output_channels + v * LANES, count - v * LANES);
        }
    }

    if (g.has_bias && get_global_id(0) == 0) {
        const int pixels = g.output_height * g.output_width;
        __global const float *gradient = dy + (size_t)first_image * pixels * g.output_channels + channel;
        lanes sums[COLUMNS];
        UNROLL for (int v = 0; v < COLUMNS; v++) sums[v] = (lanes)(0.0f);
        for (int pixel = 0; pixel < (end_image - first_image) * pixels; pixel++) {
            UNROLL for (int v = 0; v < COLUMNS; v++)
                if (count > v * LANES) sums[v] += load_first(gradient + v * LANES, count - v * LANES);
            gradient += g.output_channels;
        }
        UNROLL for (int v = 0; v < COLUMNS; v++)
            if (count > v * LANES)
                store_first(sums[v], sums_of_split + (size_t)filter_rows * g.output_channels + v * LANES,
                            count - v * LANES);
    }
}
