// Minimal filtering (winograd.cl) on CPUs. Work-items go through blocks of tiles, so that what is transformed stays in
// a core's cache.
//
// Buffers: image [N][H][W][C]; result [N][H′][W′][O]; the rest is said at the kernels. `vectors` is the number of
// vectors of LANES that hold the channels that are summed over.
// Constants: those of winograd.cl; ROWS (tiles a register tile, of which a block has several; of the filter gradient
// channels), COLUMNS (vectors of output channels a register tile), GRADIENT_BLOCK (tiles a block of that gradient).

#define TILE_CHANNELS (COLUMNS * LANES)

// How far one frequency's values stand behind the last one's: a vector more than they take, for at a multiple of 4 KiB
// all frequencies of a tile would compete for one set of the cache.
#define APART(count) ((count) + LANES)

// Transforms in two dimensions are loops over rows and then over columns that stay loops: their values would not fit
// into the registers anyway, and unrolled they would take a compiler seconds.

// The rows of x·Bᵀ of one vector of channels, zeros outside the image.
static inline void transform_rows(lanes rows[POINTS][POINTS], __global const float *restrict image, Tile tile,
                                  int channel, const WinogradGeometry *g) {
    const int top = tile.row - g->padding_height, left = tile.column - g->padding_width;
    const int count = g->channels - channel;
    const bool inside = left >= 0 && left + POINTS <= g->width;
    __global const float *corner = image + (((long)tile.n * g->height + top) * g->width + left) * g->channels + channel;
    for (int i = 0; i < POINTS; i++) {
        const bool row_inside = (uint)(top + i) < (uint)g->height;
        lanes x[POINTS];
        UNROLL for (int j = 0; j < POINTS; j++) {
            const bool valid = row_inside && (inside || (uint)(left + j) < (uint)g->width);
            x[j] = valid ? load_first(corner + ((long)i * g->width + j) * g->channels, count) : (lanes)(0.0f);
        }
        transform_image(rows[i], x);
    }
}

// The frequencies i of column j from those rows: the last step to B·x·Bᵀ.
static inline void transform_column(lanes *column, lanes rows[POINTS][POINTS], int j) {
    lanes x[POINTS];
    UNROLL for (int i = 0; i < POINTS; i++) x[i] = rows[i][j];
    transform_image(column, x);
}

// The filter [KERNEL][KERNEL][inputs][outputs] as G·w·Gᵀ, for the forward pass, or transposed and mirrored for the
// input gradient: [channel tile][FREQUENCIES][vectors · LANES][TILE_CHANNELS], zeros past the last channels.
// Work-items: global (vectors · LANES, channel tiles).
__kernel WORK_GROUP
void winograd_pack(__global const float *restrict filter, __global float *restrict packed, int inputs, int outputs,
                   int transposed) {
    const int c = get_global_id(0), first = get_global_id(1) * TILE_CHANNELS;
    const int reduced = transposed ? outputs : inputs, channels = transposed ? inputs : outputs;
    __global float *row =
        packed + ((size_t)get_global_id(1) * FREQUENCIES * get_global_size(0) + c) * TILE_CHANNELS;
    const size_t step = get_global_size(0) * TILE_CHANNELS;
    for (int v = 0; v < COLUMNS; v++) {
        const int channel = first + v * LANES, count = channels - channel;
        lanes columns[POINTS][KERNEL];
        for (int j = 0; j < KERNEL; j++) {
            lanes w[KERNEL];
            UNROLL for (int i = 0; i < KERNEL; i++) {
                w[i] = (lanes)(0.0f);
                if (c < reduced && count > 0) {
                    if (!transposed) {
                        w[i] = load_first(filter + ((i * KERNEL + j) * (size_t)inputs + c) * outputs + channel, count);
                    } else {
                        const int tap = KERNEL * KERNEL - 1 - (i * KERNEL + j);
                        __global const float *from = filter + (tap * (size_t)inputs + channel) * outputs + c;
                        float values[LANES];
                        for (int lane = 0; lane < LANES; lane++)
                            values[lane] = lane < count ? from[(size_t)lane * outputs] : 0.0f;
                        w[i] = JOIN(vload, LANES)(0, values);
                    }
                }
            }
            lanes column[POINTS];
            transform_filter(column, w, KERNEL);
            UNROLL for (int i = 0; i < POINTS; i++) columns[i][j] = column[i];
        }
        for (int i = 0; i < POINTS; i++) {
            lanes frequencies[POINTS];
            transform_filter(frequencies, columns[i], KERNEL);
            UNROLL for (int j = 0; j < POINTS; j++)
                STORE(frequencies[j], row + (i * POINTS + j) * step + v * LANES);
        }
    }
}

// sums += ROWS values, LANES apart, for each of `count` rows of the filter.
#define ACCUMULATE(count)                                                                   \
    for (int lane = 0; lane < (count); lane++) {                                            \
        lanes row[COLUMNS];                                                                 \
        UNROLL for (int v = 0; v < COLUMNS; v++) row[v] = LOAD(w + v * LANES);              \
        UNROLL for (int m = 0; m < ROWS; m++) {                                             \
            const lanes value = (lanes)(values[m * LANES + lane]);                          \
            UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, row[v], sums[m][v]); \
        }                                                                                   \
        w += TILE_CHANNELS;                                                                 \
    }

// Forward and input gradient. A work-item transforms its block of tiles; then, for each channel tile, multiplies
// by the filter frequency by frequency, ROWS × COLUMNS vectors of sums in registers, and transforms back.
// Work-items: global (blocks). Local: transformed [FREQUENCIES][vectors][block][LANES], products
// [FREQUENCIES][block][TILE_CHANNELS], frequencies APART in both.
__kernel WORK_GROUP
void winograd_convolution(__global const float *restrict image, __global const float *restrict filter,
                          __global const float *restrict bias, __global const float *restrict addend,
                          __global const float *restrict mask,
                          __global float *restrict result, __local float *restrict transformed,
                          __local float *restrict products, const WinogradGeometry g) {
    const int first = get_global_id(0) * g.block;
    const int tiles = g.images * g.tile_rows * g.tile_columns;
    const int vectors = (g.channels + LANES - 1) / LANES, whole = g.channels / LANES, rest = g.channels % LANES;
    const int transformed_step = APART(vectors * g.block * LANES), products_step = APART(g.block * TILE_CHANNELS);

    for (int t = 0; t < g.block; t++) {
        const Tile tile = tile_at(min(first + t, tiles - 1), &g);
        for (int vector = 0; vector < vectors; vector++) {
            lanes rows[POINTS][POINTS];
            transform_rows(rows, image, tile, vector * LANES, &g);
            __local float *to = transformed + (vector * g.block + t) * LANES;
            for (int j = 0; j < POINTS; j++) {
                lanes column[POINTS];
                transform_column(column, rows, j);
                UNROLL for (int i = 0; i < POINTS; i++)
                    STORE(column[i], to + (i * POINTS + j) * transformed_step);
            }
        }
    }

    __global const float *weights = filter;
    for (int tile_channel = 0; tile_channel < g.result_channels; tile_channel += TILE_CHANNELS) {
        for (int frequency = 0; frequency < FREQUENCIES; frequency++) {
            for (int t = 0; t < g.block; t += ROWS) {
                lanes sums[ROWS][COLUMNS];
                UNROLL for (int m = 0; m < ROWS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
                __global const float *w = weights;
                __local const float *values = transformed + frequency * transformed_step + t * LANES;
                // Unrolled over a whole vector, every address is a constant away from one pointer.
                for (int vector = 0; vector < whole; vector++, values += g.block * LANES)
                    _Pragma("unroll 4") ACCUMULATE(LANES)
                ACCUMULATE(rest)
                __local float *to = products + frequency * products_step + t * TILE_CHANNELS;
                UNROLL for (int m = 0; m < ROWS; m++)
                    UNROLL for (int v = 0; v < COLUMNS; v++) STORE(sums[m][v], to + m * TILE_CHANNELS + v * LANES);
            }
            weights += vectors * LANES * TILE_CHANNELS;
        }
        for (int t = 0; t < min(g.block, tiles - first); t++) {
            const Tile tile = tile_at(first + t, &g);
            for (int v = 0; v < COLUMNS; v++) {
                const int channel = tile_channel + v * LANES, count = g.result_channels - channel;
                if (count <= 0) break;
                lanes rows[OUTPUT][POINTS];
                for (int j = 0; j < POINTS; j++) {
                    lanes m[POINTS], y[OUTPUT];
                    UNROLL for (int i = 0; i < POINTS; i++)
                        m[i] = LOAD(products + (i * POINTS + j) * products_step + t * TILE_CHANNELS + v * LANES);
                    transform_products(y, m, OUTPUT);
                    UNROLL for (int i = 0; i < OUTPUT; i++) rows[i][j] = y[i];
                }
                for (int i = 0; i < min(OUTPUT, g.result_height - tile.row); i++) {
                    lanes y[OUTPUT];
                    transform_products(y, rows[i], OUTPUT);
                    UNROLL for (int j = 0; j < OUTPUT; j++) {
                        if (tile.column + j < g.result_width) {
                            const size_t pixel =
                                ((size_t)tile.n * g.result_height + tile.row + i) * g.result_width + tile.column + j;
                            const size_t at = pixel * g.result_stride + g.result_first + channel;
                            const lanes sum =
                                with_offset(y[j], bias + channel, g.result_channels, count, g.offset_kind);
                            store_first(with_epilogue(sum, g.epilogue, addend + at, mask + at, count), result + at,
                                        count);
                        }
                    }
                }
            }
        }
    }
}

// The filter gradient goes through the batch in chunks of tiles, `count` from `first` on, small enough for the last
// cache: two launches transform, one multiplies; after the last chunk, one transforms back.

// B·x·Bᵀ: transformed [blocks][FREQUENCIES][GRADIENT_BLOCK][vectors · LANES], frequencies APART, zeros past the last
// tile.
// Work-items: global (blocks).
__kernel WORK_GROUP
void winograd_transform_image(__global const float *restrict image, __global float *restrict transformed, int first,
                              int count, const WinogradGeometry g) {
    const int vectors = (g.channels + LANES - 1) / LANES, start = get_global_id(0) * GRADIENT_BLOCK;
    const int step = APART(GRADIENT_BLOCK * vectors * LANES);
    __global float *block = transformed + (size_t)get_global_id(0) * FREQUENCIES * step;
    for (int t = 0; t < GRADIENT_BLOCK; t++) {
        const Tile tile = tile_at(first + start + t, &g);
        for (int vector = 0; vector < vectors; vector++) {
            __global float *to = block + (t * vectors + vector) * LANES;
            if (start + t >= count) {
                for (int frequency = 0; frequency < FREQUENCIES; frequency++)
                    STORE((lanes)(0.0f), to + frequency * step);
                continue;
            }
            lanes rows[POINTS][POINTS];
            transform_rows(rows, image, tile, vector * LANES, &g);
            for (int j = 0; j < POINTS; j++) {
                lanes column[POINTS];
                transform_column(column, rows, j);
                UNROLL for (int i = 0; i < POINTS; i++) STORE(column[i], to + (i * POINTS + j) * step);
            }
        }
    }
}

// G·dy·Gᵀ: transformed [blocks][FREQUENCIES][channel tiles][GRADIENT_BLOCK][TILE_CHANNELS], frequencies APART, zeros
// past the last tile.
// Work-items: global (blocks).
__kernel WORK_GROUP
void winograd_transform_gradient(__global const float *restrict dy, __global float *restrict transformed, int first,
                                 int count, const WinogradGeometry g) {
    const int channel_tiles = (g.result_channels + TILE_CHANNELS - 1) / TILE_CHANNELS;
    const int start = get_global_id(0) * GRADIENT_BLOCK;
    const int step = APART(channel_tiles * GRADIENT_BLOCK * TILE_CHANNELS);
    __global float *block = transformed + (size_t)get_global_id(0) * FREQUENCIES * step;
    for (int t = 0; t < GRADIENT_BLOCK; t++) {
        const Tile tile = tile_at(first + start + t, &g);
        for (int channel = 0; channel < channel_tiles * TILE_CHANNELS; channel += LANES) {
            const int left = g.result_channels - channel;
            lanes rows[OUTPUT][POINTS];
            for (int i = 0; i < OUTPUT; i++) {
                lanes x[OUTPUT];
                UNROLL for (int j = 0; j < OUTPUT; j++) {
                    const bool valid = start + t < count && left > 0 && tile.row + i < g.result_height &&
                                       tile.column + j < g.result_width;
                    const size_t pixel =
                        ((size_t)tile.n * g.result_height + tile.row + i) * g.result_width + tile.column + j;
                    x[j] = valid ? load_first(dy + pixel * g.result_channels + channel, left) : (lanes)(0.0f);
                }
                transform_filter(rows[i], x, OUTPUT);
            }
            const int channel_tile = channel / TILE_CHANNELS;
            __global float *to =
                block + (channel_tile * GRADIENT_BLOCK + t) * TILE_CHANNELS + channel % TILE_CHANNELS;
            for (int j = 0; j < POINTS; j++) {
                lanes x[OUTPUT], column[POINTS];
                UNROLL for (int i = 0; i < OUTPUT; i++) x[i] = rows[i][j];
                transform_filter(column, x, OUTPUT);
                UNROLL for (int i = 0; i < POINTS; i++)
                    STORE(column[i], to + (i * POINTS + j) * step);
            }
        }
    }
}

// products [FREQUENCIES][channel tiles][channels][TILE_CHANNELS] += image · gradient over the chunk's tiles, ROWS ×
// COLUMNS vectors of sums in registers; behind them [channel tiles][TILE_CHANNELS], the bias's gradient.
// Work-items: global (channel tiles, FREQUENCIES).
__kernel WORK_GROUP
void winograd_multiply(__global const float *restrict image, __global const float *restrict gradient,
                       __global float *restrict products, int channels, int count, int is_first) {
    const int channel_tiles = get_global_size(0), frequency = get_global_id(1);
    const int stride = (channels + LANES - 1) / LANES * LANES, blocks = (count + GRADIENT_BLOCK - 1) / GRADIENT_BLOCK;
    const size_t panel = (size_t)frequency * channel_tiles + get_global_id(0);
    const int values_step = APART(GRADIENT_BLOCK * stride);
    const int gradients_step = APART(channel_tiles * GRADIENT_BLOCK * TILE_CHANNELS);
    const size_t block_values = (size_t)FREQUENCIES * values_step;
    const size_t block_gradients = (size_t)FREQUENCIES * gradients_step;
    __global const float *first_gradients =
        gradient + frequency * gradients_step + get_global_id(0) * GRADIENT_BLOCK * TILE_CHANNELS;
    __global float *stored = products + panel * channels * TILE_CHANNELS;

    for (int c = 0; c < channels; c += ROWS) {
        lanes sums[ROWS][COLUMNS];
        UNROLL for (int m = 0; m < ROWS; m++)
            UNROLL for (int v = 0; v < COLUMNS; v++)
                sums[m][v] = is_first || c + m >= channels ? (lanes)(0.0f)
                                                           : LOAD(stored + (c + m) * TILE_CHANNELS + v * LANES);
        for (int block = 0; block < blocks; block++) {
            __global const float *gradients = first_gradients + block * block_gradients;
            __global const float *values = image + block * block_values + frequency * values_step + c;
            for (int t = 0; t < GRADIENT_BLOCK; t++) {
                lanes d[COLUMNS];
                UNROLL for (int v = 0; v < COLUMNS; v++) d[v] = LOAD(gradients + v * LANES);
                UNROLL for (int m = 0; m < ROWS; m++) {
                    // The workspace has room for the values past the last channel, which nobody stores.
                    const lanes value = (lanes)(values[m]);
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, d[v], sums[m][v]);
                }
                gradients += TILE_CHANNELS;
                values += stride;
            }
        }
        UNROLL for (int m = 0; m < ROWS; m++)
            UNROLL for (int v = 0; v < COLUMNS; v++)
                if (c + m < channels) STORE(sums[m][v], stored + (c + m) * TILE_CHANNELS + v * LANES);
    }

    if (frequency == SUM_FREQUENCY) {
        const size_t products_rows = (size_t)FREQUENCIES * channel_tiles * channels;
        __global float *bias = products + (products_rows + get_global_id(0)) * TILE_CHANNELS;
        for (int v = 0; v < COLUMNS; v++) {
            lanes sum = is_first ? (lanes)(0.0f) : LOAD(bias + v * LANES);
            for (int block = 0; block < blocks; block++)
                for (int t = 0; t < GRADIENT_BLOCK; t++)
                    sum += LOAD(first_gradients + block * block_gradients + t * TILE_CHANNELS + v * LANES);
            STORE(sum, bias + v * LANES);
        }
    }
}

// dw [KERNEL][KERNEL][channels][outputs] and db [outputs] from the products.
// Work-items: global (channels, channel tiles).
__kernel WORK_GROUP
void winograd_filter_gradient(__global const float *restrict products, __global float *restrict dw,
                              __global float *restrict db, int channels, int outputs, int has_bias) {
    const int c = get_global_id(0), channel_tile = get_global_id(1), channel_tiles = get_global_size(1);
    for (int v = 0; v < COLUMNS; v++) {
        const int channel = channel_tile * TILE_CHANNELS + v * LANES, count = outputs - channel;
        if (count <= 0) break;
        __global const float *from = products + ((size_t)channel_tile * channels + c) * TILE_CHANNELS + v * LANES;
        const size_t step = (size_t)channel_tiles * channels * TILE_CHANNELS;
        lanes rows[KERNEL][POINTS];
        for (int j = 0; j < POINTS; j++) {
            lanes m[POINTS], y[KERNEL];
            UNROLL for (int i = 0; i < POINTS; i++) m[i] = LOAD(from + (i * POINTS + j) * step);
            transform_products(y, m, KERNEL);
            UNROLL for (int i = 0; i < KERNEL; i++) rows[i][j] = y[i];
        }
        for (int i = 0; i < KERNEL; i++) {
            lanes y[KERNEL];
            transform_products(y, rows[i], KERNEL);
            UNROLL for (int j = 0; j < KERNEL; j++)
                store_first(y[j], dw + ((size_t)(i * KERNEL + j) * channels + c) * outputs + channel, count);
        }
        if (has_bias && c == 0) {
            __global const float *sum = products + FREQUENCIES * step + channel_tile * TILE_CHANNELS + v * LANES;
            store_first(LOAD(sum) / SUM_SCALE, db + channel, count);
        }
    }
}
