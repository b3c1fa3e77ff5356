// Whether a work-item may loop for as long as a CPU's kernels do: some software drivers end all loops of a work-item
// after 65,535 rounds together, and what was to come is missing from its sums.
//
// Work-items: global (64), one group. output: rounds that were made; scratch: what they computed, in its upper half.
// The rounds are side × side, side = input[0].

__kernel void probe(__global const float *input, __global float *output, __global float *scratch) {
    const int side = (int)input[0];
    uint word = get_global_id(0);
    int rounds = 0;
    for (int i = 0; i < side; i++) {
        for (int j = 0; j < side; j++) {
            // No closed form that a compiler knows.
            word = (word ^ (uint)j) * 1664525u + 1013904223u;
            rounds++;
        }
    }
    output[get_global_id(0)] = (float)rounds;
    scratch[get_global_id(0)] = (float)(word >> 16);
}
