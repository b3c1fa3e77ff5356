import COpenCL

/// One OpenCL implementation that is installed: a driver, and the devices that it drives.
public struct Platform: Hashable, Sendable {
    let handle: Handle
    /// The platform's place in `Platform.all()`.
    public let index: Int
    /// Such as `NVIDIA CUDA` or `Portable Computing Language`.
    public let name: String
    public let vendor: String
    /// Such as `OpenCL 3.0 PoCL 3.1`.
    public let version: String

    init(handle: Handle, index: Int) throws {
        func string(_ what: Int32) throws -> String {
            try infoString("clGetPlatformInfo") {
                clGetPlatformInfo(handle.pointer, cl_platform_info(what), $0, $1, $2)
            }
        }
        self.handle = handle
        self.index = index
        name = try string(CL_PLATFORM_NAME)
        vendor = try string(CL_PLATFORM_VENDOR)
        version = try string(CL_PLATFORM_VERSION)
    }

    /// Every platform, in the loader's order; none where there is no loader or no driver.
    public static func all() throws -> [Platform] {
        // Before the loader is opened, and with it the drivers.
        _ = DriverDiagnosis.poclCache
        if DriverDiagnosis.installed.holdsTrap { return [] }
        var count: cl_uint = 0
        let status = clGetPlatformIDs(0, nil, &count)
        if status == CL_PLATFORM_NOT_FOUND_KHR { return [] }
        try check(status, "clGetPlatformIDs")
        guard count > 0 else { return [] }

        var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
        try check(clGetPlatformIDs(count, &platforms, nil), "clGetPlatformIDs")
        return try platforms.compactMap { $0 }.enumerated().map { index, platform in
            try Platform(handle: Handle(pointer: platform), index: index)
        }
    }

    /// Every device of this platform, in the driver's order; none is not an error.
    public func devices() throws -> [Device] {
        let everyType = cl_device_type(CL_DEVICE_TYPE_ALL)
        var count: cl_uint = 0
        let status = clGetDeviceIDs(handle.pointer, everyType, 0, nil, &count)
        if status == CL_DEVICE_NOT_FOUND { return [] }
        try check(status, "clGetDeviceIDs", detail: "platform \(name)")
        guard count > 0 else { return [] }

        var devices = [cl_device_id?](repeating: nil, count: Int(count))
        try check(
            clGetDeviceIDs(handle.pointer, everyType, count, &devices, nil),
            "clGetDeviceIDs", detail: "platform \(name)")
        return try devices.compactMap { $0 }.enumerated().map { index, device in
            try Device(handle: Handle(pointer: device), index: index, platform: self)
        }
    }
}
