// Matrix products of a warp on NVIDIA's tensor cores by inline PTX: C [16][8] = A [16][K] · B [K][8], float sums.
// K is 8 for tf32 and 16 for 16-bit operands; one of TF32, BF16, F16 is defined. Where each lane's elements lie is in
// "Matrix fragments for mma.m16n8k8" and "… m16n8k16" of the PTX manual (9.7.14.5).
//
// Work-items: one warp. Buffers: input, A and after it B, both row by row; output C.

#ifdef __NV_CL_C_VERSION
#define PTX asm volatile
#else
#define PTX __asm__ volatile
#endif

#ifdef TF32
#define K 8
#else
#define K 16
#endif

#ifdef TF32
static inline uint rounded(float value) {
    uint bits;
    PTX("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}
#else
// Two neighbours in one register, the first in its low half.
static inline uint pair(float first, float second) {
    uint bits;
#ifdef BF16
    PTX("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
#else
    PTX("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
#endif
    return bits;
}
#endif

__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void probe(
    __global const float *restrict input, __global float *restrict output, __global float *restrict scratch) {
    const int lane = get_local_id(0), row = lane / 4, part = lane % 4;
    __global const float *a = input, *b = input + 16 * K;
    float c0 = 0.0f, c1 = 0.0f, c2 = 0.0f, c3 = 0.0f;
#ifdef TF32
    const uint a0 = rounded(a[row * K + part]), a1 = rounded(a[(row + 8) * K + part]);
    const uint a2 = rounded(a[row * K + part + 4]), a3 = rounded(a[(row + 8) * K + part + 4]);
    const uint b0 = rounded(b[part * 8 + row]), b1 = rounded(b[(part + 4) * 8 + row]);
    PTX("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    __global const float *upper = a + row * K + 2 * part, *lower = upper + 8 * K;
    const uint a0 = pair(upper[0], upper[1]), a1 = pair(lower[0], lower[1]);
    const uint a2 = pair(upper[8], upper[9]), a3 = pair(lower[8], lower[9]);
    __global const float *column = b + 2 * part * 8 + row;
    const uint b0 = pair(column[0], column[8]), b1 = pair(column[64], column[72]);
#ifdef BF16
    PTX("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    PTX("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
#endif
    __global float *result = output + row * 8 + 2 * part;
    result[0] = c0;
    result[1] = c1;
    result[64] = c2;
    result[65] = c3;
}
