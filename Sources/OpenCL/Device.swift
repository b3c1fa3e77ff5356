import COpenCL

/// What a device is built as.
public enum DeviceType: String, Hashable, Sendable, CaseIterable {
    case gpu, cpu, accelerator, other
}

/// One OpenCL device, with the properties it had when it was listed.
///
/// Two devices are equal when they are the same device of this process.
public struct Device: Sendable {
    let handle: Handle
    let platform: Handle

    /// The place of the device's platform in `Platform.all()`.
    public let platformIndex: Int
    /// The device's place inside its platform.
    public let deviceIndex: Int
    public let platformName: String
    public let name: String
    public let vendor: String
    public let type: DeviceType
    /// The OpenCL version that the device offers, such as `OpenCL 3.0 CUDA`.
    public let version: String
    public let driverVersion: String

    /// The size of the device's memory.
    public let memoryByteCount: Int
    /// The size of the largest buffer that the driver promises to give.
    public let maximumAllocationByteCount: Int
    /// The size of the memory that the work-items of one group share.
    public let localMemoryByteCount: Int
    /// The parts that run work-groups side by side: a GPU's multiprocessors, a CPU's threads.
    public let computeUnits: Int
    /// The most work-items in one group; a kernel that needs many registers may allow fewer.
    public let maximumWorkGroupSize: Int
    /// The number of floats in one of the device's own vector registers; 1 on most GPUs.
    public let nativeFloatVectorWidth: Int
    /// The number of floats in the vector type that the driver would like kernels to use.
    public let preferredFloatVectorWidth: Int
    /// What the offset of a sub-buffer must be a multiple of.
    public let subBufferAlignmentBytes: Int
    /// Such as `cl_khr_fp16`.
    public let extensions: [String]
    /// The OpenCL C, such as `CL3.0`, in which the device has fences that order global memory between its work-groups,
    /// acquiring and releasing it; nil where it promises none.
    public let deviceFenceStandard: String?
    /// False where the device is there but cannot be used now.
    public let isAvailable: Bool

    init(handle: Handle, index: Int, platform: Platform) throws {
        func string(_ what: Int32) throws -> String {
            try infoString("clGetDeviceInfo") {
                clGetDeviceInfo(handle.pointer, cl_device_info(what), $0, $1, $2)
            }
        }
        func number<Value: FixedWidthInteger & BitwiseCopyable>(_ what: Int32, _ zero: Value) throws -> Int {
            let value = try info("clGetDeviceInfo", zero) {
                clGetDeviceInfo(handle.pointer, cl_device_info(what), $0, $1, $2)
            }
            // Some drivers answer "no limit" with the largest unsigned number.
            return Int(clamping: value)
        }
        self.handle = handle
        self.platform = platform.handle
        platformIndex = platform.index
        deviceIndex = index
        platformName = platform.name
        name = try string(CL_DEVICE_NAME)
        vendor = try string(CL_DEVICE_VENDOR)
        type = DeviceType(bits: Int32(truncatingIfNeeded: try number(CL_DEVICE_TYPE, cl_device_type(0))))
        version = try string(CL_DEVICE_VERSION)
        driverVersion = try string(CL_DRIVER_VERSION)
        memoryByteCount = try number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong(0))
        maximumAllocationByteCount = try number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong(0))
        localMemoryByteCount = try number(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong(0))
        computeUnits = try number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint(0))
        maximumWorkGroupSize = try number(CL_DEVICE_MAX_WORK_GROUP_SIZE, 0)
        nativeFloatVectorWidth = try number(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint(0))
        preferredFloatVectorWidth = try number(CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, cl_uint(0))
        subBufferAlignmentBytes = try number(CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint(0)) / 8
        extensions = try string(CL_DEVICE_EXTENSIONS).split(separator: " ").map(String.init)
        deviceFenceStandard =
            switch version.split(separator: " ").dropFirst().first?.prefix(2) {
            // There it is part of the language.
            case "2.": "CL2.0"
            case "3.":
                (try? number(deviceAtomicFenceCapabilities, cl_ulong(0))).flatMap {
                    $0 & acquireReleaseInDevice == acquireReleaseInDevice ? "CL3.0" : nil
                }
            default: nil
            }
        isAvailable = try number(CL_DEVICE_AVAILABLE, cl_bool(0)) != 0
    }

    /// Every device of every platform in one list, in platform order.
    ///
    /// A platform that fails to list its devices fails the whole call, because a device that silently
    /// disappears is worse; the error names the platform.
    public static func all() throws -> [Device] {
        try Platform.all().flatMap { try $0.devices() }
    }
}

/// CL_DEVICE_ATOMIC_FENCE_CAPABILITIES of OpenCL 3.0, and of its answer CL_DEVICE_ATOMIC_ORDER_ACQ_REL and
/// CL_DEVICE_ATOMIC_SCOPE_DEVICE.
private let deviceAtomicFenceCapabilities: Int32 = 0x1064
private let acquireReleaseInDevice = 1 << 1 | 1 << 5

extension Device: Hashable {
    public static func == (left: Device, right: Device) -> Bool {
        left.handle == right.handle
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(handle)
    }
}

extension DeviceType {
    /// A device may claim several types at once, as the oclgrind simulator does; the most capable counts.
    init(bits: Int32) {
        if bits & CL_DEVICE_TYPE_GPU != 0 {
            self = .gpu
        } else if bits & CL_DEVICE_TYPE_CPU != 0 {
            self = .cpu
        } else if bits & CL_DEVICE_TYPE_ACCELERATOR != 0 {
            self = .accelerator
        } else {
            self = .other
        }
    }
}
