// Matrix products by work-groups, through tiles in local memory; in front of the files whose names end in _tiled.
//
// A work-group holds TILE_M × TILE_N sums of C = A · B in its work-items' registers, THREAD_M × THREAD_N each, and
// walks along k in chunks of TILE_K. A chunk of A and one of B lie in local memory, k outermost: a[TILE_K][TILE_M],
// b[TILE_K][TILE_N]. There are two of each: while the work-items multiply one pair, the loads of the next are on
// their way into registers, so one barrier a chunk is enough.
//
// A work-item's rows and columns come in runs of four, THREADS_M and THREADS_N runs apart: neighbours
// read neighbouring runs, which lie in different banks, and store neighbouring runs of the result. The sum over k
// is in k's order whatever the tile, so the tile does not change a bit of the result.
//
// Constants: TILE_M, TILE_N, TILE_K; THREAD_M, THREAD_N, multiples of 4. LANES is 4.

#define THREADS_M (TILE_M / THREAD_M)
#define THREADS_N (TILE_N / THREAD_N)
#define THREADS (THREADS_M * THREADS_N)
#define TILED_GROUP __attribute__((reqd_work_group_size(THREADS, 1, 1)))

// Runs of four from one k to the next; one more than needed, so that stores down a column meet few banks twice.
#define PITCH_M (TILE_M / 4 + 1)
#define PITCH_N (TILE_N / 4 + 1)

typedef float4 Sums[THREAD_M][THREAD_N / 4];

// What one load brings: four consecutive floats where counts of channels are multiples of four, which makes every
// address a multiple of 16 bytes, else one float.
#define VECTOR_1 float
#define VECTOR_4 float4
#define VECTOR(width) JOIN(VECTOR_, width)
#define LOAD_WIDE(width, pointer) (*(__global const VECTOR(width) *)(pointer))

#define MULTIPLY_ROW(m, value)                        \
    UNROLL for (int v = 0; v < THREAD_N / 4; v++)     \
        sums[m][v] = fma((float4)(value), columns[v], sums[m][v]);

// sums += a · b over one chunk, for the work-item of that thread row and column. Two steps at a time: unrolled as a
// whole, compilers fetch so far ahead that only half as many work-groups fit into the registers.
#define MULTIPLY(a, b, thread_row, thread_column)                                                   \
    _Pragma("unroll 2") for (int k = 0; k < TILE_K; k++) {                                          \
        float4 columns[THREAD_N / 4];                                                               \
        UNROLL for (int v = 0; v < THREAD_N / 4; v++)                                               \
            columns[v] = (b)[k * PITCH_N + v * THREADS_N + (thread_column)];                        \
        UNROLL for (int q = 0; q < THREAD_M / 4; q++) {                                             \
            const float4 rows = (a)[k * PITCH_M + q * THREADS_M + (thread_row)];                    \
            MULTIPLY_ROW(4 * q + 0, rows.s0)                                                        \
            MULTIPLY_ROW(4 * q + 1, rows.s1)                                                        \
            MULTIPLY_ROW(4 * q + 2, rows.s2)                                                        \
            MULTIPLY_ROW(4 * q + 3, rows.s3)                                                        \
        }                                                                                           \
    }

// Row `m` of a work-item's sums is this row of the tile, and column run `v` starts at this column.
#define TILE_ROW(m, thread_row) (((m) / 4 * THREADS_M + (thread_row)) * 4 + (m) % 4)
#define TILE_COLUMN(v, thread_column) (((v) * THREADS_N + (thread_column)) * 4)

// The first `count` of four floats; all of them in one store where addresses are multiples of 16 bytes. Without
// arrays, which would live in memory.
static inline void store_run(float4 value, __global float *pointer, int count, int width) {
    if (width == 4) {
        *(__global float4 *)pointer = value;
        return;
    }
    pointer[0] = value.s0;
    if (count > 1) pointer[1] = value.s1;
    if (count > 2) pointer[2] = value.s2;
    if (count > 3) pointer[3] = value.s3;
}

static inline float4 load_run(__global const float *pointer, int count, int width) {
    if (width == 4) return *(__global const float4 *)pointer;
    return (float4)(pointer[0], count > 1 ? pointer[1] : 0.0f, count > 2 ? pointer[2] : 0.0f,
                    count > 3 ? pointer[3] : 0.0f);
}
