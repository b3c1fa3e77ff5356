// The device's limits, measured: multiply-adds in registers, and a copy through memory.
//
// multiply_add: s ← s · factor + summand in each lane, `rounds` times in CHAINS independent sums, since one sum waits
// for its last result for several cycles; 2 · CHAINS · LANES · rounds operations a work-item. Twelve chains keep two
// multipliers of latency 5 busy, and with the factor and the summand fit into 16 registers. Work-items: any number.
//
// copy: to = from, 2 · 4 · LANES · chunk bytes a work-item, which takes `chunk` consecutive vectors. `copy_streaming`
// passes the caches by, so that a CPU does not first read what it is about to overwrite; where the compiler has no such
// stores it is the same copy again.

// `chains` in Sources/Device/Calibration.swift.
#define CHAINS 12

__kernel WORK_GROUP void calibration_multiply_add(__global float *result, float factor, float summand, int rounds) {
    lanes sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = (lanes)((float)c);
    for (int round = 0; round < rounds; round++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = fma(sums[c], (lanes)(factor), (lanes)(summand));
    }
    // The sums are wanted, or the compiler would leave them out.
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] += sums[c];
    STORE(sums[0], result + get_global_id(0) * LANES);
}

#if __has_builtin(__builtin_nontemporal_store)
#define STORE_STREAMING(value, pointer) __builtin_nontemporal_store(value, pointer)
#else
#define STORE_STREAMING(value, pointer) (*(pointer) = (value))
#endif

__kernel WORK_GROUP void calibration_copy(__global const lanes *restrict from, __global lanes *restrict to, int chunk) {
    const size_t first = get_global_id(0) * chunk;
    for (int vector = 0; vector < chunk; vector++) to[first + vector] = from[first + vector];
}

__kernel WORK_GROUP void calibration_copy_streaming(__global const lanes *restrict from, __global lanes *restrict to,
                                                    int chunk) {
    const size_t first = get_global_id(0) * chunk;
    for (int vector = 0; vector < chunk; vector++) STORE_STREAMING(from[first + vector], to + first + vector);
}
