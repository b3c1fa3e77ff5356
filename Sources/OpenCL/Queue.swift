import COpenCL

/// Commands that one device runs in the order in which they were enqueued.
///
/// Few calls make an event: OpenCL hands one out for every command that asks, and programs that collect them slow down a
/// thousandfold.
public final class Queue: Sendable {
    let handle: Handle
    public let context: Context

    /// - Parameter profiling: whether the device notes its times for `enqueueProfiled`; costs a little.
    public init(context: Context, profiling: Bool = false) throws {
        let properties = profiling ? cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE) : 0
        handle = try create("clCreateCommandQueue", device: context.device) {
            clCreateCommandQueue(context.handle.pointer, context.device.handle.pointer, properties, $0)
        }
        self.context = context
    }

    /// Runs `kernel` with the arguments it has now, over `global` work-items in groups of `local`, one to
    /// three dimensions each. An empty `local` leaves the groups to the driver. Returns at once.
    public func enqueue(_ kernel: Kernel, global: [Int], local: [Int] = []) throws {
        try enqueue(kernel, global, local, event: nil)
    }

    /// Runs `kernel` as `enqueue` does, and gives the event that tells its times.
    public func enqueueProfiled(_ kernel: Kernel, global: [Int], local: [Int] = []) throws -> Event {
        var event: cl_event?
        try enqueue(kernel, global, local, event: &event)
        guard let event else { preconditionFailure("clEnqueueNDRangeKernel returned no event") }
        return Event(handle: Handle(pointer: event), device: context.device)
    }

    private func enqueue(
        _ kernel: Kernel, _ global: [Int], _ local: [Int], event: UnsafeMutablePointer<cl_event?>?
    ) throws {
        precondition(
            local.isEmpty || local.count == global.count, "local \(local) and global \(global) differ in rank"
        )
        let status = global.withUnsafeBufferPointer { global in
            local.withUnsafeBufferPointer { local in
                clEnqueueNDRangeKernel(
                    handle.pointer, kernel.handle.pointer, cl_uint(global.count), nil, global.baseAddress,
                    local.isEmpty ? nil : local.baseAddress, 0, nil, event)
            }
        }
        try check(
            status, "clEnqueueNDRangeKernel", device: context.device,
            detail: "kernel \(kernel.name), global \(global), local \(local)")
    }

    /// The end of all that is enqueued so far.
    public func mark() throws -> Event {
        var event: cl_event?
        try barrier(behind: nil, &event)
        guard let event else { preconditionFailure("clEnqueueBarrierWithWaitList returned no event") }
        return Event(handle: Handle(pointer: event), device: context.device)
    }

    /// Has what is enqueued from now on wait for a command of another queue, which must have been flushed.
    public func wait(for event: Event) throws { try barrier(behind: event, nil) }

    private func barrier(behind event: Event?, _ mark: UnsafeMutablePointer<cl_event?>?) throws {
        let waits: [cl_event?] = event.map { [$0.handle.pointer] } ?? []
        try check(
            clEnqueueBarrierWithWaitList(
                handle.pointer, cl_uint(waits.count), waits.isEmpty ? nil : waits, mark),
            "clEnqueueBarrierWithWaitList", device: context.device)
    }

    /// Sends what is enqueued to the device without waiting for it.
    public func flush() throws {
        try check(clFlush(handle.pointer), "clFlush", device: context.device)
    }

    /// Returns when everything enqueued has finished. Many drivers spin a core meanwhile.
    public func finish() throws {
        try check(clFinish(handle.pointer), "clFinish", device: context.device)
    }

    deinit {
        release(clReleaseCommandQueue(handle.pointer), "clReleaseCommandQueue")
    }
}
