import ResinOpenCL

extension Probe {
    /// Many more groups than run at once, some rounds with numbers of their own, which a cache must not mix up.
    func fence(on device: Device) throws -> ProbeResult {
        guard let fence = DeviceFence(of: device) else {
            return no("\(device.version) promises no fence between the groups of a launch")
        }
        let (groups, items) = (4096, 64)
        let context = try Context(device: device)
        let queue = try Queue(context: context)
        let files = ["ptx", "last_group", "probe_fence"]
        let program = try Program(
            context: context, source: files.map(KernelFile.text).joined(separator: "\n"),
            options: fence.options)
        let kernel = try program.kernel(named: "probe")
        func zeros(_ count: Int) throws -> Buffer {
            let buffer = try Buffer(context: context, byteCount: 4 * count)
            try [Int32](repeating: 0, count: count).withUnsafeBytes { try queue.write(from: $0, to: buffer) }
            return buffer
        }
        let (counter, sums) = (try zeros(1), try zeros(items))
        let buffers = [try zeros(groups * items), counter, sums, try zeros(groups * items)]
        for (index, buffer) in buffers.enumerated() { try kernel.setArgument(index, buffer) }
        for round in 1...16 {
            try kernel.setArgument(4, Int32(round))
            try queue.enqueue(kernel, global: [groups * items], local: [items])
            var found = [Int32](repeating: -1, count: items)
            try found.withUnsafeMutableBytes { try queue.read(sums, into: $0) }
            let expected = (0..<items).map { item in
                Int32(round * (groups * (groups - 1) / 2 + groups * (items - 1 - item)))
            }
            guard let item = found.indices.first(where: { found[$0] != expected[$0] }) else { continue }
            return no(
                "probe_fence: \(fence.options.joined(separator: " ")) in round \(round) the sum of "
                    + "\(groups) groups' numbers is \(found[item]) instead of \(expected[item])")
        }
        return yes()
    }
}
