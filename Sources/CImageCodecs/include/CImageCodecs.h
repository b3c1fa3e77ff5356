#pragma once

#include <stdbool.h>
#include <stddef.h>

// Whether the library is there, with all that is called of it; to be asked before it decodes anything.
bool has_libpng(void);
bool has_libjpeg_turbo(void);
bool has_libwebp(void);

enum { COMPLAINT_SIZE = 200 };

// A rectangle of an image's pixels, in the order in which they are stored.
typedef struct {
    unsigned top, left, height, width;
} StoredBox;

// Each decodes the box of an image of a known size into rows of box.width × channels bytes, to the same bytes as where the box
// is cut from the whole. Channels are 1, for images that are stored as grey, or 3. False, with the library's complaint, where it
// cannot: also where the image has another size than is said.
//
// PNG: the stored values are kept: chunks about gamma, profiles and chromaticities are passed over, 16 bits give their upper 8,
// fewer bits are stretched to 8, and alpha is left out. Beside the pixels it takes memory for a few rows, of an interlaced one
// for all.
bool decode_png(const unsigned char *bytes, size_t size, unsigned height, unsigned width, StoredBox box, int channels,
                unsigned char *pixels, char complaint[COMPLAINT_SIZE]);

// Encodes rows of width × channels bytes, grey or RGB, as a PNG. Nil bytes ask for the size that it has at most, which `*size`
// then says; else `*size` is the room there is before, and what was written after. False, with libpng's complaint, where it cannot.
bool encode_png(const unsigned char *pixels, unsigned height, unsigned width, int channels, unsigned char *bytes, size_t *size,
                char complaint[COMPLAINT_SIZE]);

// JPEG, at 1/reduction of its size, rounded up, which is 1, 2, 4 or 8; height and width are those of the file, the box lies in
// the reduced image. CMYK, and what becomes it, comes to RGB as Pillow does it, which takes it for Adobe's inverted form. A
// complaint beside true is about a file that is flawed though it could be read.
bool decode_jpeg(const unsigned char *bytes, size_t size, unsigned height, unsigned width, unsigned reduction, StoredBox box,
                 int channels, unsigned char *pixels, char complaint[COMPLAINT_SIZE]);

// WebP, one picture; alpha is left out. Three channels. It takes memory for the whole image, where the box is not the whole.
bool decode_webp(const unsigned char *bytes, size_t size, unsigned height, unsigned width, StoredBox box,
                 unsigned char *pixels, char complaint[COMPLAINT_SIZE]);
