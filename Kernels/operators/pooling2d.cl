// Max, average and global average pooling over [N][H][W][C], and their gradients.
//
// Work-items: global (channel workers, column workers, row workers). A work-item takes its share of the rows (n, i) of
// the result, every size(1)-th pixel of a row and every size(0)-th vector of its channels, so that a CPU runs whole
// rows, many at a time (sizes 1, 1), and a GPU one a work-item, neighbouring channels side by side.
//
// The gradients gather: each pixel of the image looks at the windows above it, so no two work-items add to
// one place and the order of summation is fixed.
//
// Constants, where they are not usual: DILATION_HEIGHT and DILATION_WIDTH, pixels from one of a max pooling window's
// places to the next; PADDING_BOTTOM and PADDING_RIGHT, where an average's padding is another at the end.

#ifndef DILATION_HEIGHT
#define DILATION_HEIGHT 1
#endif
#ifndef DILATION_WIDTH
#define DILATION_WIDTH 1
#endif
#ifndef PADDING_BOTTOM
#define PADDING_BOTTOM g.padding_height
#define PADDING_RIGHT g.padding_width
#endif

#if LONG_WORK_ITEMS
#define FOR_EACH_ROW(row)                                                                           \
    for (int row = (int)((long)g.rows * get_global_id(2) / get_global_size(2)),                     \
             end_row = (int)((long)g.rows * (get_global_id(2) + 1) / get_global_size(2));           \
         row < end_row; row++)
#else
#define FOR_EACH_ROW(row) for (int row = get_global_id(2); row < g.rows; row += get_global_size(2))
#endif

#define FOR_EACH_PIXEL(column, columns) \
    for (int column = get_global_id(1); column < (columns); column += get_global_size(1))

// load_first and store_first for bytes.
#if MASKED_MOVES == 16
static inline int_lanes load_first_bytes(__global const uchar *pointer, int count) {
    if (count >= LANES) return convert_int16(vload16(0, pointer));
    return convert_int16(as_uchar16(__builtin_ia32_loaddquqi128_mask(
        (const char16 *)(size_t)pointer, (char16)(0), FIRST_LANES(count))));
}

static inline void store_first_bytes(int_lanes value, __global uchar *pointer, int count) {
    const uchar16 bytes = convert_uchar16(value);
    if (count >= LANES)
        vstore16(bytes, 0, pointer);
    else
        __builtin_ia32_storedquqi128_mask((char16 *)(size_t)pointer, as_char16(bytes), FIRST_LANES(count));
}
#elif MASKED_MOVES == 8
// In pieces of 4, 2 and 1.
static inline int_lanes load_first_bytes(__global const uchar *pointer, int count) {
    if (count >= LANES) return convert_int8(vload8(0, pointer));
    ulong bytes = 0;
    int bits = 0;
    if (count & 4) bytes = as_uint(vload4(0, pointer)), bits = 32, pointer += 4;
    if (count & 2) bytes |= (ulong)as_ushort(vload2(0, pointer)) << bits, bits += 16, pointer += 2;
    if (count & 1) bytes |= (ulong)*pointer << bits;
    return convert_int8(as_uchar8(bytes));
}

static inline void store_first_bytes(int_lanes value, __global uchar *pointer, int count) {
    const uchar8 bytes = convert_uchar8(value);
    if (count >= LANES) {
        vstore8(bytes, 0, pointer);
        return;
    }
    ulong rest = as_ulong(bytes);
    if (count & 4) vstore4(as_uchar4((uint)rest), 0, pointer), rest >>= 32, pointer += 4;
    if (count & 2) vstore2(as_uchar2((ushort)rest), 0, pointer), rest >>= 16, pointer += 2;
    if (count & 1) *pointer = (uchar)rest;
}
#else
static inline int_lanes load_first_bytes(__global const uchar *pointer, int count) {
    if (count >= LANES) return JOIN(convert_int, LANES)(JOIN(vload, LANES)(0, pointer));
    int values[LANES];
    for (int lane = 0; lane < LANES; lane++) values[lane] = lane < count ? pointer[lane] : 0;
    return JOIN(vload, LANES)(0, values);
}

static inline void store_first_bytes(int_lanes value, __global uchar *pointer, int count) {
    if (count >= LANES) {
        JOIN(vstore, LANES)(JOIN(convert_uchar, LANES)(value), 0, pointer);
        return;
    }
    int values[LANES];
    JOIN(vstore, LANES)(value, 0, values);
    for (int lane = 0; lane < count; lane++) pointer[lane] = (uchar)values[lane];
}
#endif

// Whether the windows are whole and side by side, and one work-item makes a row of results, or of gradients under one
// row of windows.
static inline bool windows_side_by_side(const PoolGeometry *g) {
    return LONG_WORK_ITEMS && DILATION_HEIGHT * DILATION_WIDTH == 1 && g->kernel_width == g->stride_width &&
           g->padding_width + g->padding_height == 0 && g->output_width * g->stride_width == g->width &&
           (g->output_height - 1) * g->stride_height + g->kernel_height <= g->height;
}

// How many floats a load or store at `place` of a row of `length` may take, where `left` of the pixel's channels are
// left: of a pixel that is less than a vector, also the next ones', which are stored after it.
static inline int room_at(int place, int length, int left, const PoolGeometry *g) {
    return g->channels < LANES ? length - place : left;
}

// The greater of two, and its place; the first of equals. A NaN wins and stays.
#define TAKE_GREATER(best, winner, value, place)                        \
    {                                                                   \
        const int_lanes wins = (value) > best || isnan(value);          \
        best = select(best, (value), wins);                             \
        winner = select(winner, (int_lanes)(place), wins);              \
    }

// Steps of that many pixels until the pixel is reached, or passed.
#define STEPS(pixels, dilation) (((pixels) + (dilation) - 1) / (dilation))

// y = max under the window, then the epilogue; `indices` gets the winner's place kh · kernel width + kw.
__kernel void maxpool2d_forward(__global const activation *restrict x, __global activation *restrict y,
                                __global uchar *restrict indices, const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int i = row % g.output_height, n = row / g.output_height;
        if (windows_side_by_side(&g)) {
            const int line = g.width * g.channels, length = g.output_width * g.channels;
            __global const activation *first = x + ((size_t)n * g.height + i * g.stride_height) * line;
            for (int j = 0; j < g.output_width; j++)
                FOR_EACH_CHANNELS(channel, left, g.channels) {
                    __global const activation *from = first + j * g.kernel_width * g.channels + channel;
                    lanes best = (lanes)(-INFINITY);
                    int_lanes winner = (int_lanes)(0);
                    for (int kh = 0, place = 0; kh < g.kernel_height; kh++, from += line)
                        for (int kw = 0; kw < g.kernel_width; kw++, place++) {
                            const lanes value = load_first(from + kw * g.channels, left);
                            TAKE_GREATER(best, winner, value, place)
                        }
                    const int at = j * g.channels + channel, room = room_at(at, length, left, &g);
                    if (g.epilogue == EPILOGUE_ACTIVATION) best = ACTIVATED(best);
                    store_first(best, y + (size_t)row * length + at, room);
                    if (g.gives_indices) store_first_bytes(winner, indices + (size_t)row * length + at, room);
                }
            continue;
        }
        FOR_EACH_PIXEL(j, g.output_width) {
            const int top = i * g.stride_height - g.padding_height, left_edge = j * g.stride_width - g.padding_width;
            const int first_row = STEPS(max(0, -top), DILATION_HEIGHT);
            const int first_column = STEPS(max(0, -left_edge), DILATION_WIDTH);
            const int end_row = min(g.kernel_height, STEPS(g.height - top, DILATION_HEIGHT));
            const int end_column = min(g.kernel_width, STEPS(g.width - left_edge, DILATION_WIDTH));
            const size_t result = ((size_t)row * g.output_width + j) * g.channels;
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes best = (lanes)(-INFINITY);
                int_lanes winner = (int_lanes)(first_row * g.kernel_width + first_column);
                for (int kh = first_row; kh < end_row; kh++) {
                    for (int kw = first_column; kw < end_column; kw++) {
                        const size_t line = (size_t)n * g.height + top + kh * DILATION_HEIGHT;
                        const size_t at = line * g.width + left_edge + kw * DILATION_WIDTH;
                        const lanes value = load_first(x + at * g.channels + channel, left);
                        TAKE_GREATER(best, winner, value, kh * g.kernel_width + kw)
                    }
                }
                if (g.epilogue == EPILOGUE_ACTIVATION) best = ACTIVATED(best);
                store_first(best, y + result + channel, left);
                if (g.gives_indices) store_first_bytes(winner, indices + result + channel, left);
            }
        }
    }
}

// The windows i that reach over a place: ⌈(place + padding − extent + 1) / stride⌉ … ⌊(place + padding) / stride⌋.
typedef struct {
    int first, end;
} Windows;

// a / stride, rounded down where it is not negative, without the dozens of cycles of an integer division: half a step
// above the quotient's last whole number is far enough from the next for a float's rounding.
static inline int divided(int a, int stride) { return (int)((a + 0.5f) * (1.0f / stride)); }

static inline Windows windows_over(int place, int extent, int stride, int padding, int windows) {
    return (Windows){max(0, divided(place + padding - extent + stride, stride)),
                     min(windows, divided(place + padding, stride) + 1)};
}

#define WINDOW_ROWS(y)                                                                                        \
    windows_over(y, (g.kernel_height - 1) * DILATION_HEIGHT + 1, g.stride_height, g.padding_height, g.output_height)
#define WINDOW_COLUMNS(x)                                                                                     \
    windows_over(x, (g.kernel_width - 1) * DILATION_WIDTH + 1, g.stride_width, g.padding_width, g.output_width)
#define FOR_EACH_WINDOW(i, j)                          \
    for (int i = rows.first; i < rows.end; i++)        \
        for (int j = columns.first; j < columns.end; j++)

// dx[pixel] = Σ dy over the windows that the pixel won; with a mask, the pooling's output, those where it is above
// zero: the gradient of a ReLU before the pooling, whose output is there what the pixel won with.
__kernel void maxpool2d_gradient(__global const activation *restrict dy, __global const uchar *restrict indices,
                                 __global const activation *restrict mask, __global activation *restrict dx,
                                 const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int y = row % g.height, n = row / g.height;
        const Windows rows = WINDOW_ROWS(y);
        if (windows_side_by_side(&g) && rows.end - rows.first == 1) {
            const int length = g.width * g.channels, first_place = (y - rows.first * g.stride_height) * g.kernel_width;
            const size_t windows = ((size_t)n * g.output_height + rows.first) * g.output_width * g.channels;
            for (int j = 0; j < g.output_width; j++)
                FOR_EACH_CHANNELS(channel, left, g.channels) {
                    const size_t from = windows + j * g.channels + channel;
                    const int_lanes winner = load_first_bytes(indices + from, left);
                    lanes gradient = load_first(dy + from, left);
                    if (g.epilogue == EPILOGUE_GRADIENT)
                        gradient = ACTIVATION_GRADIENT(gradient, load_first(mask + from, left));
                    for (int kw = 0; kw < g.kernel_width; kw++) {
                        const int at = (j * g.kernel_width + kw) * g.channels + channel;
                        store_first(select((lanes)(0.0f), gradient, winner == (int_lanes)(first_place + kw)),
                                    dx + (size_t)row * length + at, room_at(at, length, left, &g));
                    }
                }
            continue;
        }
        FOR_EACH_PIXEL(x, g.width) {
            const Windows columns = WINDOW_COLUMNS(x);
            const size_t result = ((size_t)row * g.width + x) * g.channels;
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes sum = (lanes)(0.0f);
                FOR_EACH_WINDOW(i, j) {
                    const int down = y + g.padding_height - i * g.stride_height;
                    const int across = x + g.padding_width - j * g.stride_width;
                    if (down % DILATION_HEIGHT || across % DILATION_WIDTH) continue;
                    const int place = down / DILATION_HEIGHT * g.kernel_width + across / DILATION_WIDTH;
                    const size_t at = (((size_t)n * g.output_height + i) * g.output_width + j) * g.channels + channel;
                    const int_lanes won = load_first_bytes(indices + at, left) == (int_lanes)(place);
                    lanes gradient = select((lanes)(0.0f), load_first(dy + at, left), won);
                    if (g.epilogue == EPILOGUE_GRADIENT)
                        gradient = ACTIVATION_GRADIENT(gradient, load_first(mask + at, left));
                    sum += gradient;
                }
                store_first(sum, dx + result + channel, left);
            }
        }
    }
}

// How many places the window (i, j) averages over; what hangs over the padding, too, never counts.
static inline int window_area(int i, int j, const PoolGeometry g) {
    const int top = i * g.stride_height - g.padding_height, left = j * g.stride_width - g.padding_width;
    if (g.counts_padding)
        return (min(top + g.kernel_height, g.height + PADDING_BOTTOM) - top) *
               (min(left + g.kernel_width, g.width + PADDING_RIGHT) - left);
    return (min(top + g.kernel_height, g.height) - max(top, 0)) *
           (min(left + g.kernel_width, g.width) - max(left, 0));
}

// y = mean under the window, then the epilogue.
__kernel void averagepool2d_forward(__global const activation *restrict x, __global activation *restrict y,
                                    const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int i = row % g.output_height, n = row / g.output_height;
        if (windows_side_by_side(&g)) {
            const int line = g.width * g.channels, length = g.output_width * g.channels;
            __global const activation *first = x + ((size_t)n * g.height + i * g.stride_height) * line;
            const lanes share = (lanes)(1.0f / (g.kernel_height * g.kernel_width));
            for (int j = 0; j < g.output_width; j++)
                FOR_EACH_CHANNELS(channel, left, g.channels) {
                    const int from = j * g.kernel_width * g.channels + channel;
                    lanes sum = (lanes)(0.0f);
                    for (int kw = 0; kw < g.kernel_width; kw++) {
                        const int place = from + kw * g.channels, room = room_at(place, line, left, &g);
                        for (int kh = 0; kh < g.kernel_height; kh++) sum += load_first(first + kh * line + place, room);
                    }
                    const int at = j * g.channels + channel;
                    sum *= share;
                    if (g.epilogue == EPILOGUE_ACTIVATION) sum = ACTIVATED(sum);
                    store_first(sum, y + (size_t)row * length + at, room_at(at, length, left, &g));
                }
            continue;
        }
        FOR_EACH_PIXEL(j, g.output_width) {
            const int top = i * g.stride_height - g.padding_height, left_edge = j * g.stride_width - g.padding_width;
            const size_t result = ((size_t)row * g.output_width + j) * g.channels;
            const lanes share = (lanes)(1.0f / window_area(i, j, g));
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes sum = (lanes)(0.0f);
                for (int kh = max(0, -top); kh < min(g.kernel_height, g.height - top); kh++) {
                    for (int kw = max(0, -left_edge); kw < min(g.kernel_width, g.width - left_edge); kw++) {
                        const size_t at = ((size_t)n * g.height + top + kh) * g.width + left_edge + kw;
                        sum += load_first(x + at * g.channels + channel, left);
                    }
                }
                sum *= share;
                if (g.epilogue == EPILOGUE_ACTIVATION) sum = ACTIVATED(sum);
                store_first(sum, y + result + channel, left);
            }
        }
    }
}

// dx[pixel] = Σ dy / area over the windows above it, then the epilogue.
__kernel void averagepool2d_gradient(__global const activation *restrict dy, __global const activation *restrict mask,
                                     __global activation *restrict dx, const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int y = row % g.height, n = row / g.height;
        const Windows rows = WINDOW_ROWS(y);
        // A row is each window's value, as often as it is wide.
        if (windows_side_by_side(&g) && rows.end - rows.first == 1) {
            const int length = g.width * g.channels;
            const size_t windows = ((size_t)n * g.output_height + rows.first) * g.output_width * g.channels;
            const lanes share = (lanes)(1.0f / window_area(rows.first, 0, g));
            for (int j = 0; j < g.output_width; j++)
                FOR_EACH_CHANNELS(channel, left, g.channels) {
                    const int from = j * g.channels + channel;
                    const lanes value =
                        load_first(dy + windows + from, room_at(from, g.output_width * g.channels, left, &g)) * share;
                    for (int kw = 0; kw < g.kernel_width; kw++) {
                        const int at = (j * g.kernel_width + kw) * g.channels + channel;
                        const int room = room_at(at, length, left, &g);
                        __global const activation *operand = mask + (size_t)row * length + at;
                        store_first(with_epilogue(value, g.epilogue, operand, operand, room),
                                    dx + (size_t)row * length + at, room);
                    }
                }
            continue;
        }
        FOR_EACH_PIXEL(x, g.width) {
            const Windows columns = WINDOW_COLUMNS(x);
            const size_t result = ((size_t)row * g.width + x) * g.channels;
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes sum = (lanes)(0.0f);
                FOR_EACH_WINDOW(i, j) {
                    const size_t at = (((size_t)n * g.output_height + i) * g.output_width + j) * g.channels + channel;
                    sum = fma(load_first(dy + at, left), (lanes)(1.0f / window_area(i, j, g)), sum);
                }
                __global const activation *operand = mask + result + channel;
                store_first(with_epilogue(sum, g.epilogue, operand, operand, left), dx + result + channel, left);
            }
        }
    }
}

// Part i of `parts` of so many places: ⌊i · places / parts⌋ … ⌈(i + 1) · places / parts⌉ − 1. Parts may share places.
static inline Windows part_of(int i, int places, int parts) {
    return (Windows){(int)((long)i * places / parts), (int)(((long)(i + 1) * places + parts - 1) / parts)};
}

// The parts that a place is in: those i with i · places < (place + 1) · parts and (i + 1) · places > place · parts.
static inline Windows parts_over(int place, int places, int parts) {
    return (Windows){(int)((long)place * parts / places), (int)(((long)(place + 1) * parts + places - 1) / places)};
}

// y = mean over a part of the image, for each of output_height × output_width parts; then the epilogue.
__kernel void adaptive_averagepool2d_forward(__global const activation *restrict x, __global activation *restrict y,
                                             const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int i = row % g.output_height, n = row / g.output_height;
        const Windows rows = part_of(i, g.height, g.output_height);
        FOR_EACH_PIXEL(j, g.output_width) {
            const Windows columns = part_of(j, g.width, g.output_width);
            const float share = 1.0f / ((rows.end - rows.first) * (columns.end - columns.first));
            const size_t result = ((size_t)row * g.output_width + j) * g.channels;
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes sum = (lanes)(0.0f);
                for (int h = rows.first; h < rows.end; h++)
                    for (int w = columns.first; w < columns.end; w++) {
                        const size_t at = ((size_t)n * g.height + h) * g.width + w;
                        sum += load_first(x + at * g.channels + channel, left);
                    }
                sum *= share;
                if (g.epilogue == EPILOGUE_ACTIVATION) sum = ACTIVATED(sum);
                store_first(sum, y + result + channel, left);
            }
        }
    }
}

// dx[pixel] = Σ dy / area over the parts that the pixel is in, then the epilogue.
__kernel void adaptive_averagepool2d_gradient(__global const activation *restrict dy,
                                              __global const activation *restrict mask,
                                              __global activation *restrict dx, const PoolGeometry g) {
    FOR_EACH_ROW(row) {
        const int y = row % g.height, n = row / g.height;
        const Windows rows = parts_over(y, g.height, g.output_height);
        FOR_EACH_PIXEL(x, g.width) {
            const Windows columns = parts_over(x, g.width, g.output_width);
            const size_t result = ((size_t)row * g.width + x) * g.channels;
            FOR_EACH_CHANNELS(channel, left, g.channels) {
                lanes sum = (lanes)(0.0f);
                FOR_EACH_WINDOW(i, j) {
                    const Windows height = part_of(i, g.height, g.output_height);
                    const Windows width = part_of(j, g.width, g.output_width);
                    const float share = 1.0f / ((height.end - height.first) * (width.end - width.first));
                    const size_t at = (((size_t)n * g.output_height + i) * g.output_width + j) * g.channels + channel;
                    sum = fma(load_first(dy + at, left), (lanes)(share), sum);
                }
                __global const activation *operand = mask + result + channel;
                store_first(with_epilogue(sum, g.epilogue, operand, operand, left), dx + result + channel, left);
            }
        }
    }
}

// y[n, c] = mean of x[n, :, :, c]; rows count the images, and there are no columns to share.
__kernel void global_averagepool_forward(__global const activation *restrict x, __global activation *restrict y,
                                         const PoolGeometry g) {
    const int n = get_global_id(2), pixels = g.height * g.width;
    FOR_EACH_CHANNELS(channel, left, g.channels) {
        lanes sum = (lanes)(0.0f);
        for (int pixel = 0; pixel < pixels; pixel++)
            sum += load_first(x + ((size_t)n * pixels + pixel) * g.channels + channel, left);
        store_first(sum / (float)pixels, y + (size_t)n * g.channels + channel, left);
    }
}

// dx[n, :, :, c] = dy[n, c] / pixels, then the epilogue; rows count the images, columns their pixels.
__kernel void global_averagepool_gradient(__global const activation *restrict dy,
                                          __global const activation *restrict mask, __global activation *restrict dx,
                                          const PoolGeometry g) {
    const int n = get_global_id(2), pixels = g.height * g.width;
    FOR_EACH_PIXEL(pixel, pixels) {
        FOR_EACH_CHANNELS(channel, left, g.channels) {
            const lanes value = load_first(dy + (size_t)n * g.channels + channel, left) / (float)pixels;
            const size_t at = ((size_t)n * pixels + pixel) * g.channels + channel;
            store_first(with_epilogue(value, g.epilogue, mask + at, mask + at, left), dx + at, left);
        }
    }
}
