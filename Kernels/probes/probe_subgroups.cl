// Sub-groups: sums, and shuffles by the extension that the device has (KHRONOS, INTEL, or neither).
//
// Work-items: one group of 64. Buffers: input [64], output [2][64]: the sum over a work-item's sub-group, and the
// value of its neighbour, lane ^ 1; scratch [64]: the number of its sub-group.

#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#ifdef KHRONOS
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable
#endif

__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void probe(
    __global const float *restrict input, __global float *restrict output, __global float *restrict scratch) {
    const int i = get_local_id(0);
    scratch[i] = get_sub_group_id();
    output[i] = sub_group_reduce_add(input[i]);
#ifdef KHRONOS
    output[64 + i] = sub_group_shuffle_xor(input[i], 1u);
#endif
#ifdef INTEL
    output[64 + i] = intel_sub_group_shuffle_xor(input[i], 1u);
#endif
}
