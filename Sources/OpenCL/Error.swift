import COpenCL

/// An OpenCL call that failed: what it answered, where, and what it was asked.
public struct OpenCLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The status that the call returned, such as -54.
    public let code: Int32
    /// The function that returned it, such as `clEnqueueNDRangeKernel`.
    public let call: String
    /// The name of the device that was addressed, where there is one.
    public let device: String?
    /// What was asked for: a kernel's name and sizes, a buffer's bytes, or the compiler's build log.
    public let detail: String?

    public init(code: Int32, call: String, device: String? = nil, detail: String? = nil) {
        self.code = code
        self.call = call
        self.device = device
        self.detail = detail
    }

    /// The name that the OpenCL 1.2 headers give to `code`, such as `CL_INVALID_WORK_GROUP_SIZE`.
    public var codeName: String {
        Self.codeNames[code] ?? "a code that OpenCL 1.2 does not define"
    }

    /// What is likely to be behind a status.
    public enum Cause: Hashable, Sendable {
        case outOfMemory
        /// A kernel that faulted, which drivers report late, at whatever call comes next: NVIDIA's as
        /// `CL_OUT_OF_RESOURCES`, `CL_INVALID_COMMAND_QUEUE` or -9999.
        case kernelFault
        /// A program that does not compile, or a call that nobody should make.
        case defect
        /// The device is lost, or cannot be used; or its driver has no compiler.
        case device
    }

    public var cause: Cause {
        switch code {
        case CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY, CL_INVALID_BUFFER_SIZE: .outOfMemory
        case CL_OUT_OF_RESOURCES, CL_INVALID_COMMAND_QUEUE, -9999: .kernelFault
        case CL_BUILD_PROGRAM_FAILURE where detail?.contains(Self.silentCompiler) == true: .device
        case CL_BUILD_PROGRAM_FAILURE, CL_INVALID_KERNEL_NAME, CL_INVALID_ARG_SIZE, CL_INVALID_KERNEL_ARGS,
            CL_INVALID_VALUE, CL_INVALID_WORK_GROUP_SIZE:
            .defect
        default: .device
        }
    }

    /// Of a program that does not build, and nobody says why.
    static let silentCompiler = "the compiler's log is empty"

    /// For example: `clEnqueueNDRangeKernel on "Tesla V100": CL_INVALID_WORK_GROUP_SIZE (-54): kernel add,
    /// global [7], local [4]`.
    public var description: String {
        let place = device.map { " on \"\($0)\"" } ?? ""
        let reason = detail.map { ": \($0)" } ?? ""
        return "\(call)\(place): \(codeName) (\(code))\(reason)"
    }
}

/// The one door: every status that OpenCL returns passes here.
func check(
    _ status: cl_int, _ call: StaticString, device: Device? = nil, detail: @autoclosure () -> String? = nil
) throws {
    guard status != CL_SUCCESS else { return }
    throw OpenCLError(code: status, call: "\(call)", device: device?.name, detail: detail())
}

/// The door for calls that return a new object, and their status through a pointer.
func create(
    _ call: StaticString, device: Device, detail: @autoclosure () -> String? = nil,
    _ body: (UnsafeMutablePointer<cl_int>) -> OpaquePointer?
) throws -> Handle {
    var status = CL_SUCCESS
    let object = body(&status)
    try check(status, call, device: device, detail: detail())
    guard let object else { preconditionFailure("\(call) returned neither an object nor an error") }
    return Handle(pointer: object)
}

/// The door for `deinit`, where nothing can be thrown. A lost device may refuse and is forgiven, since
/// whoever used it has had the error already; a handle that is not valid is a mistake in this module.
func release(_ status: cl_int, _ call: StaticString) {
    do {
        try check(status, call)
    } catch {
        assert(status > CL_INVALID_VALUE, "\(error)")
    }
}

extension OpenCLError {
    private static let codeNames: [Int32: String] = [
        0: "CL_SUCCESS",
        -1: "CL_DEVICE_NOT_FOUND",
        -2: "CL_DEVICE_NOT_AVAILABLE",
        -3: "CL_COMPILER_NOT_AVAILABLE",
        -4: "CL_MEM_OBJECT_ALLOCATION_FAILURE",
        -5: "CL_OUT_OF_RESOURCES",
        -6: "CL_OUT_OF_HOST_MEMORY",
        -7: "CL_PROFILING_INFO_NOT_AVAILABLE",
        -8: "CL_MEM_COPY_OVERLAP",
        -9: "CL_IMAGE_FORMAT_MISMATCH",
        -10: "CL_IMAGE_FORMAT_NOT_SUPPORTED",
        -11: "CL_BUILD_PROGRAM_FAILURE",
        -12: "CL_MAP_FAILURE",
        -13: "CL_MISALIGNED_SUB_BUFFER_OFFSET",
        -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
        -15: "CL_COMPILE_PROGRAM_FAILURE",
        -16: "CL_LINKER_NOT_AVAILABLE",
        -17: "CL_LINK_PROGRAM_FAILURE",
        -18: "CL_DEVICE_PARTITION_FAILED",
        -19: "CL_KERNEL_ARG_INFO_NOT_AVAILABLE",
        -30: "CL_INVALID_VALUE",
        -31: "CL_INVALID_DEVICE_TYPE",
        -32: "CL_INVALID_PLATFORM",
        -33: "CL_INVALID_DEVICE",
        -34: "CL_INVALID_CONTEXT",
        -35: "CL_INVALID_QUEUE_PROPERTIES",
        -36: "CL_INVALID_COMMAND_QUEUE",
        -37: "CL_INVALID_HOST_PTR",
        -38: "CL_INVALID_MEM_OBJECT",
        -39: "CL_INVALID_IMAGE_FORMAT_DESCRIPTOR",
        -40: "CL_INVALID_IMAGE_SIZE",
        -41: "CL_INVALID_SAMPLER",
        -42: "CL_INVALID_BINARY",
        -43: "CL_INVALID_BUILD_OPTIONS",
        -44: "CL_INVALID_PROGRAM",
        -45: "CL_INVALID_PROGRAM_EXECUTABLE",
        -46: "CL_INVALID_KERNEL_NAME",
        -47: "CL_INVALID_KERNEL_DEFINITION",
        -48: "CL_INVALID_KERNEL",
        -49: "CL_INVALID_ARG_INDEX",
        -50: "CL_INVALID_ARG_VALUE",
        -51: "CL_INVALID_ARG_SIZE",
        -52: "CL_INVALID_KERNEL_ARGS",
        -53: "CL_INVALID_WORK_DIMENSION",
        -54: "CL_INVALID_WORK_GROUP_SIZE",
        -55: "CL_INVALID_WORK_ITEM_SIZE",
        -56: "CL_INVALID_GLOBAL_OFFSET",
        -57: "CL_INVALID_EVENT_WAIT_LIST",
        -58: "CL_INVALID_EVENT",
        -59: "CL_INVALID_OPERATION",
        -60: "CL_INVALID_GL_OBJECT",
        -61: "CL_INVALID_BUFFER_SIZE",
        -62: "CL_INVALID_MIP_LEVEL",
        -63: "CL_INVALID_GLOBAL_WORK_SIZE",
        -64: "CL_INVALID_PROPERTY",
        -65: "CL_INVALID_IMAGE_DESCRIPTOR",
        -66: "CL_INVALID_COMPILER_OPTIONS",
        -67: "CL_INVALID_LINKER_OPTIONS",
        -68: "CL_INVALID_DEVICE_PARTITION_COUNT",
        -1001: "CL_PLATFORM_NOT_FOUND_KHR",
    ]
}
