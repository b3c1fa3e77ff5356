// The functions of libpng and of libjpeg-turbo's TurboJPEG that are called, each forwarding to its library,
// which is opened at the first use and not linked: a program that reads no images starts where the libraries
// are not installed. libpng reports errors by a jump, which Swift cannot take part in, so it is called in C.
//
// As in COpenCL the functions carry the libraries' own names and are hidden, so that the libraries do not
// bind to them.

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#pragma GCC visibility push(hidden)
#include "CImageCodecs.h"
#pragma GCC visibility pop

// FUNCTION(return type, name, parameters, arguments)
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
    FUNCTION(int, png_set_interlace_handling, (png_structrp handle), (handle))                               \
    FUNCTION(void, png_read_update_info, (png_structrp handle, png_inforp info), (handle, info))             \
    FUNCTION(size_t, png_get_rowbytes, (png_const_structrp handle, png_const_inforp info), (handle, info))   \
    FUNCTION(png_uint_32, png_get_image_height,                                                              \
             (png_const_structrp handle, png_const_inforp info), (handle, info))                             \
    FUNCTION(void, png_read_row,                                                                             \
             (png_structrp handle, png_bytep row, png_bytep display), (handle, row, display))

#define TURBOJPEG_FUNCTIONS(FUNCTION)                                                                        \
    FUNCTION(tjhandle, tjInitDecompress, (void), ())                                                         \
    FUNCTION(int, tjDecompressHeader3,                                                                       \
             (tjhandle handle, const unsigned char *jpeg, unsigned long size, int *width, int *height,       \
              int *subsampling, int *colorspace),                                                            \
             (handle, jpeg, size, width, height, subsampling, colorspace))                                   \
    FUNCTION(int, tjDecompress2,                                                                             \
             (tjhandle handle, const unsigned char *jpeg, unsigned long size, unsigned char *pixels,         \
              int width, int pitch, int height, int pixel_format, int flags),                                \
             (handle, jpeg, size, pixels, width, pitch, height, pixel_format, flags))                        \
    FUNCTION(int, tjGetErrorCode, (tjhandle handle), (handle))                                               \
    FUNCTION(char *, tjGetErrorStr2, (tjhandle handle), (handle))                                            \
    FUNCTION(int, tjDestroy, (tjhandle handle), (handle))

#define FIELD(type, name, parameters, arguments) __typeof__(name) *name;
static struct {
    bool is_loaded;
    PNG_FUNCTIONS(FIELD)
} png;
static struct {
    bool is_loaded;
    TURBOJPEG_FUNCTIONS(FIELD)
} turbojpeg;

static void *open_first(const char *const names[2]) {
    void *library = dlopen(names[0], RTLD_NOW | RTLD_LOCAL);
    return library ? library : dlopen(names[1], RTLD_NOW | RTLD_LOCAL);
}

#define LOOKUP(type, name, parameters, arguments)                                                            \
    found = found && (LIBRARY.name = (__typeof__(name) *)dlsym(library, #name)) != NULL;

static void load_png(void) {
    // The number is part of libpng's binary interface: png.h is that of 1.6.
    void *library = open_first((const char *const[2]){"libpng16.so.16", "libpng16.so"});
    bool found = library != NULL;
#define LIBRARY png
    PNG_FUNCTIONS(LOOKUP)
#undef LIBRARY
    png.is_loaded = found;
}

static void load_turbojpeg(void) {
    void *library = open_first((const char *const[2]){"libturbojpeg.so.0", "libturbojpeg.so"});
    bool found = library != NULL;
#define LIBRARY turbojpeg
    TURBOJPEG_FUNCTIONS(LOOKUP)
#undef LIBRARY
    turbojpeg.is_loaded = found;
}

bool has_libpng(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_png);
    return png.is_loaded;
}

bool has_turbojpeg(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_turbojpeg);
    return turbojpeg.is_loaded;
}

#define TRAMPOLINE(type, name, parameters, arguments)                                                        \
    type name parameters { return LIBRARY.name arguments; }
#define LIBRARY png
PNG_FUNCTIONS(TRAMPOLINE)
#undef LIBRARY
#define LIBRARY turbojpeg
TURBOJPEG_FUNCTIONS(TRAMPOLINE)
#undef LIBRARY

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
    strncpy(source->complaint, message, PNG_COMPLAINT_SIZE - 1);
    longjmp(source->failure, 1);
}

static void ignore(png_structp handle, png_const_charp message) {}

bool decode_png(const unsigned char *bytes, size_t size, unsigned width, unsigned height, int channels,
                unsigned char *pixels, char complaint[PNG_COMPLAINT_SIZE]) {
    memset(complaint, 0, PNG_COMPLAINT_SIZE);
    PNGSource source = {bytes, size, complaint, {}};
    png_structp volatile handle = NULL;
    png_infop volatile info = NULL;
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
            const int passes = png_set_interlace_handling(handle);
            png_read_update_info(handle, info);
            const size_t length = (size_t)width * channels;
            if (png_get_rowbytes(handle, info) == length && png_get_image_height(handle, info) == height) {
                for (int pass = 0; pass < passes; pass++)
                    for (size_t row = 0; row < height; row++)
                        png_read_row(handle, pixels + row * length, NULL);
                is_whole = true;
            } else {
                strcpy(complaint, "its header changed while it was read");
            }
        } else {
            strcpy(complaint, "libpng cannot begin");
        }
    }
    png_structp begun = handle;
    png_infop begun_info = info;
    if (begun) png_destroy_read_struct(&begun, &begun_info, NULL);
    return is_whole;
}
