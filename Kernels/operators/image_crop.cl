// The network's images, made of photographs: the box of each sample resized, of that the window, black outside,
// mirrored and flipped. Bytes to bytes; to the bit what Pillow's bilinear filter gives, on every device, since all is
// in integers.
//
// Of a line of S places, T are made. R is the larger of both. Place x has in place i the weight
//
//     w(x) = round(2^22 · a(x) / Σ a),   a(x) = 2R − |(2x + 1)·T − (2i + 1)·S| where that is above zero,
//
// and the result is (Σ w(x) · byte(x) + 2^21) >> 22, clamped to 0 … 255: first along the rows, then along the columns
// of what comes out of it. Footprints may be of any length. The same as Sources/Tensor/Footprint.swift.
//
// Two forms: a GPU's work-item makes one pixel, a CPU's all of an image or a band of it, in vectors of 16.
// Buffers: images, the bytes of all pieces; samples; y [N][H][W][CHANNELS] bytes. CHANNELS (1 … 4) is given by -D.

#define BYTE_BITS 22

// The places with a weight above zero, `first` up to `end`; `distance` is (2x + 1)·T − (2i + 1)·S of the first.
static inline void find_footprint(int place, int source, int target, int *first, int *end, long *distance) {
    const long largest = 2 * (long)max(source, target), step = 2 * (long)target;
    const long centre = (2 * (long)place + 1) * source;
    const long below = centre - largest - target;
    *first = below < 0 ? 0 : (int)(below / step) + 1;
    *end = (int)min((centre + largest - target + step - 1) / step, (long)source);
    *distance = (2 * (long)*first + 1) * target - centre;
}

// Σ a over a footprint.
static inline long sum_of_shares(int count, int source, int target, long distance) {
    const long largest = 2 * (long)max(source, target);
    long sum = 0;
    for (int k = 0; k < count; k++) sum += largest - (long)abs(distance + 2 * (long)k * target);
    return sum;
}

// round(2^22 · share / sum): (2^23 · share + sum) / (2 · sum), by an estimate that is off by two at most. `inverse` is
// about 2^22 / sum.
static inline int weight_of(long share, long sum, float inverse) {
    int weight = (int)((float)share * inverse + 0.5f);
    long rest = (share << (BYTE_BITS + 1)) + sum - 2 * sum * weight;
    for (int round = 0; round < 2; round++) {
        const int change = (rest >= 2 * sum) - (rest < 0);
        weight += change;
        rest -= 2 * sum * change;
    }
    return weight;
}

// Work-items: global (W, image rows (n, i)).
__kernel void image_crop(__global const uchar *restrict images, __global const ImageSample *restrict samples,
                         __global uchar *restrict y, const StepUniforms step, const CropGeometry g) {
    const int j = get_global_id(0), at = get_global_id(1);
    if (j >= g.width || at >= g.rows) return;
    const int n = at / g.height, i = at % g.height;
    __global const ImageSample *s = samples + place_of(n, &step);
    const int row = s->window_top + (s->is_flipped ? g.height - 1 - i : i);
    const int column = s->window_left + (s->is_mirrored ? g.width - 1 - j : j);
    __global uchar *result = y + ((size_t)at * g.width + j) * CHANNELS;
    int totals[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) totals[c] = 0;
    if ((uint)row < (uint)s->resized_height && (uint)column < (uint)s->resized_width) {
        __global const uchar *piece = images + ((size_t)s->offset_high << 32 | s->offset_low);
        const int height = s->box.height, width = s->box.width;
        int top, bottom, left, right;
        long down, across;
        find_footprint(row, height, s->resized_height, &top, &bottom, &down);
        find_footprint(column, width, s->resized_width, &left, &right, &across);
        const long tallest = 2 * (long)max(height, s->resized_height), widest = 2 * (long)max(width, s->resized_width);
        const long column_sum = sum_of_shares(bottom - top, height, s->resized_height, down);
        const long row_sum = sum_of_shares(right - left, width, s->resized_width, across);
        const float column_inverse = 4194304.0f / (float)column_sum, row_inverse = 4194304.0f / (float)row_sum;
        for (int c = 0; c < CHANNELS; c++) totals[c] = 1 << (BYTE_BITS - 1);
        for (int k = top; k < bottom; k++) {
            __global const uchar *line =
                piece + ((size_t)(k - s->piece.top) * s->piece.width + (left - s->piece.left)) * CHANNELS;
            int sums[CHANNELS];
            for (int c = 0; c < CHANNELS; c++) sums[c] = 1 << (BYTE_BITS - 1);
            for (int m = 0; m < right - left; m++) {
                const long share = widest - (long)abs(across + 2 * (long)m * s->resized_width);
                const int weight = weight_of(share, row_sum, row_inverse);
                for (int c = 0; c < CHANNELS; c++) sums[c] += weight * line[m * CHANNELS + c];
            }
            const long share = tallest - (long)abs(down + 2 * (long)(k - top) * s->resized_height);
            const int weight = weight_of(share, column_sum, column_inverse);
            for (int c = 0; c < CHANNELS; c++) totals[c] += weight * clamp(sums[c] >> BYTE_BITS, 0, 255);
        }
    }
    for (int c = 0; c < CHANNELS; c++) result[c] = (uchar)clamp(totals[c] >> BYTE_BITS, 0, 255);
}

#if LONG_WORK_ITEMS
// Columns of the piece that a work-item holds turned, 16 rows side by side; and rows that it holds resized.
#define HELD_COLUMNS 64
#define HELD_LINES 64
// Weights of a place that are kept for the whole image; of longer footprints they are computed for every 16 rows.
#define KEPT_WEIGHTS 8

// The weights of places `from` up to `end` of a footprint.
static inline void set_weights(int place, int source, int target, int from, int end, __global int *weights) {
    int first, last;
    long distance;
    find_footprint(place, source, target, &first, &last, &distance);
    const long largest = 2 * (long)max(source, target);
    const long sum = sum_of_shares(last - first, source, target, distance);
    const float inverse = 4194304.0f / (float)sum;
    for (int x = from; x < end; x++) {
        const long share = largest - (long)abs(distance + 2 * (long)(x - first) * target);
        weights[x - from] = weight_of(share, sum, inverse);
    }
}

static inline uchar16 bytes_of(int16 sums) {
    return convert_uchar16(clamp(sums >> BYTE_BITS, (int16)(0), (int16)(255)));
}

// 16 × 16 bytes, rows to columns: four rounds, each of which moves the upper bit of the row to the end of the column.
static inline void turn(uchar16 *tile) {
    for (int round = 0; round < 4; round++) {
        uchar16 next[16];
        UNROLL for (int k = 0; k < 8; k++) {
            next[2 * k].even = tile[k].lo;
            next[2 * k].odd = tile[k + 8].lo;
            next[2 * k + 1].even = tile[k].hi;
            next[2 * k + 1].odd = tile[k + 8].hi;
        }
        UNROLL for (int k = 0; k < 16; k++) tile[k] = next[k];
    }
}

// What of an image does not change from one block of 16 rows to the next. Columns and rows are those of the box.
typedef struct {
    __global const uchar *piece;
    int top, left, bottom, right;                       // of the piece
    int box_width, resized_width;
    int first_place, places;                            // of the resized columns that the window shows
    int mirrored, keeps_weights;
} CropImage;

// Resizes rows `row` … `row + 15` along themselves, to `lines`, each `pitch` bytes from the next. Rows past the
// piece's end are its last again.
static inline void resize_rows(const CropImage *image, int row, __global const int2 *spans, __global int *kept,
                               __global uchar *lines, int pitch) {
    const int length = (image->right - image->left) * CHANNELS;
    uchar16 columns[HELD_COLUMNS * CHANNELS], tile[16], results[16];
    for (int k = 0; k < 16; k++) results[k] = (uchar16)(0);
    int low = 0, high = 0;
    for (int o = 0; o < image->places; o++) {
        const int order = image->mirrored ? image->places - 1 - o : o;
        const int2 span = spans[order];
        int16 sums[CHANNELS];
        UNROLL for (int c = 0; c < CHANNELS; c++) sums[c] = (int16)(1 << (BYTE_BITS - 1));
        for (int x = span.x; x < span.y;) {
            const int end = min(span.y, x + HELD_COLUMNS);
            if (x < low || end > high) {
                low = image->mirrored ? max(end - HELD_COLUMNS, image->left) : x;
                high = min(low + HELD_COLUMNS, image->right);
                const int from = (low - image->left) * CHANNELS, to = (high - image->left) * CHANNELS;
                for (int b = from; b < to; b += 16) {
                    const int start = max(min(b, length - 16), 0);
                    for (int k = 0; k < 16; k++) {
                        __global const uchar *line =
                            image->piece + (size_t)(min(row + k, image->bottom - 1) - image->top) * length;
                        if (length >= 16) {
                            tile[k] = vload16(0, line + start);
                        } else {
                            uchar few[16];
                            for (int m = 0; m < 16; m++) few[m] = line[min(m, length - 1)];
                            tile[k] = vload16(0, few);
                        }
                    }
                    turn(tile);
                    for (int m = max(from - start, 0); m < 16 && start + m < to; m++)
                        columns[start + m - from] = tile[m];
                }
            }
            __global int *weights = kept + order * KEPT_WEIGHTS;
            if (!image->keeps_weights) {
                weights = kept;
                set_weights(image->first_place + order, image->box_width, image->resized_width, x, end, weights);
            }
            for (int m = x; m < end; m++) {
                const int weight = weights[m - x];
                UNROLL for (int c = 0; c < CHANNELS; c++)
                    sums[c] += weight * convert_int16(columns[(m - low) * CHANNELS + c]);
            }
            x = end;
        }
        UNROLL for (int c = 0; c < CHANNELS; c++) {
            const int v = o * CHANNELS + c;
            results[v % 16] = bytes_of(sums[c]);
            if (v % 16 == 15 || v == image->places * CHANNELS - 1) {
                turn(results);
                for (int k = 0; k < 16; k++) vstore16(results[k], 0, lines + k * pitch + v / 16 * 16);
            }
        }
    }
}

// Work-items: global (shares of the images' bands). Scratch of each: lines [HELD_LINES][pitch], a row of sums [pitch]
// ints, spans [W] int2, weights of a column [HELD_LINES], weights of rows [max(KEPT_WEIGHTS · W, HELD_COLUMNS)].
__kernel WORK_GROUP
void image_crop_bands(__global const uchar *restrict images, __global const ImageSample *restrict samples,
                      __global uchar *restrict y, const StepUniforms step, __global uchar *restrict scratch,
                      const CropGeometry g) {
    __global uchar *lines = scratch + get_global_id(0) * (size_t)g.scratch;
    __global int *sums = (__global int *)(lines + HELD_LINES * g.pitch);
    __global int2 *spans = (__global int2 *)(sums + g.pitch);
    __global int *weights = (__global int *)(spans + g.width), *kept = weights + HELD_LINES;
    const int last_item = (int)((long)g.items * (get_global_id(0) + 1) / get_global_size(0));
    for (int item = (int)((long)g.items * get_global_id(0) / get_global_size(0)); item < last_item; item++) {
        const int n = item / g.bands, band = item % g.bands;
        __global const ImageSample *s = samples + place_of(n, &step);
        __global uchar *result = y + (size_t)n * g.height * g.width * CHANNELS;
        CropImage image;
        image.piece = images + ((size_t)s->offset_high << 32 | s->offset_low);
        image.top = s->piece.top, image.bottom = s->piece.top + s->piece.height;
        image.left = s->piece.left, image.right = s->piece.left + s->piece.width;
        image.box_width = s->box.width, image.resized_width = s->resized_width;
        image.mirrored = s->is_mirrored;
        image.first_place = max(s->window_left, 0);
        image.places = max(min(s->window_left + g.width, s->resized_width) - image.first_place, 0);
        image.keeps_weights = 1;
        for (int o = 0; o < image.places; o++) {
            int first, end;
            long distance;
            find_footprint(image.first_place + o, image.box_width, image.resized_width, &first, &end, &distance);
            spans[o] = (int2)(first, end);
            if (end - first > KEPT_WEIGHTS) image.keeps_weights = 0;
        }
        if (image.keeps_weights)
            for (int o = 0; o < image.places; o++)
                set_weights(image.first_place + o, image.box_width, image.resized_width, spans[o].x, spans[o].y,
                            kept + o * KEPT_WEIGHTS);
        // Where in a row of the result what the window shows begins, and how long it is.
        const int skipped = image.first_place - s->window_left;
        const int left = (image.mirrored ? g.width - skipped - image.places : skipped) * CHANNELS;
        const int length = image.places * CHANNELS, right = left + length, row_length = g.width * CHANNELS;

        int low = 0, high = 0;                          // the lines that are held
        const int end_row = (int)((long)g.height * (band + 1) / g.bands);
        for (int i = (int)((long)g.height * band / g.bands); i < end_row; i++) {
            const int place = s->window_top + i;
            __global uchar *row = result + (size_t)(s->is_flipped ? g.height - 1 - i : i) * row_length;
            const bool is_inside = (uint)place < (uint)s->resized_height && length > 0;
            for (int v = 0; v < (is_inside ? left : row_length); v++) row[v] = 0;
            if (!is_inside) continue;
            for (int v = right; v < row_length; v++) row[v] = 0;
            int first, end;
            long distance;
            find_footprint(place, s->box.height, s->resized_height, &first, &end, &distance);
            for (int k = first; k < end;) {
                const int last = min(end, k + HELD_LINES);
                if (k < low || k > high || last > low + HELD_LINES) {
                    // Those that are still needed move to the front.
                    const int stay = k >= low && k < high ? high - k : 0;
                    if (k != low)
                        for (int m = 0; m < stay; m++)
                            for (int v = 0; v < g.pitch; v += 16)
                                vstore16(vload16(0, lines + (m + k - low) * g.pitch + v), 0, lines + m * g.pitch + v);
                    low = k;
                    high = k + stay;
                }
                while (high < last) {
                    // Whole blocks of 16: where one would not fit, it begins earlier.
                    const int from = max(min(high, low + HELD_LINES - 16), low);
                    resize_rows(&image, from, spans, kept, lines + (from - low) * g.pitch, g.pitch);
                    high = from + 16;
                }
                set_weights(place, s->box.height, s->resized_height, k, last, weights);
                for (int v = 0; v < length; v += 16) {
                    int16 sum = k == first ? (int16)(1 << (BYTE_BITS - 1)) : vload16(0, sums + v);
                    for (int m = k; m < last; m++)
                        sum += weights[m - k] * convert_int16(vload16(0, lines + (m - low) * g.pitch + v));
                    if (last < end) {
                        vstore16(sum, 0, sums + v);
                    } else if (v + 16 <= length) {
                        vstore16(bytes_of(sum), 0, row + left + v);
                    } else {
                        uchar few[16];
                        vstore16(bytes_of(sum), 0, few);
                        for (int m = 0; m < length - v; m++) row[left + v + m] = few[m];
                    }
                }
                k = last;
            }
        }
    }
}
#endif
