import ResinOpenCL
import ResinTestDevices
import Testing

/// Every device of this machine; tests that need one run on each.
let devices = OpenCLDevices.all

@Test("There is an OpenCL device: suites that need one are off without, and this one is not")
func anyDevice() throws {
    guard !OpenCLDevices.areLeftOut else {
        return print("RESIN_TESTS_WITHOUT_OPENCL=1: NO TEST OF AN OPENCL DEVICE RUNS")
    }
    #expect(
        try !OpenCLDevices.listing.get().isEmpty,
        "install a driver, such as pocl-opencl-icd, or set RESIN_TESTS_WITHOUT_OPENCL=1")
}

/// A context and a queue on one device, and the host's arrays in and out of it.
struct Bench {
    let context: Context
    let queue: Queue

    init(_ device: Device, profiling: Bool = false) throws {
        context = try Context(device: device)
        queue = try Queue(context: context, profiling: profiling)
    }

    func buffer(_ values: [Float]) throws -> Buffer {
        let buffer = try Buffer(context: context, byteCount: values.count * MemoryLayout<Float>.stride)
        try values.withUnsafeBytes { try queue.write(from: $0, to: buffer) }
        return buffer
    }

    func floats(_ buffer: Buffer) throws -> [Float] {
        var values = [Float](repeating: .nan, count: buffer.byteCount / MemoryLayout<Float>.stride)
        try values.withUnsafeMutableBytes { try queue.read(buffer, into: $0) }
        return values
    }

    /// `sum[i] = left[i] + scale * right[i]`
    func addition() throws -> Kernel {
        let source = """
            kernel void add(
                global const float *left, global const float *right, float scale, global float *sum
            ) {
                size_t i = get_global_id(0);
                sum[i] = left[i] + scale * right[i];
            }
            """
        return try Program(context: context, source: source).kernel(named: "add")
    }
}
