// Depthwise convolution, a filter for each channel, and its gradients: with MULTIPLIER results a channel, o = c·M + m,
//
//     y[n, i, j, o]  = Σ over t, u of x[n, i·s + t·e − p, j·s + u·e − q, ⌊o / M⌋] · w[t, u, o]
//     dx[n, y, x, c] = Σ over t, u, m of dy[n, i, j, c·M + m] · w[t, u, c·M + m],  i·s + t·e = y + p, j·s + u·e = x + q
//     dw[t, u, o]    = Σ over n, i, j of x[n, i·s + t·e − p, j·s + u·e − q, ⌊o / M⌋] · dy[n, i, j, o]
//     db[o]          = Σ over n, i, j of dy[n, i, j, o]
//
// Vectors go along channels. A work-item holds PIXELS neighbouring pixels of a row in registers, and with them a row of
// the filter: each pixel that lies under it is loaded once for all that it has a part in, and the time is that of
// memory.
//
// Work-items: global (channel workers, column workers, row workers). A work-item takes its share of the rows (n, i),
// every size(1)-th run of PIXELS of a row and every size(0)-th vector of its channels, so that a CPU runs whole rows,
// many at a time (sizes 1, 1), and a GPU one run a work-item, neighbouring channels side by side. Not so the filter's
// gradient.
//
// Buffers: x [N][H][W][C]; w [KH][KW][O]; bias [O]; y, dy, addend and operand as the result [N][H′][W′][O], or the
// image. Constants: LANES; PIXELS, a multiple of STRIDE for the image's gradient; KERNEL_WIDTH; STRIDE and DILATION
// along a row; MULTIPLIER.

#if LONG_WORK_ITEMS
#define FOR_EACH_ROW(row, rows)                                                                     \
    for (int row = (int)((long)(rows) * get_global_id(2) / get_global_size(2)),                     \
             end_row = (int)((long)(rows) * (get_global_id(2) + 1) / get_global_size(2));           \
         row < end_row; row++)
#else
#define FOR_EACH_ROW(row, rows) for (int row = get_global_id(2); row < (rows); row += get_global_size(2))
#endif

// Of `columns`, each time the first of PIXELS.
#define FOR_EACH_RUN(column, columns) \
    for (int column = get_global_id(1) * PIXELS; column < (columns); column += get_global_size(1) * PIXELS)

// Filters are rounded to what activations are stored as, see Sources/Graph/MixedPrecision.swift.
#if MIXED
#define ROUND_FILTER(w) lanes_from_stored(lanes_to_stored(w))
#else
#define ROUND_FILTER(w) (w)
#endif

// Of a pixel's channels ⌊o / M⌋ for `count` results from `channel` on; and of its channels c·M + m for `count` c.
#if MULTIPLIER == 1
#define SPREAD(pixel, channel, count) load_first((pixel) + (channel), count)
#define EVERY(pixel, channel, m, count) load_first((pixel) + (channel), count)
#else
#define SPREAD(pixel, channel, count) gathered(pixel, channel, 1, MULTIPLIER, count)
#define EVERY(pixel, channel, m, count) gathered((pixel) + (m), channel, MULTIPLIER, 1, count)
#define GATHERED(T, LOAD_OF)                                                                        \
    OVERLOADED lanes gathered(T pixel, int first, int factor, int divisor, int count) {             \
        float values[LANES];                                                                        \
        for (int lane = 0; lane < LANES; lane++)                                                    \
            values[lane] = lane < count ? LOAD_OF(pixel + (first + lane) * factor / divisor) : 0.0f; \
        return JOIN(vload, LANES)(0, values);                                                       \
    }
GATHERED(__global const activation *, LOAD_ONE)
#if MIXED
#define LOAD_FLOAT(pointer) (*(pointer))
GATHERED(__global const float *, LOAD_FLOAT)
#endif
#endif

// Columns of the image under a run.
#define COLUMNS_READ ((PIXELS - 1) * STRIDE + (KERNEL_WIDTH - 1) * DILATION + 1)

// VALUE(q) of those columns, each times the taps that bring it to a pixel of the run.
#define SUM_TAPS(VALUE)                                                                             \
    UNROLL for (int q = 0; q < COLUMNS_READ; q++) {                                                 \
        const lanes value = VALUE(q);                                                               \
        UNROLL for (int u = 0; u < KERNEL_WIDTH; u++) {                                             \
            const int ahead = q - u * DILATION;                                                     \
            if (ahead >= 0 && ahead % STRIDE == 0 && ahead / STRIDE < PIXELS)                       \
                sums[ahead / STRIDE] = fma(value, w[u], sums[ahead / STRIDE]);                      \
        }                                                                                           \
    }
#define INSIDE_VALUE(q) SPREAD(line + (q) * g.channels, channel, LANES)
#define EDGE_VALUE(q)                                                                               \
    ((uint)(left + (q)) < (uint)g.width ? SPREAD(line + (q) * g.channels, channel, count) : (lanes)(0.0f))

__kernel WORK_GROUP
void depthwise_convolution2d(__global const activation *restrict x, __global const float *restrict filter,
                             __global const float *restrict bias, __global const activation *restrict addend,
                             __global const activation *restrict operand, __global activation *restrict y,
                             const GroupedGeometry g) {
    FOR_EACH_ROW(row, g.images * g.output_height) {
        const int n = row / g.output_height, top = row % g.output_height * g.stride_height - g.padding_height;
        FOR_EACH_RUN(first, g.output_width) {
            const int left = first * STRIDE - g.padding_width;
            const bool is_inside = left >= 0 && left + COLUMNS_READ <= g.width;
            FOR_EACH_CHANNELS(channel, count, g.output_channels) {
                lanes sums[PIXELS];
                UNROLL for (int m = 0; m < PIXELS; m++) sums[m] = (lanes)(0.0f);
                for (int t = 0; t < g.kernel_height; t++) {
                    const int at = top + t * g.dilation_height;
                    if ((uint)at >= (uint)g.height) continue;
                    __global const activation *line = x + (((long)n * g.height + at) * g.width + left) * g.channels;
                    lanes w[KERNEL_WIDTH];
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        w[u] = ROUND_FILTER(load_first(
                            filter + (size_t)(t * KERNEL_WIDTH + u) * g.output_channels + channel, count));
                    if (is_inside && count >= LANES)
                        SUM_TAPS(INSIDE_VALUE)
                    else
                        SUM_TAPS(EDGE_VALUE)
                }
                UNROLL for (int m = 0; m < PIXELS; m++) {
                    if (first + m >= g.output_width) continue;
                    const size_t to = ((size_t)row * g.output_width + first + m) * g.output_channels + channel;
                    const lanes sum = with_offset(sums[m], bias + channel, g.output_channels, count, g.offset_kind);
                    store_first(with_epilogue(sum, g.epilogue, addend + to, operand + to, count), y + to, count);
                }
            }
        }
    }
}

// The image's gradient. A run begins at a multiple of the stride, counted from the padding's edge, so that each pixel's
// taps are known: those u with u·e ≡ its place (mod s), of columns LOWEST to HIGHEST of dy, relative to the run.
#define LOWEST (-((KERNEL_WIDTH - 1) * DILATION / STRIDE))
#define HIGHEST ((PIXELS - 1) / STRIDE)
#define SPREAD_TAPS(VALUE)                                                                          \
    UNROLL for (int q = LOWEST; q <= HIGHEST; q++) {                                                \
        const lanes value = VALUE(q);                                                               \
        UNROLL for (int u = 0; u < KERNEL_WIDTH; u++) {                                             \
            const int place = q * STRIDE + u * DILATION;                                            \
            if (place >= 0 && place < PIXELS) sums[place] = fma(value, w[u], sums[place]);          \
        }                                                                                           \
    }
#define INSIDE_GRADIENT(q) EVERY(line + (q) * g.output_channels, channel, m, LANES)
#define EDGE_GRADIENT(q)                                                                            \
    ((uint)(column + (q)) < (uint)g.output_width ? EVERY(line + (q) * g.output_channels, channel, m, count) \
                                                 : (lanes)(0.0f))

__kernel WORK_GROUP
void depthwise_convolution2d_input_gradient(__global const activation *restrict dy,
                                            __global const float *restrict filter,
                                            __global const activation *restrict addend,
                                            __global const activation *restrict operand,
                                            __global activation *restrict dx, const GroupedGeometry g) {
    const int before = g.padding_width / STRIDE * STRIDE;           // columns of the padding that no run needs
    FOR_EACH_ROW(row, g.images * g.height) {
        const int n = row / g.height, bottom = row % g.height + g.padding_height;
        FOR_EACH_RUN(from, g.padding_width - before + g.width) {
            const int first = from + before, column = first / STRIDE;
            const bool is_inside = column + LOWEST >= 0 && column + HIGHEST < g.output_width;
            FOR_EACH_CHANNELS(channel, count, g.channels) {
                lanes sums[PIXELS];
                UNROLL for (int m = 0; m < PIXELS; m++) sums[m] = (lanes)(0.0f);
                for (int t = 0; t < g.kernel_height; t++) {
                    const int steps = bottom - t * g.dilation_height, i = steps / g.stride_height;
                    if (steps < 0 || steps % g.stride_height || i >= g.output_height) continue;
                    __global const activation *line =
                        dy + (((long)n * g.output_height + i) * g.output_width + column) * g.output_channels;
                    for (int m = 0; m < MULTIPLIER; m++) {
                        lanes w[KERNEL_WIDTH];
                        UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                            w[u] = ROUND_FILTER(EVERY(filter + (size_t)(t * KERNEL_WIDTH + u) * g.output_channels,
                                                      channel, m, count));
                        if (is_inside && count >= LANES)
                            SPREAD_TAPS(INSIDE_GRADIENT)
                        else
                            SPREAD_TAPS(EDGE_GRADIENT)
                    }
                }
                UNROLL for (int m = 0; m < PIXELS; m++) {
                    const int at = first + m - g.padding_width;
                    if (at < 0 || at >= g.width) continue;
                    const size_t to = ((size_t)row * g.width + at) * g.channels + channel;
                    store_first(with_epilogue(sums[m], g.epilogue, addend + to, operand + to, count), dx + to, count);
                }
            }
        }
    }
}

// The filter's gradient, of parts of the rows (n, i) that are added up behind it in order: partial [splits][KH·KW +
// 1][O], the last row the bias's. A run of dy is held in registers and multiplied by the columns of the image under it.
#define SUM_PRODUCTS(VALUE)                                                                         \
    UNROLL for (int q = 0; q < COLUMNS_READ; q++) {                                                 \
        const lanes value = VALUE(q);                                                               \
        UNROLL for (int u = 0; u < KERNEL_WIDTH; u++) {                                             \
            const int ahead = q - u * DILATION;                                                     \
            if (ahead >= 0 && ahead % STRIDE == 0 && ahead / STRIDE < PIXELS)                       \
                sums[u] = fma(value, d[ahead / STRIDE], sums[u]);                                   \
        }                                                                                           \
    }
#define LOAD_RUN(d)                                                                                 \
    UNROLL for (int m = 0; m < PIXELS; m++)                                                         \
        d[m] = first + m < g.output_width                                                           \
                   ? load_first(dy + ((size_t)row * g.output_width + first + m) * g.output_channels + channel, count) \
                   : (lanes)(0.0f);
#define FIRST_ROW(split) (int)((long)g.images * g.output_height * (split) / g.splits)

#if LONG_WORK_ITEMS
// Work-items: global (splits). The sums of all taps and channels stay in a core's cache: this split's partial sums.
__kernel WORK_GROUP
void depthwise_convolution2d_filter_gradient(__global const activation *restrict x,
                                             __global const activation *restrict dy, __global float *partial,
                                             const GroupedGeometry g) {
    const int split = get_global_id(0), count_a_split = (g.kernel_height * KERNEL_WIDTH + 1) * g.output_channels;
    __global float *stored = partial + (size_t)split * count_a_split;
    for (int e = 0; e < count_a_split; e += LANES) store_first((lanes)(0.0f), stored + e, count_a_split - e);
    for (int row = FIRST_ROW(split); row < FIRST_ROW(split + 1); row++) {
        const int n = row / g.output_height, top = row % g.output_height * g.stride_height - g.padding_height;
        for (int first = 0; first < g.output_width; first += PIXELS) {
            const int left = first * STRIDE - g.padding_width;
            const bool is_inside = left >= 0 && left + COLUMNS_READ <= g.width;
            for (int channel = 0; channel < g.output_channels; channel += LANES) {
                const int count = g.output_channels - channel;
                lanes d[PIXELS];
                LOAD_RUN(d)
                for (int t = 0; t < g.kernel_height; t++) {
                    const int at = top + t * g.dilation_height;
                    if ((uint)at >= (uint)g.height) continue;
                    __global const activation *line = x + (((long)n * g.height + at) * g.width + left) * g.channels;
                    __global float *to = stored + t * KERNEL_WIDTH * g.output_channels + channel;
                    lanes sums[KERNEL_WIDTH];
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        sums[u] = load_first(to + u * g.output_channels, count);
                    if (is_inside && count >= LANES)
                        SUM_PRODUCTS(INSIDE_VALUE)
                    else
                        SUM_PRODUCTS(EDGE_VALUE)
                    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
                        store_first(sums[u], to + u * g.output_channels, count);
                }
                if (!g.has_bias) continue;
                __global float *to = stored + g.kernel_height * KERNEL_WIDTH * g.output_channels + channel;
                lanes sum = load_first(to, count);
                UNROLL for (int m = 0; m < PIXELS; m++) sum += d[m];
                store_first(sum, to, count);
            }
        }
    }
}
#else
// Work-items: global (channel vectors, rows t of the filter, splits). Each holds the sums of its row of the filter.
__kernel void depthwise_convolution2d_filter_gradient(__global const activation *restrict x,
                                                      __global const activation *restrict dy,
                                                      __global float *restrict partial, const GroupedGeometry g) {
    const int channel = get_global_id(0) * LANES, count = g.output_channels - channel;
    const int t = get_global_id(1), split = get_global_id(2);
    if (count <= 0) return;
    lanes sums[KERNEL_WIDTH], bias_sum = (lanes)(0.0f);
    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++) sums[u] = (lanes)(0.0f);
    for (int row = FIRST_ROW(split); row < FIRST_ROW(split + 1); row++) {
        const int n = row / g.output_height;
        const int at = row % g.output_height * g.stride_height - g.padding_height + t * g.dilation_height;
        const bool is_on_image = (uint)at < (uint)g.height;
        for (int first = 0; first < g.output_width; first += PIXELS) {
            const int left = first * STRIDE - g.padding_width;
            __global const activation *line = x + (((long)n * g.height + at) * g.width + left) * g.channels;
            lanes d[PIXELS];
            LOAD_RUN(d)
            if (t == 0) UNROLL for (int m = 0; m < PIXELS; m++) bias_sum += d[m];
            if (is_on_image) SUM_PRODUCTS(EDGE_VALUE)
        }
    }
    __global float *stored =
        partial + (size_t)split * (g.kernel_height * KERNEL_WIDTH + 1) * g.output_channels + channel;
    UNROLL for (int u = 0; u < KERNEL_WIDTH; u++)
        store_first(sums[u], stored + (t * KERNEL_WIDTH + u) * g.output_channels, count);
    if (t == 0) store_first(bias_sum, stored + g.kernel_height * KERNEL_WIDTH * g.output_channels, count);
}
#endif
