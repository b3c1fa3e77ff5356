// The step's images and labels, made from the data set's bytes on the device: crop, flip, resize, normalise.
//
//     y[n, i, j, c] = byte · factor[c] + offset[c],   factor = 1 / (255 · deviation), offset = −mean / deviation
//
// `byte` is bilinearly interpolated between half-pixel centres, source = (i + ½) · h / H − ½, clamped to the
// image. With augmentation the source is first shifted by up to `crop_padding` pixels, black coming in, then
// mirrored with probability ½, as philox(n, step) says.
//
// Work-items: global (column workers, image rows (n, i)). Buffers: images [count][h][w][C] bytes, order
// [count], y [N][H][W][C].

typedef struct {
    int source_height, source_width, channels;
    int height, width;
    int crop_padding, flips;
} InputGeometry;

// Row n of a batch; past the step's image count the last image is repeated.
static inline int image_of(int n, __global const int *order, __global const StepUniforms *step) {
    return order[step->first_image + min((uint)n, step->image_count - 1)];
}

__kernel void image_input(__global const uchar *restrict images, __global const int *restrict order,
                          __global float *restrict y, __global const StepUniforms *step,
                          __global const float *restrict factor_offset, const InputGeometry g) {
    const int i = get_global_id(1) % g.height, n = get_global_id(1) / g.height;
    const size_t row_length = (size_t)g.source_width * g.channels;
    __global const uchar *image = images + image_of(n, order, step) * (g.source_height * row_length);
    int shift_y = 0, shift_x = 0;
    bool mirrored = false;
    if (g.crop_padding > 0 || g.flips) {
        const uint4 words = philox((uint4)(n, step->step, 0, 0), philox_key(step, STREAM_AUGMENTATION));
        shift_y = (int)(words.x % (2 * g.crop_padding + 1)) - g.crop_padding;
        shift_x = (int)(words.y % (2 * g.crop_padding + 1)) - g.crop_padding;
        mirrored = g.flips && (words.z & 1);
    }
    const float source_y = max(0.0f, (i + 0.5f) * g.source_height / g.height - 0.5f);
    const int above = min((int)source_y, g.source_height - 1), below = min(above + 1, g.source_height - 1);
    const float weight_y = source_y - above;
    for (int j = get_global_id(0); j < g.width; j += get_global_size(0)) {
        const float source_x = max(0.0f, (j + 0.5f) * g.source_width / g.width - 0.5f);
        const int left = min((int)source_x, g.source_width - 1), right = min(left + 1, g.source_width - 1);
        const float weight_x = source_x - left;
        for (int c = 0; c < g.channels; c++) {
            float corner[4];
            for (int k = 0; k < 4; k++) {
                const int column = k & 1 ? right : left;
                const int sy = (k & 2 ? below : above) + shift_y;
                const int sx = (mirrored ? g.source_width - 1 - column : column) + shift_x;
                const bool inside = (uint)sy < (uint)g.source_height && (uint)sx < (uint)g.source_width;
                corner[k] = inside ? image[sy * row_length + sx * g.channels + c] : 0;
            }
            const float top = corner[0] + weight_x * (corner[1] - corner[0]);
            const float bottom = corner[2] + weight_x * (corner[3] - corner[2]);
            const float byte = top + weight_y * (bottom - top);
            y[((size_t)get_global_id(1) * g.width + j) * g.channels + c] =
                byte * factor_offset[c] + factor_offset[g.channels + c];
        }
    }
}

// Work-items: global (N).
__kernel void label_input(__global const uchar *restrict labels, __global const int *restrict order,
                          __global int *restrict y, __global const StepUniforms *step) {
    const int n = get_global_id(0);
    y[n] = labels[image_of(n, order, step)];
}
