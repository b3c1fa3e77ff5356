// The step's images and labels, made from the data set's bytes on the device: crop, flip, resize, normalise.
//
//     y[n, i, j, c] = byte · factor[c] + offset[c],   factor = 1 / (255 · deviation), offset = −mean / deviation
//
// `byte` is bilinearly interpolated between half-pixel centres, source = (i + ½) · h / H − ½, clamped to the
// image. With augmentation the source is first shifted by up to `crop_padding` pixels, black coming in, then
// mirrored with probability ½, as philox(n, step) says.
//
// Two forms: a CPU's work-item makes a row of the result from one row of blended bytes, a GPU's one pixel.
// Buffers: images [count][h][w][C] bytes, order [count], y [N][H][W][C].

// How an image of the batch is shifted and mirrored.
typedef struct {
    int shift_y, shift_x;
    bool mirrored;
} Augmentation;

static inline Augmentation augmentation_of(int n, const StepUniforms *step, const InputGeometry *g) {
    if (g->crop_padding == 0 && !g->flips) return (Augmentation){0, 0, false};
    const uint4 words = philox((uint4)(n, step->step, 0, step->shard), philox_key(step, STREAM_AUGMENTATION));
    return (Augmentation){(int)(words.x % (2 * g->crop_padding + 1)) - g->crop_padding,
                          (int)(words.y % (2 * g->crop_padding + 1)) - g->crop_padding,
                          g->flips && (words.z & 1)};
}

// Between which two of `size` places, and how far along, a place of the result lies.
typedef struct {
    int low, high;
    float weight;
} Between;

static inline Between between(int place, int result_size, int size) {
    const float source = max(0.0f, (place + 0.5f) * size / result_size - 0.5f);
    const int low = min((int)source, size - 1);
    return (Between){low, min(low + 1, size - 1), source - low};
}

// A byte of the augmented image, black outside.
static inline float byte_at(__global const uchar *image, int row, int column, int c, Augmentation a,
                            const InputGeometry *g) {
    const int y = row + a.shift_y, x = (a.mirrored ? g->source_width - 1 - column : column) + a.shift_x;
    const bool inside = (uint)y < (uint)g->source_height && (uint)x < (uint)g->source_width;
    return inside ? image[((size_t)y * g->source_width + x) * g->channels + c] : 0.0f;
}

// Work-items: global (W, image rows (n, i)).
__kernel void image_input(__global const uchar *restrict images, __global const int *restrict order,
                          __global activation *restrict y, const StepUniforms step,
                          __global const float *restrict factor_offset, const InputGeometry g) {
    const int j = get_global_id(0), i = get_global_id(1) % g.height, n = get_global_id(1) / g.height;
    __global const uchar *image =
        images + (size_t)image_of(n, order, &step) * g.source_height * g.source_width * g.channels;
    const Augmentation a = augmentation_of(n, &step, &g);
    const Between rows = between(i, g.height, g.source_height), columns = between(j, g.width, g.source_width);
    for (int c = 0; c < g.channels; c++) {
        const float top_left = byte_at(image, rows.low, columns.low, c, a, &g);
        const float bottom_left = byte_at(image, rows.high, columns.low, c, a, &g);
        const float left = top_left + rows.weight * (bottom_left - top_left);
        const float top_right = byte_at(image, rows.low, columns.high, c, a, &g);
        const float bottom_right = byte_at(image, rows.high, columns.high, c, a, &g);
        const float right = top_right + rows.weight * (bottom_right - top_right);
        const float byte = left + columns.weight * (right - left);
        STORE_ONE(byte * factor_offset[c] + factor_offset[g.channels + c],
                  y + ((size_t)get_global_id(1) * g.width + j) * g.channels + c);
    }
}

// Work-items: global (shares of the image rows (n, i)). Local: line [w][C].
__kernel WORK_GROUP
void image_input_rows(__global const uchar *restrict images, __global const int *restrict order,
                      __global float *restrict y, const StepUniforms step,
                      __global const float *restrict factor_offset, __local float *restrict line,
                      const InputGeometry g) {
    const int end = (int)((long)g.rows * (get_global_id(0) + 1) / get_global_size(0));
    for (int at = (int)((long)g.rows * get_global_id(0) / get_global_size(0)); at < end; at++) {
        const int i = at % g.height, n = at / g.height;
        __global const uchar *image =
            images + (size_t)image_of(n, order, &step) * g.source_height * g.source_width * g.channels;
        const Augmentation a = augmentation_of(n, &step, &g);
        const Between rows = between(i, g.height, g.source_height);
        __global float *row = y + (size_t)at * g.width * g.channels;
        // A grey image as it is.
        if (g.channels == 1 && g.width == g.source_width && g.height == g.source_height && a.shift_x == 0 &&
            a.shift_y == 0 && !a.mirrored) {
            __global const uchar *bytes = image + (size_t)i * g.width;
            const float factor = factor_offset[0], offset = factor_offset[1];
            int j = 0;
            for (; j + LANES <= g.width; j += LANES)
                STORE(JOIN(convert_float, LANES)(JOIN(vload, LANES)(0, bytes + j)) * factor + offset, row + j);
            for (; j < g.width; j++) row[j] = bytes[j] * factor + offset;
            continue;
        }
        if (a.shift_x == 0 && !a.mirrored) {
            const int length = g.source_width * g.channels, low = rows.low + a.shift_y, high = rows.high + a.shift_y;
            __global const uchar *top = image + (size_t)clamp(low, 0, g.source_height - 1) * length;
            __global const uchar *bottom = image + (size_t)clamp(high, 0, g.source_height - 1) * length;
            const float top_inside = (uint)low < (uint)g.source_height;
            const float bottom_inside = (uint)high < (uint)g.source_height;
            for (int k = 0; k < length; k++) {
                const float above = top[k] * top_inside, below = bottom[k] * bottom_inside;
                line[k] = above + rows.weight * (below - above);
            }
        } else {
            for (int column = 0; column < g.source_width; column++)
                for (int c = 0; c < g.channels; c++) {
                    const float above = byte_at(image, rows.low, column, c, a, &g);
                    const float below = byte_at(image, rows.high, column, c, a, &g);
                    line[column * g.channels + c] = above + rows.weight * (below - above);
                }
        }
        for (int c = 0; c < g.channels; c++) {
            const float factor = factor_offset[c], offset = factor_offset[g.channels + c];
            if (g.width == g.source_width) {
                for (int j = 0; j < g.width; j++) row[j * g.channels + c] = line[j * g.channels + c] * factor + offset;
            } else {
                for (int j = 0; j < g.width; j++) {
                    const Between columns = between(j, g.width, g.source_width);
                    const float left = line[columns.low * g.channels + c], right = line[columns.high * g.channels + c];
                    row[j * g.channels + c] = (left + columns.weight * (right - left)) * factor + offset;
                }
            }
        }
    }
}

// Work-items: global (N).
__kernel void label_input(__global const int *restrict labels, __global const int *restrict order,
                          __global int *restrict y, const StepUniforms step) {
    const int n = get_global_id(0);
    y[n] = labels[image_of(n, order, &step)];
}
