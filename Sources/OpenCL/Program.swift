import COpenCL

/// OpenCL C, compiled for the device of a context.
public final class Program: Sendable {
    let handle: Handle
    public let context: Context

    /// Compiles `source` with `options`, such as `["-D", "WIDTH=8", "-cl-mad-enable"]`.
    ///
    /// - Throws: `OpenCLError` whose `detail` is the compiler's log where `source` does not compile, or what may be behind
    ///   it where that is empty.
    public init(context: Context, source: String, options: [String] = []) throws {
        let device = context.device
        handle = try create("clCreateProgramWithSource", device: device) { status in
            source.withCString { text in
                var text: UnsafePointer<CChar>? = text
                return clCreateProgramWithSource(context.handle.pointer, 1, &text, nil, status)
            }
        }
        self.context = context

        var id: cl_device_id? = device.handle.pointer
        let options = options.joined(separator: " ")
        let status = clBuildProgram(handle.pointer, 1, &id, options, nil, nil)
        // The log is read here and not in `check`: its failure must not hide the compiler's. A throw from
        // here on runs `deinit`, since every property is set.
        let log = status == CL_SUCCESS ? nil : try? buildLog()
        let isSilent = log?.allSatisfy(\.isWhitespace) ?? true
        try check(
            status, "clBuildProgram", device: device,
            detail: isSilent ? DriverDiagnosis.silentCompiler(of: device) : log)
    }

    /// What the compiler said, warnings included; often empty.
    public func buildLog() throws -> String {
        try infoString("clGetProgramBuildInfo") {
            clGetProgramBuildInfo(
                handle.pointer, context.device.handle.pointer,
                cl_program_build_info(CL_PROGRAM_BUILD_LOG), $0, $1, $2)
        }
    }

    /// What the driver made of it, which another process may load: on NVIDIA's, the text of its PTX. Empty where the driver
    /// has none to give.
    public func binary() throws -> [UInt8] {
        let device = context.device
        let count = try info("clGetProgramInfo", 0) {
            clGetProgramInfo(handle.pointer, cl_program_info(CL_PROGRAM_BINARY_SIZES), $0, $1, $2)
        }
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        let status = bytes.withUnsafeMutableBytes { bytes in
            var address = bytes.baseAddress
            return clGetProgramInfo(
                handle.pointer, cl_program_info(CL_PROGRAM_BINARIES), MemoryLayout.size(ofValue: address),
                &address, nil)
        }
        try check(status, "clGetProgramInfo", device: device)
        return bytes
    }

    /// A new kernel object for the function `name`, with arguments of its own.
    public func kernel(named name: String) throws -> Kernel {
        try Kernel(program: self, name: name)
    }

    deinit {
        release(clReleaseProgram(handle.pointer), "clReleaseProgram")
    }
}
