// What several work-groups have computed a part of is put together by the last of them, in the same launch.
//
// No group waits for another: each counts itself when it is done, and who finds that all others are done goes on. Which
// one that is differs from run to run; what it computes must not, so it takes the parts in their own order. OpenCL 1.2
// does not promise that a group sees what another one wrote in the same launch, so these kernels are there where
// something else does (DeviceFence in Sources/Device/DeviceFence.swift): FENCE is 1 for inline PTX, 2 for OpenCL C 2.0
// and 3.0, which want the order `acq_rel` and the scope of the whole device.

#if FENCE
#if FENCE == 1
#define DEVICE_FENCE() PTX("fence.acq_rel.gpu;" : : : "memory")
#else
#define DEVICE_FENCE() atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_acq_rel, memory_scope_device)
#endif

// Whether this work-group is the last of `groups` that come here with the same counter. If so, it sees in global memory
// what all of them had written before. Every work-item of a group passes here, once. `counter` is 0 before the launch
// and behind it (Launch.Argument.counters), `ticket` one int in local memory for this alone.
//
// The parts are read through a pointer that is neither `const` nor `restrict`: NVIDIA's compiler reads what is both
// through a cache that no fence empties, and any compiler may read what is `restrict` earlier. Where what the last
// group does has barriers, it ends with one: PoCL 3.1 leaves what follows the last barrier of a branch to some of the
// work-items alone.
//
// Of some: where all groups pass, but only some count, all of a group's work-items or none. A kernel that asks twice
// has two tickets: PoCL's compiler (3.1, LLVM 15) crashes where they are one.
static inline bool is_last_of_some(volatile __global int *counter, int groups, __local int *ticket, bool counts) {
    DEVICE_FENCE();
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    if (counts && get_local_id(0) == 0 && get_local_id(1) == 0 && get_local_id(2) == 0) {
        *ticket = atomic_inc(counter);
        if (*ticket == groups - 1) atomic_xchg(counter, 0);
    }
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    const bool is_last = counts && *ticket == groups - 1;
    if (is_last) DEVICE_FENCE();
    return is_last;
}

static inline bool is_last_group(volatile __global int *counter, int groups, __local int *ticket) {
    return is_last_of_some(counter, groups, ticket, true);
}
#endif
