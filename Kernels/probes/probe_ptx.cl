// Inline PTX, and what of it convolutions would use beside the matrix products of probe_mma.cl. Only for NVIDIA: other
// compilers may take the text for their own machine's assembly. One of INLINE, SHUFFLE, LDMATRIX, CP_ASYNC is defined.
//
// Work-items: one warp. Buffers: input [64] floats, output [64].

// NVIDIA's compiler knows `asm`; clang, which checks these files without a GPU, only this spelling.
#ifdef __NV_CL_C_VERSION
#define PTX asm volatile
#else
#define PTX __asm__ volatile
#endif
#define WARP __attribute__((reqd_work_group_size(32, 1, 1)))

// A pointer to local memory as PTX's state space .shared counts it.
#define SHARED(pointer) ((uint)(size_t)(pointer))

__kernel WARP void probe(__global const float *restrict input, __global float *restrict output,
                         __global float *restrict scratch) {
    const int lane = get_local_id(0);
#ifdef INLINE
    // output = a · b + 1, and the lane's number as the hardware counts it.
    float sum;
    uint number;
    PTX("fma.rn.f32 %0, %1, %2, 0f3F800000;" : "=f"(sum) : "f"(input[lane]), "f"(input[32 + lane]));
    PTX("mov.u32 %0, %%laneid;" : "=r"(number));
    output[lane] = sum;
    output[32 + lane] = number;
#endif
#ifdef SHUFFLE
    // output = what the lane across has: 16 apart, then in reverse.
    uint across, reversed;
    const uint own = as_uint(input[lane]);
    PTX("shfl.sync.bfly.b32 %0, %1, 16, 0x1f, 0xffffffff;" : "=r"(across) : "r"(own));
    PTX("shfl.sync.idx.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(reversed) : "r"(own), "r"(31 - lane));
    output[lane] = as_float(across);
    output[32 + lane] = as_float(reversed);
#endif
#ifdef LDMATRIX
    // Two 8 × 8 matrices of 16-bit numbers, row r of matrix m in tile[m][r]; a lane gets two neighbours of row
    // lane / 4 of each: columns lane % 4 · 2 and the next, the low half first.
    __local ushort tile[2][8][8] __attribute__((aligned(16)));
    for (int i = lane; i < 128; i += 32) tile[i / 64][i / 8 % 8][i % 8] = (ushort)(1000 * input[i % 64] + i);
    barrier(CLK_LOCAL_MEM_FENCE);
    uint first, second;
    PTX("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
        : "=r"(first), "=r"(second)
        : "r"(SHARED(&tile[lane / 8 % 2][lane % 8][0])));
    output[lane] = (first & 0xffff) * 64.0f + (first >> 16) % 64;
    output[32 + lane] = (second & 0xffff) * 64.0f + (second >> 16) % 64;
#endif
#ifdef CP_ASYNC
    // 16 bytes a lane to local memory without a register between; the last four lanes ask for none of their bytes,
    // which gives zeros: that is how a convolution's border is filled.
    __local float tile[64] __attribute__((aligned(16)));
    for (int i = lane; i < 64; i += 32) tile[i] = -1.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < 16)
        PTX("cp.async.cg.shared.global [%0], [%1], 16, %2;"
            :
            : "r"(SHARED(tile + 4 * lane)), "l"((ulong)(input + 4 * lane)), "r"(lane < 12 ? 16 : 0)
            : "memory");
    PTX("cp.async.commit_group;" : : : "memory");
    PTX("cp.async.wait_group 0;" : : : "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    output[lane] = tile[63 - lane];
    output[32 + lane] = tile[31 - lane];
#endif
}
