// Convolution and its gradient with respect to the image, direct, as register-tiled matrix products.
//
// Both are one sum, over taps (row t, column u) and source channels c:
//
//     result[n, i·d + p, j·d + q, o] = Σ source[n, i·s + a + t·e, j·s + b + u·e, c] · filter[f + t·g, h + u·g, c, o]
//
//   forward:         source = image, s = stride, a, b = −top, −left, d = 1, e = dilation, g = 1: all taps.
//   input gradient:  source = dy, filter transposed and mirrored. A stride of S splits the image into S × S
//                    phases (p, q), each reached by every S-th tap only; each phase is a launch with s = 1,
//                    d = g = S. With a dilation D it is every S / gcd(S, D)-th tap, and e = D / gcd(S, D).
//
// Work-items: global (pixel tiles, channel tiles). A work-item holds ROWS × COLUMNS vectors of sums
// in registers: ROWS consecutive positions of the (n, i, j) grid by COLUMNS·LANES channels. For each (tap, c)
// it loads COLUMNS vectors of the filter and broadcasts one source value a pixel. Pixel tiles are innermost, so
// that a channel tile of the filter stays in cache. Source rows and columns outside the image are read
// from a buffer of zeros.
//
// Buffers: source [N][H][W][C]; packed filter [channel tile][tap row][tap column][C][COLUMNS·LANES], zero in
// the channels past the last; bias [O]; mask and result [N][H′][W′][O].
// Constants: LANES, ROWS, COLUMNS; DILATION_HEIGHT and DILATION_WIDTH, e where it is not 1.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifndef DILATION_WIDTH
#define DILATION_WIDTH 1
#endif

__kernel WORK_GROUP
void convolution2d_gather(__global const float *restrict source, __global const float *restrict filter,
                          __global const float *restrict bias, __global const float *restrict addend,
                          __global const float *restrict mask,
                          __global float *restrict result, __global const float *restrict zeros,
                          const ConvolutionGeometry g) {
    const int first = get_global_id(0) * ROWS;
    const int tile = get_global_id(1);
    const int grid = g.grid_images * g.grid_height * g.grid_width;
    const int row_length = g.source_width * g.source_channels;

    lanes sums[ROWS][COLUMNS];
    int top[ROWS], left[ROWS], base[ROWS];
    UNROLL for (int m = 0; m < ROWS; m++) {
        UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = (lanes)(0.0f);
        const int position = min(first + m, grid - 1);
        const int j = position % g.grid_width;
        const int i = position / g.grid_width % g.grid_height;
        const int n = position / (g.grid_width * g.grid_height);
        top[m] = i * g.stride_height + g.origin_height;
        left[m] = j * g.stride_width + g.origin_width;
        base[m] = ((n * g.source_height + top[m]) * g.source_width + left[m]) * g.source_channels;
    }
    // Where no tap of the tile leaves the image sideways, a row of taps is one run of floats.
    bool inside = DILATION_WIDTH == 1 && g.tap_step_width == 1 && g.tap_columns == g.filter_columns;
    UNROLL for (int m = 0; m < ROWS; m++)
        inside = inside && left[m] >= 0 && left[m] + g.tap_columns <= g.source_width;
    const int runs = inside ? 1 : g.tap_columns, run = inside ? g.tap_columns * g.source_channels : g.source_channels;

    __global const float *tile_filter =
        filter + (size_t)tile * g.filter_rows * g.filter_columns * g.source_channels * TILE_CHANNELS;
    for (int t = 0; t < g.tap_rows; t++) {
        const int filter_row = (g.first_row + t * g.tap_step_height) * g.filter_columns;
        for (int u = 0; u < runs; u++) {
            __global const float *pointers[ROWS];
            UNROLL for (int m = 0; m < ROWS; m++) {
                const int down = t * DILATION_HEIGHT, right = u * DILATION_WIDTH;
                const bool valid = (uint)(top[m] + down) < (uint)g.source_height &&
                                   (inside || (uint)(left[m] + right) < (uint)g.source_width);
                pointers[m] = valid ? source + base[m] + down * row_length + right * g.source_channels : zeros;
            }
            const int tap = filter_row + g.first_column + u * g.tap_step_width;
            __global const float *weights = tile_filter + (size_t)tap * g.source_channels * TILE_CHANNELS;
            for (int c = 0; c < run; c++) {
                lanes w[COLUMNS];
                UNROLL for (int v = 0; v < COLUMNS; v++) w[v] = LOAD(weights + v * LANES);
                UNROLL for (int m = 0; m < ROWS; m++) {
                    const lanes value = (lanes)(pointers[m][c]);
                    UNROLL for (int v = 0; v < COLUMNS; v++) sums[m][v] = fma(value, w[v], sums[m][v]);
                }
                weights += TILE_CHANNELS;
            }
        }
    }

    lanes results[ROWS][COLUMNS];
    COPY_TILE(results, sums)
    for (int m = 0; m < min(ROWS, grid - first); m++) {
        const int position = first + m;
        const int j = position % g.grid_width;
        const int i = position / g.grid_width % g.grid_height;
        const int n = position / (g.grid_width * g.grid_height);
        const int row = i * g.result_step_height + g.phase_height;
        const int column = j * g.result_step_width + g.phase_width;
        const size_t pixel = ((size_t)n * g.result_height + row) * g.result_width + column;
        for (int v = 0; v < COLUMNS; v++) {
            const int channel = tile * TILE_CHANNELS + v * LANES;
            const int count = g.result_channels - channel;
            if (count <= 0) break;
            const size_t at = pixel * g.result_channels + channel;
            const lanes sum = with_offset(results[m][v], bias + channel, g.result_channels, count, g.offset_kind);
            store_first(with_epilogue(sum, g.epilogue, addend + at, mask + at, count), result + at, count);
        }
    }
}

// Packs a filter [rows][columns][inputs][outputs] into channel tiles, for the forward pass over outputs, for
// the input gradient (transposed) over inputs, mirrored: [tile][row][column][reduced channel][TILE_CHANNELS].
// A work-item packs LANES reduced channels of one tap. Work-items: global (taps · ⌈reduced / LANES⌉, tiles).
__kernel WORK_GROUP
void convolution2d_pack(__global const float *restrict filter, __global float *restrict packed,
                        int taps, int inputs, int outputs, int transposed) {
    const int reduced = transposed ? outputs : inputs;
    const int channels = transposed ? inputs : outputs;
    const int vectors = (reduced + LANES - 1) / LANES;
    const int tap = get_global_id(0) / vectors, c = get_global_id(0) % vectors * LANES;
    const int first = get_global_id(1) * TILE_CHANNELS, count = min(LANES, reduced - c);
    // Mirroring both axes reverses the order of the taps.
    const int from = transposed ? taps - 1 - tap : tap;
    __global float *rows = packed + (((size_t)get_global_id(1) * taps + tap) * reduced + c) * TILE_CHANNELS;
    if (!transposed) {
        __global const float *w = filter + ((size_t)from * inputs + c) * outputs + first;
        for (int row = 0; row < count; row++)
            UNROLL for (int v = 0; v < COLUMNS; v++)
                STORE(load_first(w + (size_t)row * outputs + v * LANES, max(channels - first - v * LANES, 0)),
                      rows + row * TILE_CHANNELS + v * LANES);
        return;
    }
    for (int o = 0; o < TILE_CHANNELS; o++) {
        float values[LANES];
        const lanes column = first + o < channels
            ? load_first(filter + ((size_t)from * inputs + first + o) * outputs + c, count) : (lanes)(0.0f);
        JOIN(vstore, LANES)(column, 0, values);
        for (int row = 0; row < count; row++) rows[row * TILE_CHANNELS + o] = values[row];
    }
}
