import ResinOpenCL
import Testing

@Test(
    "A sub-buffer sees its parent's bytes, and the parent what is written to it", .needsDevice,
    arguments: devices)
func subBuffer(device: Device) throws {
    let bench = try Bench(device)
    let step = device.subBufferAlignmentBytes / MemoryLayout<Float>.stride
    let parent = try bench.buffer((0..<4 * step).map(Float.init))
    let part = try parent.subBuffer(offset: device.subBufferAlignmentBytes, byteCount: 8)
    #expect(part.parent === parent && part.offset == device.subBufferAlignmentBytes)
    #expect(try bench.floats(part) == [Float(step), Float(step + 1)])

    try bench.queue.fill(part, with: Float(-1).bitPattern)
    try bench.queue.finish()
    #expect(try bench.floats(parent)[step...].prefix(3) == [-1, -1, Float(step + 2)])
}

@Test(
    "A part of a part is a part of the whole, and outlives the names it was made from", .needsDevice,
    arguments: devices)
func subBufferOfSubBuffer(device: Device) throws {
    let bench = try Bench(device)
    let alignment = device.subBufferAlignmentBytes
    func makePart() throws -> Buffer {
        let step = alignment / MemoryLayout<Float>.stride
        return try bench.buffer((0..<4 * step).map { Float($0 / step) })
            .subBuffer(offset: alignment, byteCount: 3 * alignment)
            .subBuffer(offset: alignment, byteCount: 4)
    }
    let part = try makePart()
    #expect(part.offset == 2 * alignment)
    #expect(try bench.floats(part) == [2])
}

@Test("Bytes are filled and copied on the device", .needsDevice, arguments: devices)
func fillAndCopy(device: Device) throws {
    let bench = try Bench(device)
    let ones = try bench.buffer([1, 1, 1, 1])
    let target = try bench.buffer([5, 6, 7, 8])
    try bench.queue.fill(target, byte: 0, offset: 12)
    try bench.queue.copy(from: ones, offset: 4, to: target, offset: 4, byteCount: 4)
    try bench.queue.finish()
    #expect(try bench.floats(target) == [5, 1, 7, 0])
}

@Test(
    "Transfers that do not block are done after finish, and empty ones do nothing", .needsDevice,
    arguments: devices)
func nonBlocking(device: Device) throws {
    let bench = try Bench(device)
    let buffer = try bench.buffer([0, 0])
    let source: [Float] = [3, 4]
    var target: [Float] = [0]
    try source.withUnsafeBytes { source in
        try target.withUnsafeMutableBytes { target in
            try bench.queue.write(from: source, to: buffer, blocking: false)
            try bench.queue.write(from: UnsafeRawBufferPointer(rebasing: source[..<0]), to: buffer)
            try bench.queue.read(buffer, offset: 4, into: target, blocking: false)
            try bench.queue.flush()
            try bench.queue.finish()
        }
    }
    #expect(target == [4])
}

@Test("A pinned buffer's bytes are written and read where they lie", .needsDevice, arguments: devices)
func pinned(device: Device) throws {
    let bench = try Bench(device)
    let staging = try Buffer(context: bench.context, byteCount: 4 * 100, isPinned: true)
    let memory = try Buffer(context: bench.context, byteCount: 4 * 100)
    try bench.queue.withMapped(staging) { bytes in
        for (index, _) in bytes.bindMemory(to: Float.self).enumerated() {
            bytes.bindMemory(to: Float.self)[index] = Float(index)
        }
    }
    try bench.queue.copy(from: staging, to: memory)
    #expect(try bench.floats(memory) == (0..<100).map(Float.init))
    // What the body throws comes out, and the buffer can be mapped again.
    struct Thrown: Error {}
    #expect(throws: Thrown.self) { try bench.queue.withMapped(staging) { _ in throw Thrown() } }
    #expect(try bench.queue.withMapped(staging) { $0.bindMemory(to: Float.self)[99] } == 99)
}
