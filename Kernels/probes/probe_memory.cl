// Memory: how much of it there really is.

#ifdef LOCAL_WORDS
// All local memory that a work-group may have: written by every work-item, read back in reverse by others.
// output[i] = wrong words that work-item i met. Work-items: one group of 64.
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void probe(
    __global const float *restrict input, __global float *restrict output, __global float *restrict scratch,
    __local uint *words) {
    const uint item = get_local_id(0);
    for (uint i = item; i < LOCAL_WORDS; i += 64) words[i] = i * 2654435761u;
    barrier(CLK_LOCAL_MEM_FENCE);
    uint wrong = 0;
    for (uint i = item; i < LOCAL_WORDS; i += 64) {
        const uint other = LOCAL_WORDS - 1 - i;
        wrong += words[other] != other * 2654435761u;
    }
    output[item] = wrong;
}
#else
// 64 words spread over a buffer from its first to its last, `step` words apart, each with a number of its own; then
// checked by another launch, so that two places that are one show. Work-items: global (64).
__kernel void mark(__global uint *words, ulong step) { words[get_global_id(0) * step] = get_global_id(0) + 12345; }

__kernel void count_wrong(__global const uint *words, ulong step, __global float *output) {
    output[get_global_id(0)] = words[get_global_id(0) * step] != get_global_id(0) + 12345;
}
#endif
