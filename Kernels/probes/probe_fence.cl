// Whether the last of many work-groups sees what all others wrote (Kernels/gpu/last_group.cl, which stands in front).
//
// Each group writes its places; the last one adds up all of them. Before that every group reads some places of others,
// so that its caches have them as they may have been in the round before: no part of the result, but stored, so that
// they are read.
//
// Work-items: groups of 64. Buffers: places [groups][64], counter [1], sums [64], before [groups][64].
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void probe(
    __global int *places, volatile __global int *counter, __global int *sums, __global int *before, int round) {
    __local int ticket;
    const int item = get_local_id(0), group = get_group_id(0), groups = get_num_groups(0);
    int earlier = 0;
    for (int i = 1; i <= 64; i++) earlier += places[(group + 61 * i) % groups * 64 + 63 - item];
    before[group * 64 + item] = earlier;
    places[group * 64 + item] = (group + item) * round;
    if (is_last_group(counter, groups, &ticket)) {
        int sum = 0;
        for (int i = 0; i < groups; i++) sum += places[i * 64 + 63 - item];
        sums[item] = sum;
    }
}
