// Minimal filtering (winograd.cl) on GPUs, a launch a stage; between the transforms stands a matrix product for each
// frequency, which convolution2d_tiled and convolution2d_filter_gradient_tiled make as convolutions of 1 × 1:
//
//   forward, input gradient  products[f] = image[f] · filter[f],           [tiles][C] · [C][O]
//   filter gradient          products[f] = image[f]ᵀ · gradient[f],        [C][tiles] · [tiles][O]
//
// A launch works on `count` tiles from `first` on, as many as the workspace has room for. Neighbouring work-items have
// neighbouring channels.
// Buffers: image [N][H][W][C]; result, dy and mask [N][H′][W′][O]; filter [KERNEL][KERNEL][C][O]; what is transformed
// [FREQUENCIES][tiles or C][channels].

// image: B·x·Bᵀ, zeros for pixels outside. Work-items: global (C, count), rounded up.
__kernel void winograd_image_stage(__global const float *restrict image, __global float *restrict transformed,
                                   int first, int count, const WinogradGeometry g) {
    const int channel = get_global_id(0), t = get_global_id(1);
    if (channel >= g.channels || t >= count) return;
    const Tile tile = tile_at(first + t, &g);
    const int top = tile.row - g.padding_height, left = tile.column - g.padding_width;
    float rows[POINTS][POINTS];
    UNROLL for (int i = 0; i < POINTS; i++) {
        float x[POINTS];
        UNROLL for (int j = 0; j < POINTS; j++) {
            const bool inside = (uint)(top + i) < (uint)g.height && (uint)(left + j) < (uint)g.width;
            const size_t pixel = ((size_t)tile.n * g.height + top + i) * g.width + left + j;
            x[j] = inside ? image[pixel * g.channels + channel] : 0.0f;
        }
        transform_image(rows[i], x);
    }
    __global float *to = transformed + (size_t)t * g.channels + channel;
    const size_t step = (size_t)count * g.channels;
    UNROLL for (int j = 0; j < POINTS; j++) {
        float x[POINTS], column[POINTS];
        UNROLL for (int i = 0; i < POINTS; i++) x[i] = rows[i][j];
        transform_image(column, x);
        UNROLL for (int i = 0; i < POINTS; i++) to[(i * POINTS + j) * step] = column[i];
    }
}

// G·w·Gᵀ: [FREQUENCIES][C][O]; or, of the filter [KERNEL][KERNEL][O][C], transposed and mirrored for the input
// gradient.
// Work-items: global (O, C), rounded up.
__kernel void winograd_filter_stage(__global const float *restrict filter, __global float *restrict transformed,
                                    int channels, int result_channels, int transposed) {
    const int o = get_global_id(0), c = get_global_id(1);
    if (o >= result_channels || c >= channels) return;
    float columns[POINTS][KERNEL];
    UNROLL for (int j = 0; j < KERNEL; j++) {
        float w[KERNEL], column[POINTS];
        UNROLL for (int i = 0; i < KERNEL; i++) {
            const int tap = i * KERNEL + j;
            w[i] = transposed
                       ? filter[((size_t)(KERNEL * KERNEL - 1 - tap) * result_channels + o) * channels + c]
                       : filter[((size_t)tap * channels + c) * result_channels + o];
        }
        transform_filter(column, w, KERNEL);
        UNROLL for (int i = 0; i < POINTS; i++) columns[i][j] = column[i];
    }
    __global float *to = transformed + (size_t)c * result_channels + o;
    const size_t step = (size_t)channels * result_channels;
    UNROLL for (int i = 0; i < POINTS; i++) {
        float row[POINTS];
        transform_filter(row, columns[i], KERNEL);
        UNROLL for (int j = 0; j < POINTS; j++) to[(i * POINTS + j) * step] = row[j];
    }
}

// The result from products [FREQUENCIES][count][O]: Aᵀ·products·A. Work-items: global (O, count), rounded up.
__kernel void winograd_result_stage(__global const float *restrict products, __global const float *restrict bias,
                                    __global const float *restrict addend, __global const float *restrict mask,
                                    __global float *restrict result, int first, int count, const WinogradGeometry g) {
    const int channel = get_global_id(0), t = get_global_id(1);
    if (channel >= g.result_channels || t >= count) return;
    const Tile tile = tile_at(first + t, &g);
    __global const float *from = products + (size_t)t * g.result_channels + channel;
    const size_t step = (size_t)count * g.result_channels;
    float rows[OUTPUT][POINTS];
    UNROLL for (int j = 0; j < POINTS; j++) {
        float m[POINTS], y[OUTPUT];
        UNROLL for (int i = 0; i < POINTS; i++) m[i] = from[(i * POINTS + j) * step];
        transform_products(y, m, OUTPUT);
        UNROLL for (int i = 0; i < OUTPUT; i++) rows[i][j] = y[i];
    }
    const float factor = g.offset_kind == OFFSET_FACTOR ? bias[g.result_channels + channel] : 1.0f;
    const float offset = g.offset_kind ? bias[channel] : 0.0f;
    UNROLL for (int i = 0; i < OUTPUT; i++) {
        float y[OUTPUT];
        transform_products(y, rows[i], OUTPUT);
        UNROLL for (int j = 0; j < OUTPUT; j++) {
            if (tile.row + i < g.result_height && tile.column + j < g.result_width) {
                const size_t pixel =
                    ((size_t)tile.n * g.result_height + tile.row + i) * g.result_width + tile.column + j;
                const size_t at = pixel * g.result_channels + channel;
                result[at] = with_epilogue_one(fma(y[j], factor, offset), g.epilogue, addend + at, mask + at);
            }
        }
    }
}

// gradient: G·dy·Gᵀ, dy zero past the result's edges. Work-items: global (O, count), rounded up.
__kernel void winograd_gradient_stage(__global const float *restrict dy, __global float *restrict transformed,
                                      int first, int count, const WinogradGeometry g) {
    const int channel = get_global_id(0), t = get_global_id(1);
    if (channel >= g.result_channels || t >= count) return;
    const Tile tile = tile_at(first + t, &g);
    float rows[OUTPUT][POINTS];
    UNROLL for (int i = 0; i < OUTPUT; i++) {
        float x[OUTPUT];
        UNROLL for (int j = 0; j < OUTPUT; j++) {
            const bool inside = tile.row + i < g.result_height && tile.column + j < g.result_width;
            const size_t pixel = ((size_t)tile.n * g.result_height + tile.row + i) * g.result_width + tile.column + j;
            x[j] = inside ? dy[pixel * g.result_channels + channel] : 0.0f;
        }
        transform_filter(rows[i], x, OUTPUT);
    }
    __global float *to = transformed + (size_t)t * g.result_channels + channel;
    const size_t step = (size_t)count * g.result_channels;
    UNROLL for (int j = 0; j < POINTS; j++) {
        float x[OUTPUT], column[POINTS];
        UNROLL for (int i = 0; i < OUTPUT; i++) x[i] = rows[i][j];
        transform_filter(column, x, OUTPUT);
        UNROLL for (int i = 0; i < POINTS; i++) to[(i * POINTS + j) * step] = column[i];
    }
}

// dw and db from the products in parts, [parts][FREQUENCIES][C + 1][O], added in order; the last row is the sum of the
// transformed dy, which at one frequency is that of dy. Work-items: global (O, C), rounded up.
__kernel void winograd_filter_gradient_stage(__global const float *restrict products, __global float *restrict filter,
                                             __global float *restrict bias, int channels, int result_channels,
                                             int parts, int has_bias) {
    const int o = get_global_id(0), c = get_global_id(1);
    if (o >= result_channels || c >= channels) return;
    const size_t step = (size_t)(channels + 1) * result_channels;
    __global const float *from = products + (size_t)c * result_channels + o;
    float rows[KERNEL][POINTS];
    UNROLL for (int j = 0; j < POINTS; j++) {
        float m[POINTS], y[KERNEL];
        UNROLL for (int i = 0; i < POINTS; i++) {
            m[i] = 0.0f;
            for (int part = 0; part < parts; part++)
                m[i] += from[((size_t)part * FREQUENCIES + i * POINTS + j) * step];
        }
        transform_products(y, m, KERNEL);
        UNROLL for (int i = 0; i < KERNEL; i++) rows[i][j] = y[i];
    }
    UNROLL for (int i = 0; i < KERNEL; i++) {
        float y[KERNEL];
        transform_products(y, rows[i], KERNEL);
        UNROLL for (int j = 0; j < KERNEL; j++)
            filter[((size_t)(i * KERNEL + j) * channels + c) * result_channels + o] = y[j];
    }
    if (has_bias && c == 0) {
        float sum = 0.0f;
        for (int part = 0; part < parts; part++)
            sum += products[((size_t)part * FREQUENCIES + SUM_FREQUENCY) * step + (size_t)channels * result_channels
                            + o];
        bias[o] = sum / SUM_SCALE;
    }
}
