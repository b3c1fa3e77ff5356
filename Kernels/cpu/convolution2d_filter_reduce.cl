// The last step of the direct filter gradients, convolution2d_filter_gradient.cl, convolution2d_packed.cl and
// convolution2d_rows.cl, each of which leaves sums over parts of the batch in partial [splits][KH·KW·C + 1][O], the last
// row the bias's.

// Adds the splits in order. Work-items: global (values / LANES, rounded up).
__kernel WORK_GROUP
void convolution2d_filter_reduce(__global const float *restrict partial, __global float *restrict filter,
                                 __global float *restrict bias, int filter_count, int outputs, int splits,
                                 int has_bias) {
    const int first = get_global_id(0) * LANES;
    const int total = filter_count + (has_bias ? outputs : 0);
    const int stride = filter_count + outputs;
    lanes sum = load_first(partial + first, total - first);
    for (int split = 1; split < splits; split++)
        sum += load_first(partial + (size_t)split * stride + first, total - first);
    if (first + LANES <= filter_count) {
        STORE(sum, filter + first);
        return;
    }
    float values[LANES];
    JOIN(vstore, LANES)(sum, 0, values);
    for (int lane = 0; lane < min(LANES, total - first); lane++) {
        const int at = first + lane;
        if (at < filter_count) filter[at] = values[lane];
        else bias[at - filter_count] = values[lane];
    }
}
