import COpenCL

/// A function of a program together with its arguments, ready to be enqueued.
///
/// Arguments stay set until they are set again, and are read when the kernel is enqueued. Setting them is
/// the one thing in OpenCL that two threads must not do to one object at once: hence not Sendable. Another
/// thread takes a kernel of its own from the program.
public final class Kernel {
    let handle: Handle
    public let program: Program
    public let name: String
    public let argumentCount: Int
    /// OpenCL does not keep the buffers it was given as arguments; these references do.
    private var buffers: [Buffer?]

    init(program: Program, name: String) throws {
        let device = program.context.device
        let handle = try create("clCreateKernel", device: device, detail: "kernel \(name)") {
            clCreateKernel(program.handle.pointer, name, $0)
        }
        self.handle = handle
        self.program = program
        self.name = name
        var count: cl_uint = 0
        let status = clGetKernelInfo(
            handle.pointer, cl_kernel_info(CL_KERNEL_NUM_ARGS), MemoryLayout<cl_uint>.size, &count, nil)
        argumentCount = Int(count)
        buffers = Array(repeating: nil, count: argumentCount)
        try check(status, "clGetKernelInfo", device: device, detail: "kernel \(name)")
    }

    /// Passes `buffer` to a `global` or `constant` pointer, and keeps it alive.
    public func setArgument(_ index: Int, _ buffer: Buffer) throws {
        var pointer: cl_mem? = buffer.handle.pointer
        try set(index, byteCount: MemoryLayout<cl_mem?>.size, &pointer, "a buffer")
        buffers[index] = buffer
    }

    /// Passes a value whose bytes are those of the kernel's type: `Int32` for `int`, `Float` for `float`,
    /// `SIMD4<Float>` for `float4`. Beware that a Swift `Int` is a `long`, and a literal is an `Int`.
    public func setArgument<Value: BitwiseCopyable>(_ index: Int, _ value: Value) throws {
        var value = value
        try set(index, byteCount: MemoryLayout<Value>.size, &value, "\(Value.self)")
    }

    /// Gives a `local` pointer that many bytes for each work-group.
    public func setLocalMemory(_ index: Int, byteCount: Int) throws {
        try set(index, byteCount: byteCount, nil, "local memory")
    }

    private func set(
        _ index: Int, byteCount: Int, _ value: UnsafeRawPointer?, _ kind: @autoclosure () -> String
    ) throws {
        try check(
            clSetKernelArg(handle.pointer, cl_uint(index), byteCount, value),
            "clSetKernelArg", device: program.context.device,
            detail: "kernel \(name), argument \(index) of \(argumentCount): \(kind()), \(byteCount) bytes")
    }

    deinit {
        release(clReleaseKernel(handle.pointer), "clReleaseKernel")
    }
}
