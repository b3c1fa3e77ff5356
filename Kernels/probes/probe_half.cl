// What a device does with 16-bit floats. Each probe is built by itself, since what a compiler lacks fails the build.
//
// Work-items: global (n), one value each. Buffers: input [2][n], output [2][n]; scratch [n] halves.

#ifdef ARITHMETIC
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

// output = a + b and a · b, each rounded to a half.
__kernel void probe(__global const float *restrict input, __global float *restrict output,
                    __global half *restrict scratch) {
    const int i = get_global_id(0), n = get_global_size(0);
    const half a = (half)input[i], b = (half)input[n + i];
    const half sum = a + b, product = a * b;
    output[i] = (float)sum;
    output[n + i] = (float)product;
}
#else
// output = the first n inputs rounded to halves, and the halves' bits. Storage alone is part of OpenCL 1.0.
__kernel void probe(__global const float *restrict input, __global float *restrict output,
                    __global half *restrict scratch) {
    const int i = get_global_id(0), n = get_global_size(0);
    vstore_half_rte(input[i], i, scratch);
    output[i] = vload_half(i, scratch);
    output[n + i] = ((__global const ushort *)scratch)[i];
}
#endif
