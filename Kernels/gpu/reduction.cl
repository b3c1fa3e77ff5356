// Reductions by work-groups in a fixed order, for devices whose work-items run side by side; in front of the files
// whose names end in _reduction.
//
// A group has GROUP_X × GROUP_Y work-items: x runs along channels, so that neighbours read neighbouring vectors, y
// along what is reduced. A work-item reduces every GROUP_Y-th element in order; then half of the rows take in the
// other half, until one row is left. The order follows from shapes and these constants alone, so the same numbers
// come out on every device and in every run.
//
// GROUP_Y is a power of two. The macros below hold barriers: every work-item of a group passes them.

#define GROUP __attribute__((reqd_work_group_size(GROUP_X, GROUP_Y, 1)))

// The first of a work-item's channels, and how many are left from there; none past the last.
#define GROUP_CHANNEL ((int)get_global_id(0) * LANES)
#define GROUP_LEFT(channels) max((channels) - GROUP_CHANNEL, 0)

// Runs `take`, which adds row y + reach's share to row y's, for reach = GROUP_Y / 2, GROUP_Y / 4, … 1. Every row has
// stored its share in local memory before.
#define HALVE(reach, y, take) HALVE_ROWS(GROUP_Y, reach, y, take)
// The same of another number of rows, a power of two, too.
#define HALVE_ROWS(rows, reach, y, take)                       \
    for (int reach = (rows) / 2; reach > 0; reach /= 2) {        \
        barrier(CLK_LOCAL_MEM_FENCE);                         \
        if (y < reach) { take; }                               \
    }
