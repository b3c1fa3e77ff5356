import COpenCL

/// The times of one enqueued command, by the device's clock; from `Queue.enqueueProfiled`.
public final class Event: Sendable {
    let handle: Handle
    /// The device that the command runs on.
    public let device: Device

    init(handle: Handle, device: Device) {
        self.handle = handle
        self.device = device
    }

    /// Returns when the command has finished; throws where it failed.
    public func wait() throws {
        var event: cl_event? = handle.pointer
        try check(clWaitForEvents(1, &event), "clWaitForEvents", device: device)
    }

    /// When the host enqueued the command. Like the other times it is known once the command has finished,
    /// on a queue made with `profiling: true`, and counts from an arbitrary origin.
    public var queuedNanoseconds: UInt64 {
        get throws { try nanoseconds(CL_PROFILING_COMMAND_QUEUED) }
    }

    /// When the device began the command.
    public var startNanoseconds: UInt64 {
        get throws { try nanoseconds(CL_PROFILING_COMMAND_START) }
    }

    /// When the device ended the command.
    public var endNanoseconds: UInt64 {
        get throws { try nanoseconds(CL_PROFILING_COMMAND_END) }
    }

    /// How long the device took.
    public var duration: Duration {
        get throws { .nanoseconds(Int64(try endNanoseconds) - Int64(try startNanoseconds)) }
    }

    private func nanoseconds(_ moment: Int32) throws -> UInt64 {
        var time: cl_ulong = 0
        try check(
            clGetEventProfilingInfo(
                handle.pointer, cl_profiling_info(moment), MemoryLayout<cl_ulong>.size, &time, nil),
            "clGetEventProfilingInfo", device: device)
        return UInt64(time)
    }

    deinit {
        release(clReleaseEvent(handle.pointer), "clReleaseEvent")
    }
}
