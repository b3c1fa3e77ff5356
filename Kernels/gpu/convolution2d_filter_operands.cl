// A convolution's filter as products with K-major tiles take it (tile_pieces.cl): rounded once to what tensor cores
// multiply, with the channels that are summed innermost. tensor_core.cl is in front.
//
// Buffers: filter [T][C][O], T taps as they are stored; operands, float32 rounded to TF32 or activations' 16 bits.
//   convolution2d_filter_transpose   operands [O][T][C], for the forward pass. The matrix [T·C][O], SIDE × SIDE at a
//                                    time; global (O, T·C), rounded up to whole groups of SIDE columns and SIDE rows,
//                                    of which a work-item takes every GROUP_ROWS-th.
//   convolution2d_filter_regroup     operands [C][T][O], for the input's gradient; global (O / 4, C, T).
// Constants: TENSOR.

#define SIDE 32
#define GROUP_ROWS 8

#if MIXED
#define STORE_OPERAND(value, pointer) STORE_ONE(value, pointer)
#define OPERANDS(values) lanes_to_stored(values)
#else
#define STORE_OPERAND(value, pointer) (*(pointer) = to_tf32(value))
#define OPERANDS(values) to_tf32(values)
typedef float4 activation_lanes;
#endif

__kernel __attribute__((reqd_work_group_size(SIDE, GROUP_ROWS, 1)))
void convolution2d_filter_transpose(__global const float *restrict filter, __global activation *restrict operands,
                                    int rows, int columns) {
    __local float tile[SIDE][SIDE + 1];
    const int x = get_local_id(0), first_column = get_group_id(0) * SIDE, first_row = get_group_id(1) * SIDE;
    for (int y = get_local_id(1); y < SIDE; y += GROUP_ROWS)
        if (first_row + y < rows && first_column + x < columns)
            tile[y][x] = filter[(size_t)(first_row + y) * columns + first_column + x];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int y = get_local_id(1); y < SIDE; y += GROUP_ROWS)
        if (first_column + y < columns && first_row + x < rows)
            STORE_OPERAND(tile[x][y], operands + (size_t)(first_column + y) * rows + first_row + x);
}

__kernel void convolution2d_filter_regroup(__global const float *restrict filter,
                                           __global activation *restrict operands, int taps, int channels,
                                           int outputs) {
    const int output = get_global_id(0) * 4, channel = get_global_id(1), tap = get_global_id(2);
    const float4 values = *(__global const float4 *)(filter + ((size_t)tap * channels + channel) * outputs + output);
    *(__global activation_lanes *)(operands + ((size_t)channel * taps + tap) * outputs + output) = OPERANDS(values);
}
