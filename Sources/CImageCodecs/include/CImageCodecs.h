#pragma once

#include <png.h>
#include <stdbool.h>
#include <stddef.h>
#include <turbojpeg.h>

// Whether the library is there; to be asked before any of its functions is called.
bool has_libpng(void);
bool has_turbojpeg(void);

enum { PNG_COMPLAINT_SIZE = 128 };

// Decodes a PNG of the given width and height into rows of width × channels bytes, channels being 1 for the
// grey types and 3 for the others. The stored values are kept: chunks about gamma, profiles and
// chromaticities are passed over, 16 bits give their upper 8, fewer bits are stretched to 8, and alpha is
// left out. Beside the pixels it takes memory for a few rows. False, with libpng's complaint, where it
// cannot.
bool decode_png(const unsigned char *bytes, size_t size, unsigned width, unsigned height, int channels,
                unsigned char *pixels, char complaint[PNG_COMPLAINT_SIZE]);
