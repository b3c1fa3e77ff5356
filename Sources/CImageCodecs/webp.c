#include "Library.h"

#pragma GCC visibility push(hidden)
#include <webp/decode.h>
#pragma GCC visibility pop

#include "CImageCodecs.h"

#define WEBP_FUNCTIONS(FUNCTION)                                                                             \
    FUNCTION(int, WebPGetInfo, (const uint8_t *data, size_t size, int *width, int *height),                  \
             (data, size, width, height))                                                                    \
    FUNCTION(uint8_t *, WebPDecodeRGBInto,                                                                   \
             (const uint8_t *data, size_t size, uint8_t *pixels, size_t pixels_size, int stride),            \
             (data, size, pixels, pixels_size, stride))

LIBRARY(WEBP_FUNCTIONS, has_libwebp, "libwebp.so.7", "libwebp.so.6", "libwebp.so")

bool decode_webp(const unsigned char *bytes, size_t size, unsigned height, unsigned width, StoredBox box,
                 unsigned char *pixels, char complaint[COMPLAINT_SIZE]) {
    memset(complaint, 0, COMPLAINT_SIZE);
    int found_height = 0, found_width = 0;
    if (!WebPGetInfo(bytes, size, &found_width, &found_height)) {
        strcpy(complaint, "its header is not right");
        return false;
    }
    if (found_height != (int)height || found_width != (int)width) {
        strcpy(complaint, "its header changed while it was read");
        return false;
    }
    const size_t length = 3 * (size_t)width;
    const bool is_direct = box.width == width && box.height == height;
    unsigned char *whole = is_direct ? pixels : malloc(length * height);
    if (!whole) {
        strcpy(complaint, "there is no memory for its pixels");
        return false;
    }
    const bool is_decoded = WebPDecodeRGBInto(bytes, size, whole, length * height, (int)length) != NULL;
    if (!is_decoded) strcpy(complaint, "its data are not right");
    if (is_decoded && !is_direct)
        for (size_t row = 0; row < box.height; row++)
            memcpy(pixels + row * 3 * box.width, whole + (box.top + row) * length + 3 * (size_t)box.left,
                   3 * (size_t)box.width);
    if (!is_direct) free(whole);
    return is_decoded;
}
