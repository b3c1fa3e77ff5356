import CActiveWait
import ResinOpenCL
import Testing

@Test("PoCL's workers look again for work before they sleep", .needsDevice)
func activeWait() throws {
    guard let device = devices.first(where: { $0.platformName.contains("Portable Computing") }) else {
        print("skipped: active waiting needs PoCL")
        return
    }
    let bench = try Bench(device)
    wait_actively_in_pocl()
    let before = active_waits()
    let kernel = try bench.addition()
    let sum = try bench.buffer([0, 0])
    try kernel.setArgument(0, bench.buffer([1, 2]))
    try kernel.setArgument(1, bench.buffer([1, 1]))
    try kernel.setArgument(2, Float(10))
    try kernel.setArgument(3, sum)
    for _ in 0..<100 { try bench.queue.enqueue(kernel, global: [2], local: [1]) }
    #expect(try bench.floats(sum) == [11, 12])
    #expect(active_waits() > before)
}
