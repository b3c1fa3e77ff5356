// Both gradients of a small convolution on GPUs in one launch: neither fills a large GPU or waits for the other.
// convolution2d_tiled.cl and convolution2d_filter_gradient_tiled.cl, which are in front, say what the products are.
//
// Work-groups: the first `input_groups` make the input's gradient, the others the filter's and the bias's.
// Constants: those of convolution2d_tiled.cl, with TRANSPOSED = 1 and BOTH_GRADIENTS = 1; the tile serves both.

__kernel TILED_GROUP
void convolution2d_gradients_tiled(__global const activation *restrict dy, __global const filter_value *restrict filter,
                                   __global const activation *restrict addend,
                                   __global const activation *restrict mask, __global activation *restrict dx,
                                   const ConvolutionGeometry input_geometry, int input_groups,
                                   __global const activation *restrict x, __global float *filter_sums,
                                   __global float *bias_sums, __global float *filter_gradient,
                                   __global float *bias_gradient, volatile __global int *counters,
                                   const TiledGradientGeometry filter_geometry) {
    __local WordRun a[STAGES][A_RUNS], b[STAGES][B_RUNS] __attribute__((aligned(32)));
    const int group = get_group_id(0);
    // Both end with a barrier: PoCL 3.1 leaves what follows the last barrier of a branch to some work-items alone.
    if (group < input_groups) {
        // A gradient has no offset, so that nothing is read in its place.
        convolve(dy, filter, filter_sums, addend, mask, dx, &input_geometry, a, b, group);
        barrier(CLK_LOCAL_MEM_FENCE);
    } else {
        differentiate(x, dy, filter_sums, bias_sums, filter_gradient, bias_gradient, counters, &filter_geometry, a,
                      b, group - input_groups);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
