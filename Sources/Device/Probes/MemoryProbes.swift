import ResinKernels
import ResinOpenCL

extension Probe {
    /// The largest of a few sizes that can be had as one buffer and is there from its first to its last word: drivers
    /// promise a quarter of the memory, often give more, and allocate at first use only. From small to large, and no more
    /// than three quarters: what others hold of the device stays untouched, and a refusal ends it.
    func largestAllocation(on device: Device) throws -> ProbeResult {
        let eighth = device.memoryByteCount / 8
        let sizes = [1, 2, 3, 4, 5, 6].map { $0 * eighth } + [device.maximumAllocationByteCount]
        var largest: Int?
        for size in sizes.map({ $0 / 4096 * 4096 }).sorted()
        where size > largest ?? 0 && size <= 6 * eighth {
            var problem: String?
            do {
                problem = try touch(size, on: device)
            } catch {
                problem = "\(error)"
            }
            guard let problem else {
                largest = size
                continue
            }
            return largest.map { yes(byteCount: $0) } ?? no("\(size) bytes: \(problem)")
        }
        return largest.map { yes(byteCount: $0) } ?? no("the device reports no memory")
    }

    /// A context of its own for each size, since one that has run out of memory may stay unusable.
    private func touch(_ byteCount: Int, on device: Device) throws -> String? {
        let context = try Context(device: device)
        let queue = try Queue(context: context)
        let source = String(cString: kernel_source("probe_memory"))
        let program = try Program(context: context, source: source)
        let words = try Buffer(context: context, byteCount: byteCount)
        let output = try Buffer(context: context, byteCount: 4 * 64)
        let step = UInt64((byteCount / 4 - 1) / 63)
        let (mark, count) = (try program.kernel(named: "mark"), try program.kernel(named: "count_wrong"))
        for kernel in [mark, count] {
            try kernel.setArgument(0, words)
            try kernel.setArgument(1, step)
        }
        try count.setArgument(2, output)
        for kernel in [mark, count] { try queue.enqueue(kernel, global: [64], local: [64]) }
        var wrong = [Float](repeating: .nan, count: 64)
        try wrong.withUnsafeMutableBytes { try queue.read(output, into: $0) }
        return wrong.allSatisfy { $0 == 0 } ? nil : "some of its words are not kept"
    }

    /// Bytes through host memory that the driver gave: there by mapping, to the device by a copy, and back.
    func pinnedStaging(on device: Device) throws -> ProbeResult {
        let count = 1 << 18
        let context = try Context(device: device)
        let queue = try Queue(context: context)
        let staging = try Buffer(context: context, byteCount: 4 * count, isPinned: true)
        let memory = try Buffer(context: context, byteCount: 4 * count)
        try queue.withMapped(staging) { bytes in
            let words = bytes.bindMemory(to: UInt32.self)
            for index in words.indices { words[index] = UInt32(index) &* 2_654_435_761 }
        }
        try queue.copy(from: staging, to: memory)
        try queue.fill(staging, byte: 0)
        try queue.copy(from: memory, to: staging)
        let wrong = try queue.withMapped(staging) { bytes in
            let words = bytes.bindMemory(to: UInt32.self)
            return words.indices.count { words[$0] != UInt32($0) &* 2_654_435_761 }
        }
        return wrong == 0 ? yes() : no("\(wrong) of \(count) words are lost on the way")
    }
}
