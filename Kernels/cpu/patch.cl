// Shared by the convolutions for CPUs, in front of which it stands: register tiles, and what convolution2d_packed.cl,
// convolution2d_rows.cl and convolution2d_dense.cl copy into local memory.

#define TILE_CHANNELS (COLUMNS * LANES)

// From a register tile to one in memory, or back: what is indexed by a variable cannot be in registers, and loops over
// the tile's edges, unrolled, would take a compiler seconds.
#define COPY_TILE(to, from)                    \
    UNROLL for (int m = 0; m < ROWS; m++)      \
        UNROLL for (int v = 0; v < COLUMNS; v++) to[m][v] = from[m][v];

// Brings floats into the cache. OpenCL's own prefetch does nothing in PoCL, which compiles for the processor itself; a
// compiler to SPIR-V knows of no other.
static inline void prefetch_floats(__global const float *from, int count) {
#if __has_builtin(__builtin_prefetch) && (defined(__x86_64__) || defined(__aarch64__))
    for (int e = 0; e < count; e += 16) __builtin_prefetch(from + e);
#else
    prefetch(from, count);
#endif
}

// Copies `count` floats; what is written past them, up to a whole vector, is written again later or never read.
static inline void copy_run(__local float *to, __global const float *from, int count) {
    for (int e = 0; e < count; e += LANES) STORE(load_first(from + e, count - e), to + e);
}

static inline void clear_run(__local float *to, int count) {
    for (int e = 0; e < count; e += LANES) STORE((lanes)(0.0f), to + e);
}

// A sum with bias and epilogue; `count` channels of it are stored.
static inline lanes finished(lanes sum, __global const float *bias, __global const float *addend,
                             __global const float *mask, int count, const PatchGeometry *g) {
    return with_epilogue(with_offset(sum, bias, g->output_channels, count, g->offset_kind), g->epilogue, addend, mask,
                         count);
}
