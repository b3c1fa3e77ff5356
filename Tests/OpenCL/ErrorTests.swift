import ResinOpenCL
import Testing

@Test("Codes have the names that the headers give them")
func codeNames() {
    func name(_ code: Int32) -> String { OpenCLError(code: code, call: "").codeName }
    #expect(name(-5) == "CL_OUT_OF_RESOURCES")
    #expect(name(-19) == "CL_KERNEL_ARG_INFO_NOT_AVAILABLE")
    #expect(name(-54) == "CL_INVALID_WORK_GROUP_SIZE")
    #expect(name(-68) == "CL_INVALID_DEVICE_PARTITION_COUNT")
    #expect(name(-1001) == "CL_PLATFORM_NOT_FOUND_KHR")
    #expect(name(-9999) == "a code that OpenCL 1.2 does not define")
    let named = (-68...0).filter { name(Int32($0)).hasPrefix("CL_") }
    #expect(named == Array(-68...(-30)) + Array(-19...0))
}

@Test("An error names the call, the device, the code and what was asked")
func description() {
    let error = OpenCLError(
        code: -54, call: "clEnqueueNDRangeKernel", device: "Tesla V100",
        detail: "kernel add, global [7], local [4]")
    #expect(
        "\(error)" == "clEnqueueNDRangeKernel on \"Tesla V100\": CL_INVALID_WORK_GROUP_SIZE (-54): "
            + "kernel add, global [7], local [4]")
    #expect("\(OpenCLError(code: -6, call: "clFinish"))" == "clFinish: CL_OUT_OF_HOST_MEMORY (-6)")
}

@Test("A build error carries the compiler's log", .needsDevice, arguments: devices)
func buildLog(device: Device) throws {
    let bench = try Bench(device)
    let error = try #require(throws: OpenCLError.self) {
        try Program(context: bench.context, source: "kernel void f(global int *x) { *x = misspelt; }")
    }
    #expect(error.call == "clBuildProgram" && error.codeName == "CL_BUILD_PROGRAM_FAILURE")
    #expect(error.device == device.name)
    #expect(error.detail?.contains("misspelt") == true)
}

@Test(
    "A range outside its buffer is an error that names call, code and sizes", .needsDevice, arguments: devices
)
func rangeOutsideBuffer(device: Device) throws {
    let bench = try Bench(device)
    let buffer = try bench.buffer([1, 2])
    let error = try #require(throws: OpenCLError.self) {
        try [Float](repeating: 0, count: 2).withUnsafeBytes {
            try bench.queue.write(from: $0, to: buffer, offset: 4)
        }
    }
    #expect(error.call == "clEnqueueWriteBuffer" && error.codeName == "CL_INVALID_VALUE")
    #expect(error.detail == "8 bytes at offset 4 of a buffer of 8")
    #expect(throws: OpenCLError.self) { try buffer.subBuffer(offset: 0, byteCount: 9) }
}

@Test(
    "A kernel that is not there, or is set up wrongly, is an error that names it", .needsDevice,
    arguments: devices)
func kernelErrors(device: Device) throws {
    let bench = try Bench(device)
    let kernel = try bench.addition()
    let missing = try #require(throws: OpenCLError.self) { try kernel.program.kernel(named: "subtract") }
    #expect(missing.codeName == "CL_INVALID_KERNEL_NAME" && missing.detail == "kernel subtract")

    let noSuchArgument = try #require(throws: OpenCLError.self) { try kernel.setArgument(4, Float(1)) }
    #expect(noSuchArgument.codeName == "CL_INVALID_ARG_INDEX")
    #expect(noSuchArgument.detail == "kernel add, argument 4 of 4: Float, 4 bytes")

    let unset = try #require(throws: OpenCLError.self) { try bench.queue.enqueue(kernel, global: [8]) }
    #expect(unset.codeName == "CL_INVALID_KERNEL_ARGS" && unset.detail == "kernel add, global [8], local []")
}
