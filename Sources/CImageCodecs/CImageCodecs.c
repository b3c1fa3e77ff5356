// The functions of libpng (its simplified interface, which needs no setjmp) and of libjpeg-turbo's TurboJPEG
// that ResinDataset calls, each forwarding to its library, which is opened at the first use and not linked: a
// program that reads no images starts where the libraries are not installed.
//
// As in COpenCL the functions carry the libraries' own names and are hidden, so that the libraries do not
// bind to them.

#pragma GCC visibility push(hidden)
#include "CImageCodecs.h"
#pragma GCC visibility pop

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

// FUNCTION(return type, name, parameters, arguments)
#define PNG_FUNCTIONS(FUNCTION)                                                                              \
    FUNCTION(int, png_image_begin_read_from_memory, (png_imagep image, png_const_voidp memory, size_t size), \
             (image, memory, size))                                                                          \
    FUNCTION(int, png_image_finish_read,                                                                     \
             (png_imagep image, png_const_colorp background, void *buffer, png_int_32 row_stride,            \
              void *colormap),                                                                               \
             (image, background, buffer, row_stride, colormap))                                              \
    FUNCTION(void, png_image_free, (png_imagep image), (image))

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
