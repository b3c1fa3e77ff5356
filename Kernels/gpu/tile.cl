// Matrix products by work-groups, through tiles in local memory; in front of the files whose names end in _tiled.
//
// A work-group holds TILE_M × TILE_N sums of C = A · B in its work-items' registers, THREAD_M × THREAD_N each, and
// walks along k in chunks of TILE_K. A chunk of A and one of B lie in local memory as TILE_WORDS rows of words, k
// outermost: a[TILE_WORDS][TILE_M], b[TILE_WORDS][TILE_N]. There are two of each: while the work-items multiply one
// pair, the loads of the next are on their way into registers, so one barrier a chunk is enough.
//
// A work-item's rows and columns come in runs of four, which the plain form deals out THREADS_M and THREADS_N runs
// apart: neighbours read neighbouring runs, which lie in different banks, and store neighbouring runs of the result.
// The sum over k is in k's order whatever the tile, so the tile does not change a bit of the result.
//
// With TENSOR = 1, NVIDIA's tensor cores make the sums: a warp holds 8 · THREAD_M × 32 of them, THREAD_N being 8. In
// float32 networks a word is an operand rounded to TF32 (8 bits of exponent, 10 of mantissa); in mixed precision
// (PAIRED) it is two as they are stored, k and k + 1, the first in its low half, and a chunk is twice as deep.
// mma.m16n8k8 for TF32 and mma.m16n8k16 for halves (PTX ISA, "Matrix fragments for …") take words from the same places:
// of A's, lane 4g + t has rows g and g + 8 at words t and t + 4, of B's column g there; of a 16 × 8 product it gets
// rows g and g + 8, columns 2t and 2t + 1. Which rows and columns of the tile these are is free: here row run g of
// every eight is the rows g and g + 8 of two products, and column run g the columns g of four products, so that
// operands come from local memory in runs of four, and a lane's results are runs of four again. Elsewhere the same
// operands and sums are made without tensor cores, for tests. Where STAGING is not 0 operands come to local memory in
// pieces of 16 bytes, and lie there otherwise: see tile_pieces.cl.
//
// Constants: TENSOR; STAGING; TILE_M, TILE_N, TILE_WORDS; THREAD_M, THREAD_N, multiples of 4; SOURCE_WIDTH. LANES is 4.
// With TENSOR, TILE_M is a multiple of 8 · THREAD_M, TILE_N of 32, TILE_WORDS of 8.

// What works on a work-item's sums and operands is made part of its caller, so that these stay in registers.
#define INLINED static inline __attribute__((always_inline))

#define THREADS_M (TILE_M / THREAD_M)
#define THREADS_N (TILE_N / THREAD_N)
#define THREADS (THREADS_M * THREADS_N)
#define TILED_GROUP __attribute__((reqd_work_group_size(THREADS, 1, 1)))

// Row run `q` and column run `v` of the sums of work-item `id`, as runs of the tile; and the runs from one k to the
// next, which are more than needed, so that loads and stores meet few banks twice.
#if TENSOR
#define WARPS_N (TILE_N / 32)
#define ROW_RUN(id, q) ((id) / 32 / WARPS_N * (2 * THREAD_M) + (q) * 8 + (id) % 32 / 4)
#define COLUMN_RUN(id, v) ((id) / 32 % WARPS_N * 8 + (id) % 4 * 2 + (v))
#define PITCH_M (TILE_M / 4 + 2)
#define PITCH_N (TILE_N / 4 + 2)
#else
#define ROW_RUN(id, q) ((q) * THREADS_M + (id) / THREADS_N)
#define COLUMN_RUN(id, v) ((v) * THREADS_N + (id) % THREADS_N)
#define PITCH_M (TILE_M / 4 + 1)
#define PITCH_N (TILE_N / 4 + 1)
#endif

// Row `m` of a work-item's sums is this row of the tile, and column run `v` starts at this column.
#define TILE_ROW(id, m) (ROW_RUN(id, (m) / 4) * 4 + (m) % 4)
#define TILE_COLUMN(id, v) (COLUMN_RUN(id, v) * 4)

// A row of a work-item's sums, of which it has THREAD_M.
typedef float4 SumRow[THREAD_N / 4];

INLINED void clear_sums(SumRow *sums) {
    UNROLL for (int m = 0; m < THREAD_M; m++)
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) sums[m][v] = (float4)(0.0f);
}

// Whether a word of local memory is two operands. An image that is loaded a channel at a time would take so many
// registers that they spill; its operands are multiplied as TF32, which both of 16 bits are too.
#define PAIRED (TENSOR && MIXED && SOURCE_WIDTH >= 4)
#if PAIRED
#define K_A_WORD 2
typedef uint Word;
typedef uint4 WordRun;
#else
#define K_A_WORD 1
typedef float Word;
typedef float4 WordRun;
#endif
#define TILE_K (TILE_WORDS * K_A_WORD)

// Chunks of A and of B that local memory holds.
#if !STAGING
#define STAGES 2
#define A_RUNS (TILE_WORDS * PITCH_M)
#define B_RUNS (TILE_WORDS * PITCH_N)
// A run of words of one chunk.
#define A_RUN(a, w, run) (a)[(w) * PITCH_M + (run)]
#define B_RUN(b, w, run) (b)[(w) * PITCH_N + (run)]
#endif

// What one load brings: four consecutive values where counts of channels are multiples of four, which makes every
// address a multiple of four values' size, else one. Activations that will be paired stay as they lie in memory.
#define FLOATS_1 float
#define FLOATS_4 float4
#define FLOATS_8 float8
#define FLOATS(width) JOIN(FLOATS_, width)
#if PAIRED
#define ACTIVATIONS_1 ushort
#define ACTIVATIONS_4 ushort4
#define ACTIVATIONS_8 ushort8
#else
#define ACTIVATIONS_1 float
#define ACTIVATIONS_4 float4
#endif
#define ACTIVATIONS(width) JOIN(ACTIVATIONS_, width)
#define LOAD_WIDE(width, pointer) JOIN(load_wide_, width)(pointer)

OVERLOADED float load_wide_1(__global const float *pointer) { return *pointer; }
OVERLOADED float4 load_wide_4(__global const float *pointer) { return *(__global const float4 *)pointer; }
#if PAIRED
OVERLOADED ushort load_wide_1(__global const activation *pointer) { return *pointer; }
OVERLOADED ushort4 load_wide_4(__global const activation *pointer) { return *(__global const ushort4 *)pointer; }
#elif MIXED
OVERLOADED float load_wide_1(__global const activation *pointer) { return from_stored(*pointer); }
OVERLOADED float4 load_wide_4(__global const activation *pointer) {
    return lanes_from_stored(*(__global const ushort4 *)pointer);
}
#endif

// What local memory holds of values that were brought: operands of one k, or pairs of two.
#if PAIRED
#if ON_TENSOR_CORES
// PTX's name of what activations are stored as.
#if MIXED == 1
#define HALVES "bf16"
#else
#define HALVES "f16"
#endif
OVERLOADED uint paired(float first, float second) {
    uint bits;
    PTX("cvt.rn." HALVES "x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
    return bits;
}
#else
OVERLOADED uint paired(float first, float second) {
    return to_stored(first) | (uint)to_stored(second) << 16;
}
#endif
OVERLOADED uint4 paired(float4 first, float4 second) {
    return (uint4)(paired(first.s0, second.s0), paired(first.s1, second.s1), paired(first.s2, second.s2),
                   paired(first.s3, second.s3));
}
OVERLOADED uint paired(ushort first, ushort second) { return first | (uint)second << 16; }
// Two at a time: each word of the result is one byte permutation of two words.
OVERLOADED uint4 paired(ushort4 first, ushort4 second) {
    const uint2 a = as_uint2(first), b = as_uint2(second);
    const uint2 even = (a & 0xFFFFu) | b << 16, odd = a >> 16 | (b & 0xFFFF0000u);
    return (uint4)(even.x, odd.x, even.y, odd.y);
}
#elif MIXED
// Rounded to what activations are stored as.
#define OPERAND_1(value) from_stored(to_stored(value))
#define OPERAND_4(value) lanes_from_stored(lanes_to_stored(value))
#elif TENSOR
#define OPERAND_1(value) to_tf32(value)
#define OPERAND_4(value) to_tf32(value)
#else
#define OPERAND_1(value) (value)
#define OPERAND_4(value) (value)
#endif
#define OPERAND(width, value) JOIN(OPERAND_, width)(value)

// Loads along the rows or columns of a tile: `slots` of them a k, and the l-th of work-item `id` is of this k. Those of
// one word come one after the other where a work-item stores words.
#if STAGING
#define K_ALONG(id, l, slots) ((id) / (slots) + (l) * (THREADS / (slots)))
#else
#define K_ALONG(id, l, slots) (((id) / (slots) + (l) / K_A_WORD * (THREADS / (slots))) * K_A_WORD + (l) % K_A_WORD)
#endif
#if PAIRED
#define RUN_1 uint
#define RUN_4 uint4
#define WORDS_ALONG(width, values, l) paired(values[l], values[(l) + 1])
#else
#define RUN_1 float
#define RUN_4 float4
#define WORDS_ALONG(width, values, l) OPERAND(width, values[l])
#endif
#define STORE_ALONG(id, tile, pitch, slots, width, values, loads)                                   \
    UNROLL for (int l = 0; l < (loads); l += K_A_WORD)                                              \
        *(__local JOIN(RUN_, width) *)((__local Word *)(tile) + K_ALONG(id, l, slots) / K_A_WORD * (pitch) * 4 + \
                                       (id) % (slots) * width) = WORDS_ALONG(width, values, l);

#if ON_TENSOR_CORES
#if PAIRED
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32." HALVES "." HALVES ".f32 "
#define BITS(word) (word)
#else
#define MMA "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
#define BITS(word) as_uint(word)
#endif

// Rows m and m + 1 of the sums, column `v` of their two runs: an instruction, and its words in the manual's order.
#define MULTIPLY_PAIR(sums, m, v, a0, a1, a2, a3, b0, b1)                                           \
    {                                                                                               \
        float c0 = sums[m][0].v, c1 = sums[m][1].v, c2 = sums[m + 1][0].v, c3 = sums[m + 1][1].v;   \
        PTX(MMA "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                             \
            : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)                                                \
            : "r"(BITS(a0)), "r"(BITS(a1)), "r"(BITS(a2)), "r"(BITS(a3)), "r"(BITS(b0)), "r"(BITS(b1))); \
        sums[m][0].v = c0;                                                                          \
        sums[m][1].v = c1;                                                                          \
        sums[m + 1][0].v = c2;                                                                      \
        sums[m + 1][1].v = c3;                                                                      \
    }

#if !STAGING
// Four rows of the sums, a column of each of two runs; `early` and `late` have words w and w + 4.
#define MULTIPLY_COLUMN(sums, m, v, early_rows, late_rows, early_columns, late_columns)             \
    MULTIPLY_PAIR(sums, m, v, early_rows.s0, early_rows.s1, late_rows.s0, late_rows.s1, early_columns.v, \
                  late_columns.v)                                                                   \
    MULTIPLY_PAIR(sums, m + 2, v, early_rows.s2, early_rows.s3, late_rows.s2, late_rows.s3, early_columns.v, \
                  late_columns.v)

// sums += a · b over one chunk, eight words at a time: a lane brings words w and w + 4. The loop counts what is the
// same for all lanes: compilers take one that begins at a lane's own word for one that lanes may leave apart.
INLINED void multiply(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    const int column_run = id / 32 % WARPS_N * 8 + id % 32 / 4;
    UNROLL for (int first = 0; first < TILE_WORDS; first += 8) {
        const int w = first + id % 4;
        const WordRun early_columns = B_RUN(b, w, column_run), late_columns = B_RUN(b, w + 4, column_run);
        UNROLL for (int q = 0; q < THREAD_M / 4; q++) {
            const WordRun early_rows = A_RUN(a, w, ROW_RUN(id, q)), late_rows = A_RUN(a, w + 4, ROW_RUN(id, q));
            MULTIPLY_COLUMN(sums, 4 * q, s0, early_rows, late_rows, early_columns, late_columns)
            MULTIPLY_COLUMN(sums, 4 * q, s1, early_rows, late_rows, early_columns, late_columns)
            MULTIPLY_COLUMN(sums, 4 * q, s2, early_rows, late_rows, early_columns, late_columns)
            MULTIPLY_COLUMN(sums, 4 * q, s3, early_rows, late_rows, early_columns, late_columns)
        }
    }
}
#endif
#else
// The first or the second k of a run of words.
#if PAIRED
#define OF_K(words, k) lanes_from_stored(convert_ushort4((k) == 0 ? (words) & 0xFFFFu : (words) >> 16))
#else
#define OF_K(words, k) (words)
#endif

// row += value · columns.
INLINED void multiply_row(float4 *row, float value, const float4 *columns) {
    UNROLL for (int v = 0; v < THREAD_N / 4; v++) row[v] = fma((float4)(value), columns[v], row[v]);
}

#if !STAGING
// sums += a · b over one chunk. Two steps at a time: unrolled as a whole, compilers fetch so far ahead that only half
// as many work-groups fit into the registers.
INLINED void multiply(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    _Pragma("unroll 2") for (int k = 0; k < TILE_K; k++) {
        const int w = k / K_A_WORD;
        SumRow columns;
        UNROLL for (int v = 0; v < THREAD_N / 4; v++)
            columns[v] = OF_K(B_RUN(b, w, COLUMN_RUN(id, v)), k % K_A_WORD);
        UNROLL for (int q = 0; q < THREAD_M / 4; q++) {
            const float4 rows = OF_K(A_RUN(a, w, ROW_RUN(id, q)), k % K_A_WORD);
            multiply_row(sums[4 * q + 0], rows.s0, columns);
            multiply_row(sums[4 * q + 1], rows.s1, columns);
            multiply_row(sums[4 * q + 2], rows.s2, columns);
            multiply_row(sums[4 * q + 3], rows.s3, columns);
        }
    }
}
#endif
#endif

// The first `count` of four floats; all of them in one store where addresses are multiples of 16 bytes. Without
// arrays, which would live in memory.
OVERLOADED void store_run(float4 value, __global float *pointer, int count, int width) {
    if (width >= 4) {
        *(__global float4 *)pointer = value;
        return;
    }
    pointer[0] = value.s0;
    if (count > 1) pointer[1] = value.s1;
    if (count > 2) pointer[2] = value.s2;
    if (count > 3) pointer[3] = value.s3;
}

OVERLOADED float4 load_run(__global const float *pointer, int count, int width) {
    if (width >= 4) return *(__global const float4 *)pointer;
    return (float4)(pointer[0], count > 1 ? pointer[1] : 0.0f, count > 2 ? pointer[2] : 0.0f,
                    count > 3 ? pointer[3] : 0.0f);
}

#if MIXED
OVERLOADED void store_run(float4 value, __global activation *pointer, int count, int width) {
    const ushort4 stored = lanes_to_stored(value);
    if (width >= 4) {
        *(__global ushort4 *)pointer = stored;
        return;
    }
    pointer[0] = stored.s0;
    if (count > 1) pointer[1] = stored.s1;
    if (count > 2) pointer[2] = stored.s2;
    if (count > 3) pointer[3] = stored.s3;
}

OVERLOADED float4 load_run(__global const activation *pointer, int count, int width) {
    if (width >= 4) return lanes_from_stored(*(__global const ushort4 *)pointer);
    return (float4)(LOAD_ONE(pointer), count > 1 ? LOAD_ONE(pointer + 1) : 0.0f,
                    count > 2 ? LOAD_ONE(pointer + 2) : 0.0f, count > 3 ? LOAD_ONE(pointer + 3) : 0.0f);
}
#endif
