// Tiles for tensor cores whose operands come to local memory in pieces of 16 bytes (STAGING is not 0): behind tile.cl,
// in front of the same files.
//
// There are STAGES chunks of A and B in local memory: one is multiplied while the next are on their way, by cp.async
// (PTX ISA, "Data Movement and Conversion Instructions: Asynchronous copy"; STAGING = 2) without a register between, or
// through registers (STAGING = 1), loaded before the product and stored behind it. A chunk lies there as its operands
// lie in memory:
//
//   K-major    a row of the tile is TILE_WORDS = 16 words along k, four pieces: where k is contiguous. Words are taken
//              by ldmatrix (PTX ISA), which leaves them in the registers that mma wants side by side: of eight rows,
//              one piece each, lane 4g + t gets word t of the g-th. These are the rows 4g + i of 32, and the columns
//              4g + v.
//   MN-major   a row is one k, of the tile's rows or columns: where these are contiguous. Operands of 16 bits are taken
//              by ldmatrix, which transposes them, so that of eight k a lane gets two of the g-th row or column as one
//              word; those of 32, which it cannot transpose, one by one. Eight rows or columns side by side are those
//              of a product, so that a lane's sums are of rows 8i + g and of pairs of columns, MN_ROW and MN_COLUMN.
//
// Rows have no padding. Where a piece lies within its row, and a row of a K-major tile within its pair, depends on the
// row's number, such that what one instruction reads of eight rows is in different banks, and so are the pieces that
// eight neighbours bring. What distinguishes a lane's reads is then a constant that is added to an address or combined
// with it by exclusive or.
//
// An asynchronous copy changes nothing, so floats are rounded when they are read; what goes through registers is
// rounded there. Where there are no tensor cores, a copy is a load and a store, and is done at once.

#if STAGING == 2 && ON_TENSOR_CORES
// What was copied since is one chunk.
INLINED void commit_copies(void) { PTX("cp.async.commit_group;" : : : "memory"); }
// Until all chunks but the last are there, as far as this work-item copied them; and until all are.
INLINED void await_chunk(void) { PTX("cp.async.wait_group 1;" : : : "memory"); }
INLINED void await_copies(void) { PTX("cp.async.wait_group 0;" : : : "memory"); }
#else
INLINED void commit_copies(void) {}
INLINED void await_chunk(void) {}
INLINED void await_copies(void) {}
#endif

#if STAGING
#define STAGES (STAGING == 2 ? 3 : 2)
#define A_RUNS (TILE_M * TILE_WORDS / 4)
#define B_RUNS (TILE_N * TILE_WORDS / 4)

#if STAGING == 2 && ON_TENSOR_CORES
// 16 bytes, or as many zeros: past a multiprocessor's own cache, or through it, for what it will read again.
#define COPY_PIECE(name, cache)                                                                     \
    INLINED void name(__local WordRun *to, __global const activation *from, bool inside) {    \
        PTX("cp.async." cache ".shared.global [%0], [%1], 16, %2;"                                  \
            :                                                                                       \
            : "r"((uint)(size_t)to), "l"((ulong)from), "r"(inside ? 16 : 0)                         \
            : "memory");                                                                            \
    }
COPY_PIECE(copy_piece, "cg")
COPY_PIECE(copy_piece_cached, "ca")
#else
INLINED void copy_piece(__local WordRun *to, __global const activation *from, bool inside) {
    *to = inside ? *(__global const WordRun *)from : (WordRun)(0);
}
#define copy_piece_cached copy_piece
#endif

// A piece's way: it is fetched, into a register that holds it if it goes through one; and if so placed, as it is or
// rounded.
#if STAGING == 2
INLINED void fetch(WordRun *held, __local WordRun *to, __global const activation *from, bool inside) {
    copy_piece(to, from, inside);
}
INLINED void fetch_cached(WordRun *held, __local WordRun *to, __global const activation *from, bool inside) {
    copy_piece_cached(to, from, inside);
}
INLINED void place(__local WordRun *to, WordRun held) {}
INLINED void place_rounded(__local WordRun *to, WordRun held) {}
#define WHEN_READ(values) to_tf32(values)
#else
INLINED void fetch(WordRun *held, __local WordRun *to, __global const activation *from, bool inside) {
    *held = inside ? *(__global const WordRun *)from : (WordRun)(0);
}
#define fetch_cached fetch
INLINED void place(__local WordRun *to, WordRun held) { *to = held; }
#if PAIRED
#define place_rounded place
#else
INLINED void place_rounded(__local WordRun *to, WordRun held) { *to = to_tf32(held); }
#endif
#define WHEN_READ(values) (values)
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

// The first row and column of work-item `id`'s warp, and those of its sums in MN-major products: rows m and m + 1 of
// one product, and columns 2t and 2t + 1 of each of four.
#define WARP_ROW(id) ((id) / 32 / WARPS_N * (8 * THREAD_M))
#define WARP_COLUMN(id) ((id) / 32 % WARPS_N * 32)
#define MN_ROW(id, m) (WARP_ROW(id) + (m) * 8 + (id) % 32 / 4)
#define MN_COLUMN(id, product, column) (WARP_COLUMN(id) + (product) * 8 + (id) % 4 * 2 + (column))

#if ON_TENSOR_CORES
// Four pieces of eight rows each, whose addresses the lanes have, eight for each piece.
#define LOAD_MATRICES(name, form)                                                                   \
    INLINED uint4 name(uint address) {                                                        \
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
#define A_WORDS(words) WHEN_READ(as_float4(words))
#define B_WORDS(words) as_float4(words)
#endif
#define ADDRESS(pointer) ((uint)(size_t)(pointer))

// Rows m and m + 1 of a lane's sums, eight words along k.
INLINED void multiply_rows(SumRow *sums, int m, WordRun rows, WordRun columns01, WordRun columns23) {
    MULTIPLY_PAIR(sums, m, s0, rows.s0, rows.s1, rows.s2, rows.s3, columns01.s0, columns01.s1)
    MULTIPLY_PAIR(sums, m, s1, rows.s0, rows.s1, rows.s2, rows.s3, columns01.s2, columns01.s3)
    MULTIPLY_PAIR(sums, m, s2, rows.s0, rows.s1, rows.s2, rows.s3, columns23.s0, columns23.s1)
    MULTIPLY_PAIR(sums, m, s3, rows.s0, rows.s1, rows.s2, rows.s3, columns23.s2, columns23.s3)
}

// sums += a · b over one chunk. A lane's address in A is that of row 4g of its warp or 4g + 1, and of the first or
// second piece; in B likewise. The other two pieces are 32 bytes away, in either direction, and a row is 64.
INLINED void multiply_k_major(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    const int lane = id % 32;
    const uint a_address = ADDRESS(a + K_MAJOR(WARP_ROW(id) + lane % 8 * 4 + lane / 8 % 2, lane / 16));
    const uint b_address = ADDRESS(b + K_MAJOR(WARP_COLUMN(id) + lane % 8 * 4 + lane / 16, lane / 8 % 2));
    UNROLL for (int other = 0; other <= 32; other += 32) {
        const WordRun columns01 = B_WORDS(load_matrices(b_address ^ other));
        const WordRun columns23 = B_WORDS(load_matrices((b_address ^ other) + 2 * 64));
        UNROLL for (int m = 0; m < THREAD_M; m += 2)
            multiply_rows(sums, m, A_WORDS(load_matrices((a_address ^ other) + (m / 4 * 32 + m % 4) * 64)),
                          columns01, columns23);
    }
}

#if PAIRED
// A lane's address in A is that of k lane % 8, or 8 more, and of the first or second piece; in B likewise.
INLINED void multiply_mn_major(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    const int lane = id % 32;
    const uint a_address =
        ADDRESS(a + MN_MAJOR(lane % 8 + lane / 16 * 8, WARP_ROW(id) / 8 + lane / 8 % 2, PIECES(TILE_M)));
    const uint b_address =
        ADDRESS(b + MN_MAJOR(lane % 8 + lane / 8 % 2 * 8, WARP_COLUMN(id) / 8 + lane / 16, PIECES(TILE_N)));
    UNROLL for (int k = 0; k < TILE_K; k += 16) {
        const WordRun columns01 = load_transposed(b_address + k * TILE_N * 2);
        const WordRun columns23 = load_transposed((b_address ^ 32) + k * TILE_N * 2);
        UNROLL for (int m = 0; m < THREAD_M; m += 2)
            multiply_rows(sums, m, load_transposed((a_address ^ m * 16) + k * TILE_M * 2), columns01, columns23);
    }
}
#else
#if STAGING == 1
// What is on its way takes registers meanwhile: one step at a time leaves enough for two groups a multiprocessor.
#define STEPS _Pragma("unroll 1")
#else
#define STEPS UNROLL
#endif

// A lane's place in A is that of k lane % 4 and row lane / 4 of its warp; in B likewise.
INLINED void multiply_mn_major(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    const int lane = id % 32, piece = lane / 16;
    const int row = MN_MAJOR(lane % 4, WARP_ROW(id) / 4 + piece, PIECES(TILE_M)) * 4 + lane / 4 % 4;
    const int column = MN_MAJOR(lane % 4, WARP_COLUMN(id) / 4 + piece, PIECES(TILE_N)) * 4 + lane / 4 % 4;
    STEPS for (int k = 0; k < TILE_K; k += 8) {
        __local const float *a_values = (__local const float *)a + k * TILE_M;
        __local const float *b_values = (__local const float *)b + k * TILE_N;
        const float4 columns01 = WHEN_READ((float4)(b_values[column], b_values[column + 4 * TILE_N],
                                                    b_values[column ^ 8], b_values[(column ^ 8) + 4 * TILE_N]));
        const float4 columns23 = WHEN_READ((float4)(b_values[column ^ 16], b_values[(column ^ 16) + 4 * TILE_N],
                                                    b_values[column ^ 24], b_values[(column ^ 24) + 4 * TILE_N]));
        UNROLL for (int m = 0; m < THREAD_M; m += 2) {
            const int first = (row ^ m % 4 * 8) + m / 4 * 32, second = (row ^ (m % 4 + 1) * 8) + m / 4 * 32;
            const float4 rows = WHEN_READ((float4)(a_values[first], a_values[second],
                                                   a_values[first + 4 * TILE_M], a_values[second + 4 * TILE_M]));
            multiply_rows(sums, m, rows, columns01, columns23);
        }
    }
}
#endif
#else
// An operand of either tile, at a place within the tile's pieces.
INLINED float operand_at(__local const WordRun *tile, int piece, int element) {
    const activation value = ((__local const activation *)tile)[piece * SOURCE_WIDTH + element % SOURCE_WIDTH];
#if PAIRED
    return from_stored(value);
#else
    return to_tf32(value);
#endif
}

INLINED float k_major_operand(__local const WordRun *tile, int k, int row) {
    return operand_at(tile, K_MAJOR(row, k / SOURCE_WIDTH), k);
}

INLINED float mn_major_operand(__local const WordRun *tile, int extent, int k, int row) {
    return operand_at(tile, MN_MAJOR(k, row / SOURCE_WIDTH, PIECES(extent)), row);
}

INLINED void multiply_k_major(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    for (int k = 0; k < TILE_K; k++) {
        SumRow columns;
        UNROLL for (int v = 0; v < THREAD_N / 4; v++) {
            const int column = TILE_COLUMN(id, v);
            columns[v] = (float4)(k_major_operand(b, k, column), k_major_operand(b, k, column + 1),
                                  k_major_operand(b, k, column + 2), k_major_operand(b, k, column + 3));
        }
        UNROLL for (int m = 0; m < THREAD_M; m++)
            multiply_row(sums[m], k_major_operand(a, k, TILE_ROW(id, m)), columns);
    }
}

INLINED void multiply_mn_major(SumRow *sums, __local const WordRun *a, __local const WordRun *b, int id) {
    for (int k = 0; k < TILE_K; k++) {
        SumRow columns;
        UNROLL for (int v = 0; v < THREAD_N / 4; v++)
            columns[v] = (float4)(mn_major_operand(b, TILE_N, k, MN_COLUMN(id, 0, v)),
                                  mn_major_operand(b, TILE_N, k, MN_COLUMN(id, 1, v)),
                                  mn_major_operand(b, TILE_N, k, MN_COLUMN(id, 2, v)),
                                  mn_major_operand(b, TILE_N, k, MN_COLUMN(id, 3, v)));
        UNROLL for (int m = 0; m < THREAD_M; m++)
            multiply_row(sums[m], mn_major_operand(a, TILE_M, k, MN_ROW(id, m)), columns);
    }
}
#endif
#endif

INLINED int next_stage(int stage) { return stage + 1 == STAGES ? 0 : stage + 1; }
