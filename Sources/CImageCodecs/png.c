// libpng reports errors by a jump, which Swift cannot take part in, so it is called in C.

#include <setjmp.h>

#include "Library.h"

#pragma GCC visibility push(hidden)
#include <png.h>
#pragma GCC visibility pop

#include "CImageCodecs.h"

#define PNG_FUNCTIONS(FUNCTION)                                                                              \
    FUNCTION(png_structp, png_create_read_struct,                                                            \
             (png_const_charp version, png_voidp error, png_error_ptr on_error, png_error_ptr on_warning),   \
             (version, error, on_error, on_warning))                                                         \
    FUNCTION(png_infop, png_create_info_struct, (png_const_structrp handle), (handle))                       \
    FUNCTION(void, png_destroy_read_struct,                                                                  \
             (png_structpp handle, png_infopp info, png_infopp end), (handle, info, end))                    \
    FUNCTION(png_voidp, png_get_error_ptr, (png_const_structrp handle), (handle))                            \
    FUNCTION(void, png_set_read_fn, (png_structrp handle, png_voidp source, png_rw_ptr read),                \
             (handle, source, read))                                                                         \
    FUNCTION(png_voidp, png_get_io_ptr, (png_const_structrp handle), (handle))                               \
    FUNCTION(void, png_set_keep_unknown_chunks,                                                              \
             (png_structrp handle, int keep, png_const_bytep list, int count), (handle, keep, list, count))  \
    FUNCTION(void, png_read_info, (png_structrp handle, png_inforp info), (handle, info))                    \
    FUNCTION(void, png_set_expand, (png_structrp handle), (handle))                                          \
    FUNCTION(void, png_set_strip_16, (png_structrp handle), (handle))                                        \
    FUNCTION(void, png_set_strip_alpha, (png_structrp handle), (handle))                                     \
    FUNCTION(void, png_set_gray_to_rgb, (png_structrp handle), (handle))                                     \
    FUNCTION(int, png_set_interlace_handling, (png_structrp handle), (handle))                               \
    FUNCTION(void, png_read_update_info, (png_structrp handle, png_inforp info), (handle, info))             \
    FUNCTION(size_t, png_get_rowbytes, (png_const_structrp handle, png_const_inforp info), (handle, info))   \
    FUNCTION(png_uint_32, png_get_image_width,                                                               \
             (png_const_structrp handle, png_const_inforp info), (handle, info))                             \
    FUNCTION(png_uint_32, png_get_image_height,                                                              \
             (png_const_structrp handle, png_const_inforp info), (handle, info))                             \
    FUNCTION(void, png_read_row,                                                                             \
             (png_structrp handle, png_bytep row, png_bytep display), (handle, row, display))                \
    FUNCTION(int, png_image_write_to_memory,                                                                 \
             (png_imagep image, void *memory, png_alloc_size_t *size, int convert_to_8_bit,                  \
              const void *buffer, png_int_32 row_stride, const void *colormap),                              \
             (image, memory, size, convert_to_8_bit, buffer, row_stride, colormap))

LIBRARY(PNG_FUNCTIONS, has_libpng,
        // The number is part of libpng's binary interface: png.h is that of 1.6.
        "libpng16.so.16", "libpng16.so")

// Where decode_png stands, for libpng's callbacks.
typedef struct {
    const unsigned char *bytes;
    size_t left;
    char *complaint;
    jmp_buf failure;
} PNGSource;

static void read_bytes(png_structp handle, png_bytep target, size_t count) {
    PNGSource *source = png_get_io_ptr(handle);
    if (count > source->left) {
        strcpy(source->complaint, "it ends too early");
        longjmp(source->failure, 1);
    }
    memcpy(target, source->bytes, count);
    source->bytes += count;
    source->left -= count;
}

static void fail(png_structp handle, png_const_charp message) {
    PNGSource *source = png_get_error_ptr(handle);
    strncpy(source->complaint, message, COMPLAINT_SIZE - 1);
    longjmp(source->failure, 1);
}

static void ignore(png_structp handle, png_const_charp message) {}

bool decode_png(const unsigned char *bytes, size_t size, unsigned height, unsigned width, StoredBox box, int channels,
                unsigned char *pixels, char complaint[COMPLAINT_SIZE]) {
    memset(complaint, 0, COMPLAINT_SIZE);
    PNGSource source = {bytes, size, complaint, {}};
    png_structp volatile handle = NULL;
    png_infop volatile info = NULL;
    // Rows, where they are not the box's: one, or all of an interlaced image.
    unsigned char *volatile rows = NULL;
    bool volatile is_whole = false;
    if (setjmp(source.failure) == 0) {
        handle = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, fail, ignore);
        info = handle ? png_create_info_struct(handle) : NULL;
        if (info) {
            png_set_read_fn(handle, &source, read_bytes);
            // All but IHDR, PLTE, tRNS, IDAT and IEND.
            png_set_keep_unknown_chunks(handle, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
            png_read_info(handle, info);
            png_set_expand(handle);
            png_set_strip_16(handle);
            png_set_strip_alpha(handle);
            if (channels == 3) png_set_gray_to_rgb(handle);
            const int passes = png_set_interlace_handling(handle);
            png_read_update_info(handle, info);
            const size_t length = (size_t)width * channels, box_length = (size_t)box.width * channels;
            const bool is_direct = box.width == width && (passes == 1 || box.height == height);
            if (!is_direct) rows = malloc(passes == 1 ? length : length * height);
            if (png_get_rowbytes(handle, info) != length || png_get_image_height(handle, info) != height ||
                png_get_image_width(handle, info) != width) {
                strcpy(complaint, "its header changed while it was read");
            } else if (!is_direct && !rows) {
                strcpy(complaint, "there is no memory for its rows");
            } else {
                for (int pass = 0; pass < passes; pass++)
                    // What comes below the box is not looked at, unless a later pass needs it.
                    for (size_t row = 0; row < (passes == 1 ? box.top + box.height : height); row++) {
                        const bool is_inside = row >= box.top && row - box.top < box.height;
                        unsigned char *target = pixels + (row - box.top) * box_length;
                        if (is_direct) {
                            // Rows above the box need a place, too.
                            png_read_row(handle, is_inside ? target : pixels, NULL);
                            continue;
                        }
                        unsigned char *line = passes == 1 ? rows : rows + row * length;
                        png_read_row(handle, line, NULL);
                        if (is_inside && pass == passes - 1)
                            memcpy(target, line + (size_t)box.left * channels, box_length);
                    }
                is_whole = true;
            }
        } else {
            strcpy(complaint, "libpng cannot begin");
        }
    }
    png_structp begun = handle;
    png_infop begun_info = info;
    if (begun) png_destroy_read_struct(&begun, &begun_info, NULL);
    free(rows);
    return is_whole;
}

bool encode_png(const unsigned char *pixels, unsigned height, unsigned width, int channels, unsigned char *bytes, size_t *size,
                char complaint[COMPLAINT_SIZE]) {
    memset(complaint, 0, COMPLAINT_SIZE);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width,
                       .height = height,
                       .format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    png_alloc_size_t count = bytes ? *size : PNG_IMAGE_PNG_SIZE_MAX(image);
    if (bytes && !png_image_write_to_memory(&image, bytes, &count, 0, pixels, 0, NULL)) {
        strncpy(complaint, image.message, COMPLAINT_SIZE - 1);
        return false;
    }
    *size = count;
    return true;
}
