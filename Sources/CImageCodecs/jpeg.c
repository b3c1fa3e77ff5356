// libjpeg reports errors by whatever its error handler does, which must not return: a jump, so it is called in C.

#include <setjmp.h>

#include "Library.h"

#pragma GCC visibility push(hidden)
#include <jpeglib.h>
#include <jerror.h>
#pragma GCC visibility pop

#include "CImageCodecs.h"

#define JPEG_FUNCTIONS(FUNCTION)                                                                             \
    FUNCTION(struct jpeg_error_mgr *, jpeg_std_error, (struct jpeg_error_mgr * errors), (errors))            \
    FUNCTION(void, jpeg_CreateDecompress, (j_decompress_ptr decoder, int version, size_t structsize),        \
             (decoder, version, structsize))                                                                 \
    FUNCTION(void, jpeg_destroy_decompress, (j_decompress_ptr decoder), (decoder))                           \
    FUNCTION(void, jpeg_mem_src,                                                                             \
             (j_decompress_ptr decoder, const unsigned char *bytes, unsigned long size),                     \
             (decoder, bytes, size))                                                                         \
    FUNCTION(int, jpeg_read_header, (j_decompress_ptr decoder, boolean require_image),                       \
             (decoder, require_image))                                                                       \
    FUNCTION(boolean, jpeg_start_decompress, (j_decompress_ptr decoder), (decoder))                          \
    FUNCTION(JDIMENSION, jpeg_read_scanlines,                                                                \
             (j_decompress_ptr decoder, JSAMPARRAY rows, JDIMENSION count), (decoder, rows, count))          \
    FUNCTION(JDIMENSION, jpeg_skip_scanlines, (j_decompress_ptr decoder, JDIMENSION count),                  \
             (decoder, count))                                                                               \
    FUNCTION(void, jpeg_crop_scanline, (j_decompress_ptr decoder, JDIMENSION * left, JDIMENSION * width),    \
             (decoder, left, width))

// The number of libjpeg's binary interface, of which libjpeg-turbo has three. The last two functions are libjpeg-turbo's alone.
#if JPEG_LIB_VERSION >= 80
#define JPEG_NAME "libjpeg.so.8"
#elif JPEG_LIB_VERSION >= 70
#define JPEG_NAME "libjpeg.so.7"
#else
#define JPEG_NAME "libjpeg.so.62"
#endif
LIBRARY(JPEG_FUNCTIONS, has_libjpeg_turbo, JPEG_NAME, "libjpeg.so")

// A progressive file may have any number of scans, each of which goes over the whole image; no encoder makes so many.
enum { LARGEST_SCAN_NUMBER = 500 };

// Where decode_jpeg stands, for libjpeg's callbacks.
typedef struct {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    char *complaint;
    jmp_buf failure;
} JPEGReading;

static JPEGReading *reading_of(j_common_ptr decoder) { return (JPEGReading *)decoder->err; }

static void keep_message(j_common_ptr decoder) {
    char text[JMSG_LENGTH_MAX];
    decoder->err->format_message(decoder, text);
    snprintf(reading_of(decoder)->complaint, COMPLAINT_SIZE, "%s", text);
}

_Noreturn static void fail(j_common_ptr decoder) {
    keep_message(decoder);
    longjmp(reading_of(decoder)->failure, 1);
}

// The first warning is kept. What is missing, libjpeg fills with grey, and calls that a warning too.
static void take_warning(j_common_ptr decoder, int level) {
    if (level >= 0) return;
    switch (decoder->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_BOGUS_PROGRESSION: fail(decoder);
    default:
        if (decoder->err->num_warnings++ == 0) keep_message(decoder);
    }
}

static void ignore_message(j_common_ptr decoder) {}

static void bound_scans(j_common_ptr decoder) {
    if (((j_decompress_ptr)decoder)->input_scan_number <= LARGEST_SCAN_NUMBER) return;
    snprintf(reading_of(decoder)->complaint, COMPLAINT_SIZE, "it has more than %d scans", LARGEST_SCAN_NUMBER);
    longjmp(reading_of(decoder)->failure, 1);
}

// Whether coefficients that the file does not have in full are estimated from the neighbours: what a box's edge is then made of
// lies beyond it.
static bool smooths_blocks(j_decompress_ptr decoder) {
    if (!decoder->progressive_mode || !decoder->coef_bits) return false;
    for (int component = 0; component < decoder->num_components; component++)
        for (int place = 1; place < 10; place++)
            if (decoder->coef_bits[component][place] != 0) return true;
    return false;
}

static unsigned char product(unsigned a, unsigned b) {
    const unsigned scaled = a * b + 128;
    return (unsigned char)(((scaled >> 8) + scaled) >> 8);
}

// As Pillow does it: of the inverted form, in which 255 is no ink.
static void convert_cmyk(const unsigned char *cmyk, unsigned char *rgb, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int ink = 0; ink < 3; ink++)
            rgb[3 * i + ink] = (unsigned char)(cmyk[4 * i + 3] - product(255 - cmyk[4 * i + ink], cmyk[4 * i + 3]));
}

// Rows that libjpeg is asked for at once, at most.
enum { ROW_LIMIT = 16 };

// Reads the rows of the box, whose columns begin at `left` of the decoder's rows.
static void read_rows(j_decompress_ptr decoder, StoredBox box, unsigned left, unsigned char *pixels, int channels) {
    const size_t box_length = (size_t)box.width * channels;
    const bool is_cmyk = decoder->out_color_space == JCS_CMYK;
    const bool is_direct = decoder->output_width == box.width && !is_cmyk;
    JSAMPROW rows[ROW_LIMIT];
    JSAMPARRAY scratch = NULL;
    const JDIMENSION count = decoder->rec_outbuf_height < 1 || decoder->rec_outbuf_height > ROW_LIMIT
                                 ? 1 : (JDIMENSION)decoder->rec_outbuf_height;
    if (!is_direct)
        scratch = decoder->mem->alloc_sarray((j_common_ptr)decoder, JPOOL_IMAGE,
                                             decoder->output_width * (JDIMENSION)decoder->output_components, count);
    for (unsigned row = 0; row < box.height;) {
        const JDIMENSION wanted = box.height - row < count ? box.height - row : count;
        if (is_direct)
            for (JDIMENSION i = 0; i < wanted; i++) rows[i] = pixels + (row + i) * box_length;
        const JDIMENSION done = jpeg_read_scanlines(decoder, is_direct ? rows : scratch, wanted);
        if (!is_direct)
            for (JDIMENSION i = 0; i < done; i++) {
                const unsigned char *source = scratch[i] + (size_t)left * decoder->output_components;
                unsigned char *target = pixels + (row + i) * box_length;
                if (is_cmyk) convert_cmyk(source, target, box.width);
                else memcpy(target, source, box_length);
            }
        row += done;
    }
}

bool decode_jpeg(const unsigned char *bytes, size_t size, unsigned height, unsigned width, unsigned reduction, StoredBox box,
                 int channels, unsigned char *pixels, char complaint[COMPLAINT_SIZE]) {
    memset(complaint, 0, COMPLAINT_SIZE);
    struct jpeg_decompress_struct decoder;
    memset(&decoder, 0, sizeof decoder);
    JPEGReading reading;
    decoder.err = jpeg_std_error(&reading.errors);
    reading.complaint = complaint;
    reading.errors.error_exit = fail;
    reading.errors.emit_message = take_warning;
    reading.errors.output_message = ignore_message;
    reading.progress.progress_monitor = bound_scans;
    if (setjmp(reading.failure) != 0) {
        jpeg_destroy_decompress(&decoder);
        return false;
    }
    jpeg_CreateDecompress(&decoder, JPEG_LIB_VERSION, sizeof decoder);
    decoder.progress = &reading.progress;
    jpeg_mem_src(&decoder, bytes, size);
    jpeg_read_header(&decoder, TRUE);
    decoder.scale_num = 1;
    decoder.scale_denom = reduction;
    decoder.out_color_space = decoder.num_components == 4 ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    const bool is_as_said = decoder.image_height == height && decoder.image_width == width;
    if (is_as_said) {
        jpeg_start_decompress(&decoder);
        unsigned left = box.left;
        if (!smooths_blocks(&decoder)) {
            // What is read of a row begins and ends at least so far beyond the box that the pixels of the box, of which those
            // of colour are interpolated, have all their neighbours.
            const unsigned margin = 2 * (unsigned)decoder.max_h_samp_factor;
            const unsigned end = box.left + box.width + margin, first = box.left > margin ? box.left - margin : 0;
            JDIMENSION begin = first;
            JDIMENSION count = (end < decoder.output_width ? end : decoder.output_width) - first;
            // Where colours have a quarter of the columns, the library interpolates too few of a reduced image's.
            const bool crops = reduction == 1 || decoder.max_h_samp_factor <= 2;
            if (crops && count < decoder.output_width) {
                jpeg_crop_scanline(&decoder, &begin, &count);
                left = box.left - begin;
            }
            if (box.top > 0) jpeg_skip_scanlines(&decoder, box.top);
        } else {
            JSAMPARRAY line = decoder.mem->alloc_sarray(
                (j_common_ptr)&decoder, JPOOL_IMAGE, decoder.output_width * (JDIMENSION)decoder.output_components, 1);
            for (unsigned row = 0; row < box.top; row++) jpeg_read_scanlines(&decoder, line, 1);
        }
        read_rows(&decoder, box, left, pixels, channels);
    } else {
        strcpy(complaint, "its header changed while it was read");
    }
    jpeg_destroy_decompress(&decoder);
    return is_as_said;
}
