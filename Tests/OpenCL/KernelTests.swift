import ResinOpenCL
import Testing

@Test("A vector addition adds", .needsDevice, arguments: devices)
func vectorAddition(device: Device) throws {
    let bench = try Bench(device)
    let sum = try bench.buffer([0, 0, 0, 0])
    let kernel = try bench.addition()
    #expect(kernel.name == "add" && kernel.argumentCount == 4)
    try kernel.setArgument(0, bench.buffer([1, 2, 3, 4]))
    try kernel.setArgument(1, bench.buffer([1, 1, 2, 2]))
    try kernel.setArgument(2, Float(10))
    try kernel.setArgument(3, sum)
    try bench.queue.enqueue(kernel, global: [4], local: [2])
    #expect(try bench.floats(sum) == [11, 12, 23, 24])
}

@Test("A kernel keeps its buffers until other ones take their place", .needsDevice, arguments: devices)
func kernelKeepsBuffers(device: Device) throws {
    let bench = try Bench(device)
    let kernel = try bench.addition()
    weak var first: Buffer?
    do {
        let buffer = try bench.buffer([1])
        first = buffer
        try kernel.setArgument(0, buffer)
    }
    #expect(first != nil)
    try kernel.setArgument(0, bench.buffer([2]))
    #expect(first == nil)
}

@Test("Local memory is shared by a work-group", .needsDevice, arguments: devices)
func localMemory(device: Device) throws {
    let bench = try Bench(device)
    let source = """
        kernel void reverse(global float *values, local float *shared) {
            size_t i = get_local_id(0);
            shared[i] = values[i];
            barrier(CLK_LOCAL_MEM_FENCE);
            values[i] = shared[get_local_size(0) - 1 - i];
        }
        """
    let values = try bench.buffer([1, 2, 3, 4])
    let kernel = try Program(context: bench.context, source: source).kernel(named: "reverse")
    try kernel.setArgument(0, values)
    try kernel.setLocalMemory(1, byteCount: 16)
    try bench.queue.enqueue(kernel, global: [4], local: [4])
    #expect(try bench.floats(values) == [4, 3, 2, 1])
}

@Test("Build options reach the compiler", .needsDevice, arguments: devices)
func buildOptions(device: Device) throws {
    let bench = try Bench(device)
    let program = try Program(
        context: bench.context, source: "kernel void put(global float *x) { *x = VALUE; }",
        options: ["-D", "VALUE=7"])
    let (kernel, buffer) = (try program.kernel(named: "put"), try bench.buffer([0]))
    try kernel.setArgument(0, buffer)
    try bench.queue.enqueue(kernel, global: [1])
    #expect(try bench.floats(buffer) == [7])
}

@Test("A profiled command has a positive duration", .needsDevice, arguments: devices)
func profiling(device: Device) throws {
    let bench = try Bench(device, profiling: true)
    let values = try bench.buffer(Array(repeating: 1, count: 4096))
    let kernel = try bench.addition()
    for index in [0, 1, 3] { try kernel.setArgument(index, values) }
    try kernel.setArgument(2, Float(0))
    let event = try bench.queue.enqueueProfiled(kernel, global: [4096], local: [64])
    try event.wait()
    #expect(try event.queuedNanoseconds <= event.startNanoseconds)
    #expect(try event.startNanoseconds < event.endNanoseconds)
    #expect(try event.duration > .zero)
}
