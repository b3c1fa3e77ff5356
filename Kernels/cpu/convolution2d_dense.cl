// Dense layers on few images, for CPUs: 1 × 1 convolutions of images of one pixel, where reading the filter is most of
// the work: it is read once and as it lies.
//
//     y[p, o]  = Σ over k of x[p, k] · w[k, o]
//     dx[p, k] = Σ over o of dy[p, o] · w[k, o]
//     dw[k, o] = Σ over p of x[p, k] · dy[p, o],          db[o] = Σ over p of dy[p, o]
//
// Buffers: x and dx [P][K]; w and dw [K][O]; bias and db [O]; y, dy and mask [P][O]. P is `images`, K `channels`, O
// `output_channels`.
// Constants: LANES, IMAGES, ROWS (of the filter) and COLUMNS (vectors of its outputs): two of the three are the edges
// of a register tile of sums.

// Rows of the filter that come into the cache while one is copied.
#define AHEAD 8

// `count` rows of the filter from `k` on, under `width` channels from `first` on, zeros past the last channel.
static inline void copy_weights(__local float *restrict to, __global const float *restrict filter, int k, int count,
                                int first, int width, const PatchGeometry *g) {
    __global const float *from = filter + (size_t)k * g->output_channels + first;
    for (int row = 0; row < count; row++, from += g->output_channels) {
        if (k + row + AHEAD < g->channels)
            prefetch_floats(from + (size_t)AHEAD * g->output_channels, min(width, g->output_channels - first));
        for (int o = 0; o < width; o += LANES)
            STORE(load_first(from + o, max(g->output_channels - first - o, 0)), to + row * width + o);
    }
}

// Forward. A work-item makes a group of channel tiles, `block` rows of the filter at a time.
// Work-items: global (groups). Local: weights [block][group channels], totals [images][group channels].
__kernel WORK_GROUP
void dense(__global const float *restrict x, __global const float *restrict filter, __global const float *restrict bias,
           __global const float *restrict addend, __global const float *restrict mask, __global float *restrict y,
           __local float *restrict weights, __local float *restrict totals, const PatchGeometry g) {
    const int width = g.group_tiles * TILE_CHANNELS, first = get_global_id(0) * width;
    for (int e = 0; e < g.images * width; e += LANES) STORE((lanes)(0.0f), totals + e);

    for (int k = 0; k < g.channels; k += g.block) {
        const int count = min(g.block, g.channels - k);
        copy_weights(weights, filter, k, count, first, width, &g);
        for (int tile = 0; tile < width; tile += TILE_CHANNELS)
            for (int p = 0; p < g.images; p += IMAGES) {
                __global const float *values[IMAGES];
                __local float *total[IMAGES];
                lanes sums[IMAGES][COLUMNS];
                UNROLL for (int m = 0; m < IMAGES; m++) {
                    const int image = min(p + m, g.images - 1);
                    values[m] = x + (size_t)image * g.channels + k;
                    total[m] = totals + image * width + tile;
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = LOAD(total[m] + v * LANES);
                }
                __local const float *w = weights + tile;
                for (int row = 0; row < count; row++, w += width) {
                    lanes column[COLUMNS];
                    UNROLL for (int v = 0; v < COLUMNS; v++) column[v] = LOAD(w + v * LANES);
                    UNROLL for (int m = 0; m < IMAGES; m++) {
                        const lanes value = (lanes)(values[m][row]);
                        UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, column[v], sums[m][v]);
                    }
                }
                // Past the last image the same sum is stored once more.
                UNROLL for (int m = 0; m < IMAGES; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) STORE(sums[m][v], total[m] + v * LANES);
            }
    }

    for (int p = 0; p < g.images; p++)
        for (int o = 0; o < width; o += LANES) {
            const int channel = first + o, count = g.output_channels - channel;
            const size_t at = (size_t)p * g.output_channels + channel;
            if (count > 0)
                store_first(
                    finished(LOAD(totals + p * width + o), bias + channel, addend + at, mask + at, count, &g), y + at,
                    count);
        }
}

static inline float sum_of_lanes(lanes x) {
    float values[LANES], sum = 0.0f;
    JOIN(vstore, LANES)(x, 0, values);
    for (int lane = 0; lane < LANES; lane++) sum += values[lane];
    return sum;
}

// Input gradient. A work-item takes `block` rows of the filter, ROWS at a time, by IMAGES images at a time; a sum is
// made lane by lane, and its lanes are added last. Work-items: global (⌈K / block⌉).
__kernel WORK_GROUP
void dense_input_gradient(__global const float *restrict dy, __global const float *restrict filter,
                          __global const float *restrict addend, __global const float *restrict mask,
                          __global float *restrict dx, const PatchGeometry g) {
    const int outputs = g.output_channels, first = get_global_id(0) * g.block;
    const int end = min(first + g.block, g.channels);
    for (int k = first; k < end; k += ROWS)
        for (int p = 0; p < g.images; p += IMAGES) {
            __global const float *w[ROWS], *gradient[IMAGES];
            lanes sums[ROWS][IMAGES];
            UNROLL for (int m = 0; m < ROWS; m++) {
                w[m] = filter + (size_t)min(k + m, g.channels - 1) * outputs;
                UNROLL for (int v = 0; v < IMAGES; v++) sums[m][v] = (lanes)(0.0f);
            }
            UNROLL for (int v = 0; v < IMAGES; v++) gradient[v] = dy + (size_t)min(p + v, g.images - 1) * outputs;
            for (int o = 0; o < outputs; o += LANES) {
                const int count = outputs - o;
                lanes d[IMAGES];
                UNROLL for (int v = 0; v < IMAGES; v++) d[v] = load_first(gradient[v] + o, count);
                UNROLL for (int m = 0; m < ROWS; m++) {
                    const lanes row = load_first(w[m] + o, count);
                    UNROLL for (int v = 0; v < IMAGES; v++) sums[m][v] = fma(row, d[v], sums[m][v]);
                }
            }
            UNROLL for (int m = 0; m < ROWS; m++)
                UNROLL for (int v = 0; v < IMAGES; v++)
                    if (k + m < end && p + v < g.images) {
                        const size_t at = (size_t)(p + v) * g.channels + k + m;
                        dx[at] =
                            with_epilogue_one(sum_of_lanes(sums[m][v]), g.epilogue, addend + at, mask + at);
                    }
        }
}

// Filter and bias gradient. A work-item makes `block` whole rows of dw, for that is how they lie in memory.
// Work-items: global (⌈K / block⌉). Local: values [images][block], of which ROWS divides the block.
__kernel WORK_GROUP
void dense_filter_gradient(__global const float *restrict x, __global const float *restrict dy,
                           __global float *restrict dw, __global float *restrict db, __local float *restrict values,
                           const PatchGeometry g) {
    const int outputs = g.output_channels, first = get_global_id(0) * g.block;
    const int rows = min(g.block, g.channels - first);
    for (int p = 0; p < g.images; p++)
        for (int row = 0; row < g.block; row++)
            values[p * g.block + row] = row < rows ? x[(size_t)p * g.channels + first + row] : 0.0f;

    for (int row = 0; row < rows; row += ROWS)
        for (int channel = 0; channel < outputs; channel += TILE_CHANNELS) {
            lanes sums[ROWS][COLUMNS];
            UNROLL for (int m = 0; m < ROWS; m++)
                UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
            __global const float *gradient = dy + channel;
            __local const float *value = values + row;
            for (int p = 0; p < g.images; p++, gradient += outputs, value += g.block) {
                lanes d[COLUMNS];
                UNROLL for (int v = 0; v < COLUMNS; v++)
                    d[v] = load_first(gradient + v * LANES, max(outputs - channel - v * LANES, 0));
                UNROLL for (int m = 0; m < ROWS; m++) {
                    const lanes each = (lanes)(value[m]);
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(each, d[v], sums[m][v]);
                }
            }
            lanes results[ROWS][COLUMNS];
            COPY_TILE(results, sums)
            for (int m = 0; m < min(ROWS, rows - row); m++)
                for (int v = 0; v < COLUMNS; v++) {
                    const int count = outputs - channel - v * LANES;
                    if (count <= 0) continue;
                    const size_t at = (size_t)(first + row + m) * outputs + channel + v * LANES;
                    store_first(results[m][v], dw + at, count);
                }
        }

    if (!g.has_bias || first > 0) return;
    for (int channel = 0; channel < outputs; channel += LANES) {
        lanes sum = (lanes)(0.0f);
        for (int p = 0; p < g.images; p++)
            sum += load_first(dy + (size_t)p * outputs + channel, outputs - channel);
        store_first(sum, db + channel, outputs - channel);
    }
}
