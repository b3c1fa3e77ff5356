// The filters of all convolutions of a step as products with K-major tiles take them (tile_pieces.cl): rounded once to
// what tensor cores multiply, with the channels that are summed innermost. tensor_core.cl is in front.
//
// A filter is a matrix [T·C][O], T taps as they are stored. For the forward pass its operands are [O][T][C], the matrix
// turned over; for the image's gradient [C][T][O], its rows in another order.
//
// Work-groups: one dimension, SIDE rows by SIDE columns of a filter each, as many for a task as it has such squares; a
// work-item takes every GROUP_ROWS-th row of its column.
// Buffers: parameters, all; operands, float32 rounded to TF32 or activations' 16 bits; tasks [count], in the order of
// their first groups.
// Constants: TENSOR.

#define SIDE 32
#define GROUP_ROWS 8

#if MIXED
#define STORE_OPERAND(value, pointer) STORE_ONE(value, pointer)
#else
#define STORE_OPERAND(value, pointer) (*(pointer) = to_tf32(value))
#endif

__kernel __attribute__((reqd_work_group_size(SIDE, GROUP_ROWS, 1)))
void convolution2d_filter_operands(__global const float *restrict parameters, __global activation *restrict operands,
                                   __global const FilterTask *restrict tasks, int count) {
    __local float tile[SIDE][SIDE + 1];
    const int group = get_group_id(0), x = get_local_id(0);
    // The last task that begins at this group or before it.
    int low = 0, high = count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (tasks[middle].first_group <= group) low = middle;
        else high = middle;
    }
    const FilterTask task = tasks[low];
    const int rows = task.taps * task.channels, columns = task.outputs, squares = (columns + SIDE - 1) / SIDE;
    const int first_row = (group - task.first_group) / squares * SIDE;
    const int first_column = (group - task.first_group) % squares * SIDE;
    __global const float *filter = parameters + task.source;
    __global activation *to = operands + task.target;
    for (int y = get_local_id(1); y < SIDE; y += GROUP_ROWS) {
        const int row = first_row + y, column = first_column + x;
        if (row >= rows || column >= columns) continue;
        const float value = filter[(size_t)row * columns + column];
        if (task.sums_outputs) {
            const int target_row = row % task.channels * task.taps + row / task.channels;
            STORE_OPERAND(value, to + (size_t)target_row * columns + column);
        } else {
            tile[y][x] = value;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (task.sums_outputs) return;
    for (int y = get_local_id(1); y < SIDE; y += GROUP_ROWS)
        if (first_column + y < columns && first_row + x < rows)
            STORE_OPERAND(tile[x][y], to + (size_t)(first_column + y) * rows + first_row + x);
}
