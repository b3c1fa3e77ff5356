// What TENSOR = 1 brings to the kernels behind it: NVIDIA's tensor cores by inline PTX where the host found that they
// work (NV_PTX = 1), or their operands and sums made without them, for tests (NV_PTX = 0).

#if TENSOR && !defined(NV_PTX)
#error "TENSOR = 1 wants NV_PTX: 1 for inline PTX, 0 to imitate it, which is slow and never a device's own choice"
#endif
#if TENSOR && NV_PTX
#define ON_TENSOR_CORES 1
#else
#define ON_TENSOR_CORES 0
#endif

#if TENSOR
// Rounded to 10 bits of mantissa, to the nearest, ties away from zero.
#if ON_TENSOR_CORES
OVERLOADED float to_tf32(float value) {
    uint bits;
    PTX("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return as_float(bits);
}
#else
OVERLOADED float to_tf32(float value) {
    return isfinite(value) ? as_float((as_uint(value) + 0x1000u) & 0xFFFFE000u) : value;
}
#endif
OVERLOADED float4 to_tf32(float4 value) {
    return (float4)(to_tf32(value.s0), to_tf32(value.s1), to_tf32(value.s2), to_tf32(value.s3));
}
#endif
