// Tiles for tensor cores whose operands come to local memory without a register between (ASYNC = 1): behind tile.cl, in
// front of the same files.
//
// Each work-item copies pieces of 16 bytes by cp.async (PTX ISA, "Data Movement and Conversion Instructions:
// Asynchronous copy"). There are STAGES chunks of A and B in local memory: one is multiplied while the next ones are on
// their way. A copy changes nothing, so a chunk lies there as its operands lie in memory, and is rounded or paired when it
// is read:
//
//   K-major    a row of the tile is TILE_WORDS = 16 words along k, four pieces: where k is contiguous. Words are taken by
//              ldmatrix (PTX ISA), which leaves them in the registers that mma wants side by side: of eight rows, one
//              piece each, lane 4g + t gets word t of the g-th. These are the rows 4g + i of 32, and the columns 4g + v.
//   MN-major   a row is one k, of the tile's rows or columns: where these are contiguous. Operands of 16 bits are taken by
//              ldmatrix, which transposes them, so that of eight k a lane gets two of the g-th row or column as one word;
//              those of 32, which it cannot transpose, one by one. Eight rows or columns side by side are those of a
//              product, so that a lane's sums are of rows 8i + g and of pairs of columns, MN_ROW and MN_COLUMN.
//
// Rows have no padding. Where a piece lies within its row, and a row of a K-major tile within its pair, depends on the row's
// number, such that what one instruction reads of eight rows is in different banks, and so are the pieces that eight
// neighbours copy. What distinguishes a lane's reads is then a constant that is added to an address or combined with it
// by exclusive or.
//
// Elsewhere a copy is a load and a store, and is done at once.

#if ASYNC
#define STAGES 3
#define A_RUNS (TILE_M * TILE_WORDS / 4)
#define B_RUNS (TILE_N * TILE_WORDS / 4)

#if ON_TENSOR_CORES
// 16 bytes, or as many zeros: past a multiprocessor's own cache, or through it, for what it will read again.
#define COPY_PIECE(name, cache)                                                                     \
    static inline void name(__local WordRun *to, __global const activation *from, bool inside) {    \
        PTX("cp.async." cache ".shared.global [%0], [%1], 16, %2;"                                  \
            :                                                                                       \
            : "r"((uint)(size_t)to), "l"((ulong)from), "r"(inside ? 16 : 0)                         \
            : "memory");                                                                            \
    }
COPY_PIECE(copy_piece, "cg")
COPY_PIECE(copy_piece_cached, "ca")
// What was copied since is one chunk.
#define COMMIT_COPIES PTX("cp.async.commit_group;" : : : "memory");
// Until all chunks but the last are there, as far as this work-item copied them; and until all are.
#define AWAIT_CHUNK PTX("cp.async.wait_group 1;" : : : "memory");
#define AWAIT_COPIES PTX("cp.async.wait_group 0;" : : : "memory");
#else
static inline void copy_piece(__local WordRun *to, __global const activation *from, bool inside) {
    *to = inside ? *(__global const WordRun *)from : (WordRun)(0);
}
#define copy_piece_cached copy_piece
#define COMMIT_COPIES
#define AWAIT_CHUNK
#define AWAIT_COPIES
#endif

// Where a piece of a tile lies; MN-major rows are of so many pieces.
#define K_MAJOR(row, piece) (((row) ^ ((row) >> 2 & 1)) * 4 + ((piece) ^ ((row) >> 3 & 3)))
#define MN_MAJOR(k, piece, pieces) ((k) * (pieces) + ((piece) ^ MN_SWIZZLE(k, pieces)))
#if PAIRED
#define MN_SWIZZLE(k, pieces) ((pieces) >= 8 ? (k) % 8 : (k) / 2 % 4)
#else
#define MN_SWIZZLE(k, pieces) ((k) % 4 * 2)
#endif
#define PIECES(extent) ((extent) / SOURCE_WIDTH)

// The first row and column of a warp, and those of a lane's sums in MN-major products: rows m and m + 1 of one product, and
// columns 2t and 2t + 1 of each of four.
#define WARP_ROW (WARP / WARPS_N * (8 * THREAD_M))
#define WARP_COLUMN (WARP % WARPS_N * 32)
#define MN_ROW(m) (WARP_ROW + (m) * 8 + id % 32 / 4)
#define MN_COLUMN(product, column) (WARP_COLUMN + (product) * 8 + id % 4 * 2 + (column))

#if ON_TENSOR_CORES
// Four pieces of eight rows each, whose addresses the lanes have, eight for each piece.
#define LOAD_MATRICES(name, form)                                                                   \
    static inline uint4 name(uint address) {                                                        \
        uint w0, w1, w2, w3;                                                                        \
        PTX("ldmatrix.sync.aligned.m8n8.x4" form ".shared.b16 {%0, %1, %2, %3}, [%4];"              \
            : "=r"(w0), "=r"(w1), "=r"(w2), "=r"(w3)                                                \
            : "r"(address)                                                                          \
            : "memory");                                                                            \
        return (uint4)(w0, w1, w2, w3);                                                             \
    }
LOAD_MATRICES(load_matrices, "")
LOAD_MATRICES(load_transposed, ".trans")
#if PAIRED
#define A_WORDS(words) (words)
#define B_WORDS(words) (words)
#else
// What B brings along k has been rounded.
#define A_WORDS(words) to_tf32(as_float4(words))
#define B_WORDS(words) as_float4(words)
#endif
#define ADDRESS(pointer) ((uint)(size_t)(pointer))

// Rows m and m + 1 of a lane's sums, eight words along k.
#define MULTIPLY_ROWS(m)                                                                            \
    MULTIPLY_PAIR(m, s0, rows.s0, rows.s1, rows.s2, rows.s3, columns01.s0, columns01.s1)            \
    MULTIPLY_PAIR(m, s1, rows.s0, rows.s1, rows.s2, rows.s3, columns01.s2, columns01.s3)            \
    MULTIPLY_PAIR(m, s2, rows.s0, rows.s1, rows.s2, rows.s3, columns23.s0, columns23.s1)            \
    MULTIPLY_PAIR(m, s3, rows.s0, rows.s1, rows.s2, rows.s3, columns23.s2, columns23.s3)

// sums += a · b over one chunk. A lane's address in A is that of row 4g of its warp or 4g + 1, and of the first or second
// piece; in B likewise. The other two pieces are 32 bytes away, in either direction, and a row is 64.
#define MULTIPLY_K_MAJOR(a, b)                                                                      \
    {                                                                                               \
        const int lane = id % 32;                                                                   \
        const uint a_address = ADDRESS((a) + K_MAJOR(WARP_ROW + lane % 8 * 4 + lane / 8 % 2, lane / 16)); \
        const uint b_address = ADDRESS((b) + K_MAJOR(WARP_COLUMN + lane % 8 * 4 + lane / 16, lane / 8 % 2)); \
        UNROLL for (int other = 0; other <= 32; other += 32) {                                      \
            const WordRun columns01 = B_WORDS(load_matrices(b_address ^ other));                    \
            const WordRun columns23 = B_WORDS(load_matrices((b_address ^ other) + 2 * 64));         \
            UNROLL for (int m = 0; m < THREAD_M; m += 2) {                                          \
                const WordRun rows =                                                                \
                    A_WORDS(load_matrices((a_address ^ other) + (m / 4 * 32 + m % 4) * 64));        \
                MULTIPLY_ROWS(m)                                                                    \
            }                                                                                       \
        }                                                                                           \
    }

#if PAIRED
// A lane's address in A is that of k lane % 8, or 8 more, and of the first or second piece; in B likewise.
#define MULTIPLY_MN_MAJOR(a, b)                                                                     \
    {                                                                                               \
        const int lane = id % 32;                                                                   \
        const uint a_address = ADDRESS(                                                             \
            (a) + MN_MAJOR(lane % 8 + lane / 16 * 8, WARP_ROW / 8 + lane / 8 % 2, PIECES(TILE_M))); \
        const uint b_address = ADDRESS(                                                             \
            (b) + MN_MAJOR(lane % 8 + lane / 8 % 2 * 8, WARP_COLUMN / 8 + lane / 16, PIECES(TILE_N))); \
        UNROLL for (int k = 0; k < TILE_K; k += 16) {                                               \
            const WordRun columns01 = load_transposed(b_address + k * TILE_N * 2);                  \
            const WordRun columns23 = load_transposed((b_address ^ 32) + k * TILE_N * 2);           \
            UNROLL for (int m = 0; m < THREAD_M; m += 2) {                                          \
                const WordRun rows = load_transposed((a_address ^ m * 16) + k * TILE_M * 2);        \
                MULTIPLY_ROWS(m)                                                                    \
            }                                                                                       \
        }                                                                                           \
    }
#else
// A lane's place in A is that of k lane % 4 and row lane / 4 of its warp; in B likewise.
#define MULTIPLY_MN_MAJOR(a, b)                                                                     \
    {                                                                                               \
        const int lane = id % 32, piece = lane / 16;                                                \
        const int row = MN_MAJOR(lane % 4, WARP_ROW / 4 + piece, PIECES(TILE_M)) * 4 + lane / 4 % 4; \
        const int column = MN_MAJOR(lane % 4, WARP_COLUMN / 4 + piece, PIECES(TILE_N)) * 4 + lane / 4 % 4; \
        UNROLL for (int k = 0; k < TILE_K; k += 8) {                                                \
            __local const float *a_values = (__local const float *)(a) + k * TILE_M;                \
            __local const float *b_values = (__local const float *)(b) + k * TILE_N;                \
            const float4 columns01 = to_tf32((float4)(b_values[column], b_values[column + 4 * TILE_N], \
                                                      b_values[column ^ 8], b_values[(column ^ 8) + 4 * TILE_N])); \
            const float4 columns23 = to_tf32((float4)(b_values[column ^ 16], b_values[(column ^ 16) + 4 * TILE_N], \
                                                      b_values[column ^ 24], b_values[(column ^ 24) + 4 * TILE_N])); \
            UNROLL for (int m = 0; m < THREAD_M; m += 2) {                                          \
                const int first = (row ^ m % 4 * 8) + m / 4 * 32, second = (row ^ (m % 4 + 1) * 8) + m / 4 * 32; \
                const float4 rows = to_tf32((float4)(a_values[first], a_values[second],             \
                                                     a_values[first + 4 * TILE_M], a_values[second + 4 * TILE_M])); \
                MULTIPLY_ROWS(m)                                                                    \
            }                                                                                       \
        }                                                                                           \
    }
#endif
#else
// An operand of either tile.
#if PAIRED
#define TO_OPERAND(value) from_stored(value)
#else
#define TO_OPERAND(value) to_tf32(value)
#endif
#define OF_PIECE(tile, place, element) \
    TO_OPERAND(((__local const activation *)(tile))[(place) * SOURCE_WIDTH + (element) % SOURCE_WIDTH])
#define K_MAJOR_VALUE(tile, extent, k, row) OF_PIECE(tile, K_MAJOR(row, (k) / SOURCE_WIDTH), k)
#define MN_MAJOR_VALUE(tile, extent, k, row) \
    OF_PIECE(tile, MN_MAJOR(k, (row) / SOURCE_WIDTH, PIECES(extent)), row)

// `COLUMN(v, c)` is the column of component c of the v-th four sums, VALUE an operand.
#define MULTIPLY_VALUES(a, b, ROW, COLUMN, VALUE)                                                   \
    for (int k = 0; k < TILE_K; k++) {                                                              \
        float4 columns[THREAD_N / 4];                                                               \
        UNROLL for (int v = 0; v < THREAD_N / 4; v++)                                               \
            columns[v] = (float4)(VALUE(b, TILE_N, k, COLUMN(v, 0)), VALUE(b, TILE_N, k, COLUMN(v, 1)), \
                                  VALUE(b, TILE_N, k, COLUMN(v, 2)), VALUE(b, TILE_N, k, COLUMN(v, 3))); \
        UNROLL for (int m = 0; m < THREAD_M; m++) {                                                 \
            MULTIPLY_ROW(m, VALUE(a, TILE_M, k, ROW(m)))                                            \
        }                                                                                           \
    }
#define K_MAJOR_COLUMN(v, c) (TILE_COLUMN(v) + (c))
#define MULTIPLY_K_MAJOR(a, b) MULTIPLY_VALUES(a, b, TILE_ROW, K_MAJOR_COLUMN, K_MAJOR_VALUE)
#define SWAPPED_MN_COLUMN(v, c) MN_COLUMN(c, v)
#define MULTIPLY_MN_MAJOR(a, b) MULTIPLY_VALUES(a, b, MN_ROW, SWAPPED_MN_COLUMN, MN_MAJOR_VALUE)
#endif
#endif
