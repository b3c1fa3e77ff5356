import COpenCL

/// Moving bytes. A range outside its buffer is an `OpenCLError`; a transfer of no bytes does nothing.
extension Queue {
    /// Copies `source` into `buffer`, beginning at `offset`.
    ///
    /// With `blocking: false` it may return before the bytes are read: `source` must stay until `finish`.
    public func write(
        from source: UnsafeRawBufferPointer, to buffer: Buffer, offset: Int = 0, blocking: Bool = true
    ) throws {
        guard let address = source.baseAddress, source.count > 0 else { return }
        try check(
            clEnqueueWriteBuffer(
                handle.pointer, buffer.handle.pointer, cl_bool(blocking ? CL_TRUE : CL_FALSE), offset,
                source.count, address, 0, nil, nil),
            "clEnqueueWriteBuffer", device: context.device, detail: buffer.range(offset, source.count))
    }

    /// Starts copying `source` into `buffer`, beginning at `offset`: `source` must stay until the event, and what reads the
    /// buffer in another queue waits for it.
    public func send(
        from source: UnsafeRawBufferPointer, to buffer: Buffer, offset: Int = 0
    ) throws -> Event {
        precondition(source.count > 0, "a transfer of no bytes has no event")
        var event: cl_event?
        try check(
            clEnqueueWriteBuffer(
                handle.pointer, buffer.handle.pointer, cl_bool(CL_FALSE), offset, source.count,
                source.baseAddress, 0, nil, &event),
            "clEnqueueWriteBuffer", device: context.device, detail: buffer.range(offset, source.count))
        guard let event else { preconditionFailure("clEnqueueWriteBuffer returned no event") }
        return Event(handle: Handle(pointer: event), device: context.device)
    }

    /// Copies the bytes of `buffer` that begin at `offset` into `destination`, as many as it holds.
    ///
    /// With `blocking: false` the bytes are there after `finish`, and `destination` must stay until then.
    public func read(
        _ buffer: Buffer, offset: Int = 0, into destination: UnsafeMutableRawBufferPointer,
        blocking: Bool = true
    ) throws {
        guard let address = destination.baseAddress, destination.count > 0 else { return }
        try check(
            clEnqueueReadBuffer(
                handle.pointer, buffer.handle.pointer, cl_bool(blocking ? CL_TRUE : CL_FALSE), offset,
                destination.count, address, 0, nil, nil),
            "clEnqueueReadBuffer", device: context.device, detail: buffer.range(offset, destination.count))
    }

    /// Gives the host all bytes of `buffer` to read and change, after the commands before it, and the device the
    /// changed ones back. The address is good inside `body` alone.
    public func withMapped<Result>(
        _ buffer: Buffer, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        let flags = cl_map_flags(CL_MAP_READ | CL_MAP_WRITE)
        var status = CL_SUCCESS
        let address = clEnqueueMapBuffer(
            handle.pointer, buffer.handle.pointer, cl_bool(CL_TRUE), flags, 0, buffer.byteCount, 0, nil, nil,
            &status)
        try check(
            status, "clEnqueueMapBuffer", device: context.device, detail: buffer.range(0, buffer.byteCount))
        guard let address else {
            preconditionFailure("clEnqueueMapBuffer returned neither bytes nor an error")
        }
        let result = Swift.Result {
            try body(UnsafeMutableRawBufferPointer(start: address, count: buffer.byteCount))
        }
        try check(
            clEnqueueUnmapMemObject(handle.pointer, buffer.handle.pointer, address, 0, nil, nil),
            "clEnqueueUnmapMemObject", device: context.device)
        return try result.get()
    }

    /// Memory of the host that transfers are fastest from, for as long as the object lives.
    public func pinnedMemory(byteCount: Int) throws -> PinnedMemory {
        try PinnedMemory(self, byteCount: byteCount)
    }

    /// Sets `byteCount` bytes, or all to the end, to `byte`. Returns at once.
    public func fill(_ buffer: Buffer, byte: UInt8, offset: Int = 0, byteCount: Int? = nil) throws {
        try fill(buffer, pattern: byte, offset, byteCount)
    }

    /// Repeats the four bytes of `word` over `byteCount` bytes, or to the end; offset and byte count are
    /// multiples of 4. A float is filled in by its `bitPattern`. Returns at once.
    public func fill(_ buffer: Buffer, with word: UInt32, offset: Int = 0, byteCount: Int? = nil) throws {
        try fill(buffer, pattern: word, offset, byteCount)
    }

    private func fill<Pattern: BitwiseCopyable>(
        _ buffer: Buffer, pattern: Pattern, _ offset: Int, _ byteCount: Int?
    ) throws {
        let byteCount = byteCount ?? buffer.byteCount - offset
        guard byteCount != 0 else { return }
        var pattern = pattern
        try check(
            clEnqueueFillBuffer(
                handle.pointer, buffer.handle.pointer, &pattern, MemoryLayout<Pattern>.size, offset,
                byteCount,
                0, nil, nil),
            "clEnqueueFillBuffer", device: context.device, detail: buffer.range(offset, byteCount))
    }

    /// Copies `byteCount` bytes, or all of `source` from its offset on, on the device. Returns at once.
    public func copy(
        from source: Buffer, offset sourceOffset: Int = 0, to destination: Buffer,
        offset destinationOffset: Int = 0, byteCount: Int? = nil
    ) throws {
        let byteCount = byteCount ?? source.byteCount - sourceOffset
        guard byteCount != 0 else { return }
        try check(
            clEnqueueCopyBuffer(
                handle.pointer, source.handle.pointer, destination.handle.pointer, sourceOffset,
                destinationOffset, byteCount, 0, nil, nil),
            "clEnqueueCopyBuffer", device: context.device,
            detail: "from \(source.range(sourceOffset, byteCount))"
                + " to \(destination.range(destinationOffset, byteCount))")
    }
}

/// Bytes of the host that the driver has fixed in place, so that the device fetches them without a copy on the way.
public final class PinnedMemory: @unchecked Sendable {
    public let bytes: UnsafeMutableRawBufferPointer
    private let buffer: Buffer
    private let queue: Queue

    fileprivate init(_ queue: Queue, byteCount: Int) throws {
        buffer = try Buffer(context: queue.context, byteCount: byteCount, isPinned: true)
        self.queue = queue
        var status = CL_SUCCESS
        let address = clEnqueueMapBuffer(
            queue.handle.pointer, buffer.handle.pointer, cl_bool(CL_TRUE),
            cl_map_flags(CL_MAP_READ | CL_MAP_WRITE), 0, byteCount, 0, nil, nil, &status)
        try check(
            status, "clEnqueueMapBuffer", device: queue.context.device, detail: buffer.range(0, byteCount))
        guard let address else {
            preconditionFailure("clEnqueueMapBuffer returned neither bytes nor an error")
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    deinit {
        release(
            clEnqueueUnmapMemObject(
                queue.handle.pointer, buffer.handle.pointer, bytes.baseAddress, 0, nil, nil),
            "clEnqueueUnmapMemObject")
    }
}

extension Buffer {
    fileprivate func range(_ offset: Int, _ byteCount: Int) -> String {
        "\(byteCount) bytes at offset \(offset) of a buffer of \(self.byteCount)"
    }
}
