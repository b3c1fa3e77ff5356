import COpenCL

/// Bytes in the device's memory.
///
/// OpenCL keeps the bytes until the commands that use them have finished, so a buffer may go while its
/// queue is still busy.
public final class Buffer: Sendable {
    /// What kernels may do with a buffer; the host may always write and read.
    public enum Access: Hashable, Sendable {
        case readWrite, readOnly, writeOnly
    }

    let handle: Handle
    public let context: Context
    public let byteCount: Int
    /// The buffer that these bytes are a part of, kept alive by its parts.
    public let parent: Buffer?
    /// Where in `parent` these bytes begin; 0 where there is none.
    public let offset: Int

    /// Bytes with undefined contents. Most drivers allocate at first use, so that memory may run out only
    /// there; filling the buffer forces it.
    ///
    /// - Parameter isPinned: whether to ask for memory of the host that the device reaches by itself, which
    ///   transfers through `Queue.withMapped` are faster from and to.
    /// - Precondition: `byteCount` is positive.
    public init(
        context: Context, byteCount: Int, access: Access = .readWrite, isPinned: Bool = false
    ) throws {
        precondition(byteCount > 0, "a buffer of \(byteCount) bytes")
        let flags = access.flags | (isPinned ? cl_mem_flags(CL_MEM_ALLOC_HOST_PTR) : 0)
        handle = try create("clCreateBuffer", device: context.device, detail: "\(byteCount) bytes") {
            clCreateBuffer(context.handle.pointer, flags, byteCount, nil, $0)
        }
        self.context = context
        self.byteCount = byteCount
        parent = nil
        offset = 0
    }

    private init(parent: Buffer, offset: Int, byteCount: Int) throws {
        let device = parent.context.device
        handle = try create(
            "clCreateSubBuffer", device: device,
            detail:
                "bytes \(offset)..<\(offset + byteCount) of \(parent.byteCount); this device wants offsets"
                + " that are multiples of \(device.subBufferAlignmentBytes)"
        ) {
            var region = cl_buffer_region(origin: offset, size: byteCount)
            let type = cl_buffer_create_type(CL_BUFFER_CREATE_TYPE_REGION)
            return clCreateSubBuffer(parent.handle.pointer, 0, type, &region, $0)
        }
        context = parent.context
        self.byteCount = byteCount
        self.parent = parent
        self.offset = offset
    }

    /// A part of this buffer under a name of its own: the same bytes, not a copy, with the same access.
    ///
    /// `offset` must be a multiple of the device's `subBufferAlignmentBytes`, counted from the start of the
    /// whole buffer: OpenCL knows no parts of parts, so a part of a part is one of the whole.
    ///
    /// - Precondition: `byteCount` is positive.
    public func subBuffer(offset: Int, byteCount: Int) throws -> Buffer {
        precondition(byteCount > 0, "a sub-buffer of \(byteCount) bytes")
        return try Buffer(parent: parent ?? self, offset: self.offset + offset, byteCount: byteCount)
    }

    deinit {
        release(clReleaseMemObject(handle.pointer), "clReleaseMemObject")
    }
}

extension Buffer.Access {
    fileprivate var flags: cl_mem_flags {
        switch self {
        case .readWrite: cl_mem_flags(CL_MEM_READ_WRITE)
        case .readOnly: cl_mem_flags(CL_MEM_READ_ONLY)
        case .writeOnly: cl_mem_flags(CL_MEM_WRITE_ONLY)
        }
    }
}
