// Changes of images' bytes, one after another, each rounded to bytes: as torchvision makes them on Pillow's images,
// and its autocontrast as on tensors of bytes (docs/augmentation.md). All sums are of whole numbers, so that no order
// matters.
//
// Those that make of a value another one, whatever is around it, are a table a channel; what they have to know of the
// whole image they take from its histogram. A group makes an image: work-items: global (ITEMS · N) in groups of
// ITEMS, which with CHANNELS (1 or 3) is given by -D. Buffers: x, y, scratch [N][H][W][CHANNELS] bytes; samples;
// scales [256], 255 / d, and behind them quotients [256][256], n / d at [d][n].

#define TABLE_SIZE (256 * CHANNELS)

// Pillow's luma.
static inline int grey_of(__global const uchar *pixel) {
#if CHANNELS == 3
    return (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 0x8000) >> 16;
#else
    return pixel[0];
#endif
}

// Pillow's blend, rounded down; its sum to 2^-16, which no compiler can put together with the product.
static inline uchar blend(int from, int to, float factor) {
    const int sum = (from << 16) + convert_int_rte(factor * (float)(to - from) * 65536.0f);
    return (uchar)clamp(sum >> 16, 0, 255);
}

// Of an image's histogram, by channel.
typedef struct {
    int low, high;                                      // the least and the largest value there is
    int step;                                           // equalize's, 0 where nothing changes
    int mean;                                           // of the first channel's histogram
} Statistics;

static inline void find_statistics(__local const int *histogram, int pixels, Statistics *result) {
    long sum = 0;
    result->low = 255, result->high = 0;
    for (int value = 0; value < 256; value++) {
        sum += (long)histogram[value] * value;
        if (histogram[value] > 0) {
            result->low = min(result->low, value);
            result->high = value;
        }
    }
    result->step = (pixels - histogram[result->high]) / 255;
    result->mean = (int)((2 * sum + pixels) / (2 * (long)pixels));
}

// Writes what each value of a channel becomes.
static inline void fill_table(__local uchar *table, __local const int *histogram, __local const int *greys,
                              __global const ImageAdjustment *adjustment, int kind, int pixels,
                              __global const float *scales) {
    Statistics own, grey;
    find_statistics(histogram, pixels, &own);
    find_statistics(greys, pixels, &grey);
    const float amount = adjustment->amounts[0];
    long below = 0;                                     // pixels with a lower value
    for (int value = 0; value < 256; value++) {
        int result = value;
        if (kind == ADJUST_BRIGHTNESS) result = blend(0, value, amount);
        if (kind == ADJUST_CONTRAST) result = blend(grey.mean, value, amount);
        if (kind == ADJUST_POSTERIZE) result = value & (0xFF00 >> (int)amount) & 0xFF;
        if (kind == ADJUST_SOLARIZE) result = (float)value < amount ? value : 255 - value;
        if (kind == ADJUST_AUTOCONTRAST && own.low < own.high)
            result = (int)clamp((float)(value - own.low) * scales[own.high - own.low], 0.0f, 255.0f);
        if (kind == ADJUST_EQUALIZE && own.step > 0)
            result = (int)min((below + own.step / 2) / own.step, 255L);
        below += histogram[value];
        table[value] = (uchar)result;
    }
}

// round(value · (65025 − part) / 65025): one of Pillow's colours of a hue.
static inline uchar colour_of(int value, int part) {
    return (uchar)((2 * value * (65025 - part) + 65025) / (2 * 65025));
}

// A number rounded to 24 bits, to the nearest, ties to even: what a float would hold.
static inline long rounded_to_float(long value) {
    const ulong magnitude = abs(value);
    const int drop = 40 - (int)clz(magnitude);
    if (drop <= 0) return value;
    const ulong low = magnitude & ((1UL << drop) - 1), half_way = 1UL << (drop - 1);
    const ulong kept = magnitude >> drop;
    const long result = (long)((kept + (low > half_way || (low == half_way && (kept & 1)))) << drop);
    return value < 0 ? -result : result;
}

// numerator / denominator of bytes, at most one, as the nearest float, in units of 2^-40.
static inline long quotient(__global const float *quotients, int numerator, int denominator) {
    return (long)(quotients[256 * denominator + numerator] * 0x1p40f);
}

// Hue, saturation and value of 8 bits and back. Pillow rounds hues and saturations down, and computes them in floats,
// so that what those round away decides: their roundings are made here in whole numbers, which all devices have alike.
static inline void turn_hue(__global const uchar *pixel, __global uchar *result, int turn,
                            __global const float *quotients) {
    const int red = pixel[0], green = pixel[1], blue = pixel[2];
    const int value = max(red, max(green, blue)), chroma = value - min(red, min(green, blue));
    int hue = 0, saturation = 0;
    if (chroma > 0) {
        const long less_red = quotient(quotients, value - red, chroma);
        const long less_green = quotient(quotients, value - green, chroma);
        const long less_blue = quotient(quotients, value - blue, chroma);
        const long sixths = rounded_to_float(red == value     ? less_blue - less_green
                                             : green == value ? (2L << 40) + less_red - less_blue
                                                              : (4L << 40) + less_green - less_red);
        // Of the circle, in units of 2^-52. The circle more is for the division, which is to round down.
        const long part = ((((sixths + (6L << 40)) << 13) / 6 + 1) >> 1) & ((1L << 52) - 1);
        hue = min((int)((rounded_to_float(part) * 255) >> 52), 255);
        saturation = (int)((quotient(quotients, chroma, value) * 255) >> 40);
    }
    hue = (hue + turn) & 255;
    const int sector = 6 * hue / 255 % 6, part = 6 * hue % 255;
    const uchar top = value, low = colour_of(value, 255 * saturation);
    const uchar falling = colour_of(value, saturation * part), rising = colour_of(value, saturation * (255 - part));
    result[0] = sector == 0 || sector == 5 ? top : sector == 1 ? falling : sector == 4 ? rising : low;
    result[1] = sector == 1 || sector == 2 ? top : sector == 3 ? falling : sector == 0 ? rising : low;
    result[2] = sector == 3 || sector == 4 ? top : sector == 5 ? falling : sector == 2 ? rising : low;
}

#if ITEMS == 1
#define COUNT(place) ((place)++)
#else
#define COUNT(place) atomic_inc(&(place))
#endif

// Not const and not restrict: an adjustment reads what the one before it wrote.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1)))
void image_adjustments(__global uchar *x, __global const ImageSample *restrict samples, __global uchar *y,
                       const StepUniforms step, __global uchar *scratch, __global const float *restrict scales,
                       int height, int width) {
    __local int histogram[TABLE_SIZE], greys[256];
    __local uchar table[TABLE_SIZE];
    const int n = get_group_id(0), me = get_local_id(0), pixels = height * width;
    __global const ImageSample *s = samples + place_of(n, &step);
    const size_t first = (size_t)n * pixels * CHANNELS;
    __global uchar *source = x + first;
    const int count = s->adjustment_count, rounds = max(count, 1);
    // All work-items pass the same barriers: what they do between them depends on the kind, never whether they come
    // there.
    for (int round = 0; round < rounds; round++) {
        __global const ImageAdjustment *adjustment = s->adjustments + round;
        const int kind = count > 0 ? adjustment->kind : 0;
        // The last round's result is the kernel's.
        __global uchar *target = ((rounds - 1 - round) % 2 == 0 ? y : scratch) + first;
        for (int k = me; k < TABLE_SIZE; k += ITEMS) histogram[k] = 0;
        for (int k = me; k < 256; k += ITEMS) greys[k] = 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (kind == ADJUST_CONTRAST)
            for (int p = me; p < pixels; p += ITEMS) COUNT(greys[grey_of(source + p * (size_t)CHANNELS)]);
        if (kind == ADJUST_AUTOCONTRAST || kind == ADJUST_EQUALIZE)
            for (int p = me; p < pixels; p += ITEMS)
                for (int c = 0; c < CHANNELS; c++) COUNT(histogram[256 * c + source[p * (size_t)CHANNELS + c]]);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int c = me; c < CHANNELS; c += ITEMS)
            fill_table(table + 256 * c, histogram + 256 * c, greys, adjustment, kind, pixels, scales);
        barrier(CLK_LOCAL_MEM_FENCE);

        if (kind == ADJUST_SATURATION) {
            const float factor = adjustment->amounts[0];
            for (int p = me; p < pixels; p += ITEMS) {
                const int grey = grey_of(source + p * (size_t)CHANNELS);
                for (int c = 0; c < CHANNELS; c++)
                    target[p * (size_t)CHANNELS + c] = blend(grey, source[p * (size_t)CHANNELS + c], factor);
            }
        } else if (CHANNELS == 3 && kind == ADJUST_HUE) {
            const int turn = (int)(adjustment->amounts[0] * 255.0f);
            for (int p = me; p < pixels; p += ITEMS)
                turn_hue(source + p * (size_t)CHANNELS, target + p * (size_t)CHANNELS, turn, scales + 256);
        } else if (kind == ADJUST_SHARPNESS) {
            const float factor = adjustment->amounts[0];
            const int pitch = width * CHANNELS;
            for (int p = me; p < pixels; p += ITEMS) {
                const int i = p / width, j = p % width;
                const bool is_edge = i == 0 || j == 0 || i == height - 1 || j == width - 1;
                for (int c = 0; c < CHANNELS; c++) {
                    __global const uchar *here = source + p * (size_t)CHANNELS + c;
                    int smooth = here[0];
                    if (!is_edge) {
                        __global const uchar *above = here - pitch, *below = here + pitch;
                        const int sum = above[-CHANNELS] + above[0] + above[CHANNELS] + here[-CHANNELS] + 5 * here[0] +
                                        here[CHANNELS] + below[-CHANNELS] + below[0] + below[CHANNELS];
                        smooth = (2 * sum + 13) / 26;
                    }
                    target[p * (size_t)CHANNELS + c] = blend(smooth, here[0], factor);
                }
            }
        } else if (kind == ADJUST_AFFINE) {
            long amounts[6];
            for (int k = 0; k < 6; k++) amounts[k] = convert_int_rte(adjustment->amounts[k] * 65536.0f);
            for (int p = me; p < pixels; p += ITEMS) {
                const int i = p / width - height / 2, j = p % width - width / 2;
                const int column = (int)((amounts[0] * j + amounts[1] * i + amounts[2]) >> 16) + width / 2;
                const int row = (int)((amounts[3] * j + amounts[4] * i + amounts[5]) >> 16) + height / 2;
                const bool is_inside = (uint)column < (uint)width && (uint)row < (uint)height;
                const size_t from = is_inside ? ((size_t)row * width + column) * CHANNELS : 0;
                for (int c = 0; c < CHANNELS; c++)
                    target[p * (size_t)CHANNELS + c] = is_inside ? source[from + c] : 0;
            }
        } else {
            for (int p = me; p < pixels; p += ITEMS)
                for (int c = 0; c < CHANNELS; c++)
                    target[p * (size_t)CHANNELS + c] = table[256 * c + source[p * (size_t)CHANNELS + c]];
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        source = target;
    }
}
