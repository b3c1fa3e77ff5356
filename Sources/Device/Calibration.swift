import ResinOpenCL
import ResinPlan

extension DeviceExecutor {
    /// Independent sums of a work-item: CHAINS in Kernels/probes/calibration.cl.
    private static let chains = 12
    /// Of each of the copy's buffers: with both, about twice the largest caches there are.
    private static let copyByteCount = 256 << 20
    /// What a measurement should take, long beside a launch's start.
    private static let measurementSeconds = 0.02
    /// The fastest counts: whatever disturbs a measurement only makes it slower.
    private static let measurements = 10

    /// Measures the multiply-add and copy peaks by Kernels/probes/calibration.cl, in about a second.
    package func calibrate() throws -> Calibration? {
        try translatingErrors {
            Calibration(flops: try multiplyAddFlops(), copyBytes: try copyBytesPerSecond())
        }
    }

    /// Enough to fill the device, in whole groups: a few long work-items a core, or many short ones a multiprocessor.
    private var workItems: Int { traits.computeUnits * (traits.kind == .cpu ? 4 : 4096) }

    private func calibrationKernel(_ name: String) throws -> Kernel {
        try program(
            ProgramKey(files: KernelFile.calibration.files(on: traits.kind), options: traits.options)
        ).kernel(named: name)
    }

    private func multiplyAddFlops() throws -> Double {
        let kernel = try calibrationKernel("calibration_multiply_add")
        let result = try Buffer(context: context, byteCount: 4 * traits.lanes * workItems)
        try kernel.setArgument(0, result)
        // Their fixed point is 2: the sums neither overflow nor become denormal, which would be slow.
        try kernel.setArgument(1, Float(0.5))
        try kernel.setArgument(2, Float(1))
        func seconds(rounds: Int) throws -> Double {
            try kernel.setArgument(3, Int32(rounds))
            return try self.seconds(of: kernel, global: workItems)
        }
        _ = try seconds(rounds: 1)
        // The first guess is short on every device; the next takes as long as a measurement should.
        let guess = 1 << 12
        let needed = Double(guess) * Self.measurementSeconds / max(try seconds(rounds: guess), 1e-6)
        let rounds = Int(min(max(needed, Double(guess)), Double(Int32.max / 2)))
        let best = try (0..<Self.measurements).map { _ in try seconds(rounds: rounds) }.min()!
        return 2 * Double(Self.chains * traits.lanes * workItems) * Double(rounds) / best
    }

    private func copyBytesPerSecond() throws -> Double {
        let limit = min(openCLDevice.maximumAllocationByteCount, openCLDevice.memoryByteCount / 4)
        let chunk = traits.kind == .cpu ? 1 << 12 : 1
        let itemByteCount = 4 * traits.lanes * chunk
        // Whole groups, of which a GPU has more than one.
        let group = calibrationGroup
        let items = max(min(Self.copyByteCount, limit) / itemByteCount / group, 1) * group
        let byteCount = items * itemByteCount
        let (from, to) = (
            try Buffer(context: context, byteCount: byteCount),
            try Buffer(context: context, byteCount: byteCount)
        )
        // Pages that nobody wrote may all be one page of zeros, which a cache holds.
        try queue.fill(from, with: Float(1).bitPattern)
        let times = try ["calibration_copy", "calibration_copy_streaming"].flatMap { name in
            let kernel = try calibrationKernel(name)
            try kernel.setArgument(0, from)
            try kernel.setArgument(1, to)
            try kernel.setArgument(2, Int32(chunk))
            _ = try seconds(of: kernel, global: items)
            return try (0..<Self.measurements / 2).map { _ in try seconds(of: kernel, global: items) }
        }
        return 2 * Double(byteCount) / times.min()!
    }

    private var calibrationGroup: Int { traits.kind == .cpu ? 1 : traits.groupWorkItems }

    /// - Parameter global: whole groups.
    private func seconds(of kernel: Kernel, global: Int) throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try queue.enqueue(kernel, global: [global], local: [calibrationGroup])
        try queue.finish()
        return (clock.now - start) / .seconds(1)
    }
}
