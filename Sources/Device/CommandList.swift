import ResinGraph
import ResinKernels
import ResinOpenCL
import ResinPlan
import ResinTensor

/// A plan as a list of kernels with their arguments set, built once and replayed every step.
package final class CommandList: Executable {
    /// A launch's kernel with everything set.
    private struct BoundLaunch {
        var kernel: Kernel
        var global: [Int]
        var local: [Int]
        /// Which of its arguments is the step's uniforms.
        var uniforms: Int?
        /// The node that it works for, by its index in the plan's graph.
        var node: Int
        /// Whether it need not be made again, once it has been.
        var isKept: Bool
    }

    private let executor: DeviceExecutor
    private let plan: Plan
    private var launches: [BoundLaunch] = []
    private let arena: Arena?
    private var parts: [Part: Buffer] = [:]
    /// What launches count their groups with, one launch after another; nil where none does.
    private let counters: Buffer?
    /// Whether what is made of the weights alone is there.
    private var isPrepared = false

    init(_ plan: Plan, executor: DeviceExecutor, arena: Arena?) throws {
        self.plan = plan
        self.executor = executor
        self.arena = arena
        let unbound = Lowering.launches(of: plan, on: executor.traits)
        executor.debugLevel.describe(plan, unbound)
        let counterCount = unbound.flatMap(\.arguments).reduce(0) { most, argument in
            max(most, argument.counterCount)
        }
        counters = counterCount > 0 ? try executor.makeZeros(byteCount: 4 * counterCount) : nil
        for launch in unbound {
            let kernel = try executor.program(launch.program).kernel(named: launch.kernel)
            for (index, argument) in launch.arguments.enumerated() {
                try set(argument, number: index, of: kernel, node: launch.node)
            }
            launches.append(
                BoundLaunch(
                    kernel: kernel, global: launch.global, local: launch.local,
                    uniforms: launch.arguments.firstIndex { if case .uniforms = $0 { true } else { false } },
                    node: launch.node, isKept: plan.keepsWorkspaces && launch.readsWeightsAlone))
        }
    }

    // MARK: Arguments

    private func set(_ argument: Launch.Argument, number index: Int, of kernel: Kernel, node: Int) throws {
        switch argument {
        case .value(let value): try kernel.setArgument(index, buffer(for: value))
        case .part(let value, let bytes):
            try kernel.setArgument(
                index, part(Part(placement: plan[value] + bytes.lowerBound, byteCount: bytes.count)))
        case .workspace:
            try kernel.setArgument(
                index, workspacePart(of: node, offset: 0, byteCount: plan.workspaces[node]?.count ?? 0))
        case .workspacePart(let offset, let byteCount):
            try kernel.setArgument(index, workspacePart(of: node, offset: offset, byteCount: byteCount))
        case .of(let node, let argument): try set(argument, number: index, of: kernel, node: node)
        case .prepared: try kernel.setArgument(index, prepared(plan.prepared[node]!))
        case .allPrepared:
            let ranges = plan.prepared.values
            try kernel.setArgument(
                index,
                prepared(ranges.map(\.lowerBound).min()!..<ranges.map(\.upperBound).max()!))
        case .region(let region): try kernel.setArgument(index, executor.buffer(of: region))
        case .local(let byteCount): try kernel.setLocalMemory(index, byteCount: byteCount)
        case .uniforms: break
        case .counters: try kernel.setArgument(index, counters!)
        case .zeros: try kernel.setArgument(index, executor.zeros)
        case .int(let value): try kernel.setArgument(index, Int32(value))
        case .uint(let value): try kernel.setArgument(index, value)
        case .float(let value): try kernel.setArgument(index, value)
        case .geometry(let value): try Self.set(kernel, index, value)
        case .constants(let values): try kernel.setArgument(index, makeBuffer(of: values))
        case .table(let values): try kernel.setArgument(index, makeBuffer(of: values))
        case .slices(let values): try kernel.setArgument(index, makeBuffer(of: values))
        }
    }

    private func makeBuffer(of values: [some BitwiseCopyable]) throws -> Buffer {
        try values.withUnsafeBytes { bytes in
            let buffer = try Buffer(context: executor.context, byteCount: bytes.count)
            try executor.queue.write(from: bytes, to: buffer)
            return buffer
        }
    }

    private func prepared(_ range: Range<Int>) throws -> Buffer {
        try part(Part(placement: .arena(offset: range.lowerBound), byteCount: range.count))
    }

    private static func set<Value: BitwiseCopyable>(_ kernel: Kernel, _ index: Int, _ value: Value) throws {
        try kernel.setArgument(index, value)
    }

    private func workspacePart(of node: Int, offset: Int, byteCount: Int) throws -> Buffer {
        guard let workspace = plan.workspaces[node], offset + byteCount <= workspace.count else {
            preconditionFailure("\(plan.graph.nodes[node].op.body.summary) asked for less workspace")
        }
        return try part(Part(placement: plan.workspace(of: node, offset: offset), byteCount: byteCount))
    }

    private func buffer(for value: ValueID) throws -> Buffer {
        if case .region(let region) = plan.graph[value].source { return executor.buffer(of: region) }
        let whole = plan.channelViews[value]?.whole ?? value
        return try part(Part(placement: plan[value], byteCount: plan.graph[whole].type.byteCount))
    }

    private struct Part: Hashable {
        var placement: Placement
        var byteCount: Int
    }

    private func part(_ part: Part) throws -> Buffer {
        if let buffer = parts[part] { return buffer }
        let buffer =
            switch part.placement {
            case .arena(let offset): try arena!.part(at: offset, byteCount: part.byteCount)
            case .region(let region, let offset):
                try executor.buffer(of: region).subBuffer(offset: offset, byteCount: part.byteCount)
            }
        parts[part] = buffer
        return buffer
    }

    // MARK: Steps

    package func run(_ uniforms: ResinPlan.StepUniforms) throws {
        let uniforms = ResinKernels.StepUniforms(uniforms)
        try translatingErrors {
            for launch in launches where !(isPrepared && launch.isKept) {
                try enqueue(launch, uniforms)
                if executor.debugLevel == .waits { try wait(for: launch) }
            }
            isPrepared = true
            try executor.queue.flush()
        }
    }

    package func run(_ uniforms: ResinPlan.StepUniforms, shouldStop: () -> Bool) throws -> Bool {
        let uniforms = ResinKernels.StepUniforms(uniforms)
        return try translatingErrors {
            for launch in launches {
                if shouldStop() { return false }
                try enqueue(launch, uniforms)
                try wait(for: launch)
            }
            return true
        }
    }

    /// Waits for a launch, so that it is the one that is named where it fails.
    private func wait(for launch: BoundLaunch) throws {
        do {
            try executor.queue.finish()
        } catch let error as OpenCLError where error.cause == .kernelFault {
            let node = plan.graph.nodes[launch.node]
            throw ResinError(
                .noDevice,
                "kernel \(launch.kernel.name) of '\(node.name)' (\(node.op.body.summary)) failed on "
                    + "\(executor.device.name): \(error)")
        }
    }

    /// Runs a step with a profiled event a launch; for a queue that was made with profiling.
    package func profile(_ uniforms: ResinPlan.StepUniforms) throws -> [KernelTime]? {
        let uniforms = ResinKernels.StepUniforms(uniforms)
        return try translatingErrors {
            let events = try launches.map { launch in
                try set(uniforms, of: launch)
                return try executor.queue.enqueueProfiled(
                    launch.kernel, global: launch.global, local: launch.local)
            }
            try executor.queue.finish()
            let start = try events.first?.startNanoseconds ?? 0
            return try zip(launches, events).map { launch, event in
                KernelTime(
                    node: launch.node, kernel: launch.kernel.name,
                    startSeconds: Double(try event.startNanoseconds - start) * 1e-9,
                    seconds: Double(try event.endNanoseconds - event.startNanoseconds) * 1e-9)
            }
        }
    }

    private func enqueue(_ launch: BoundLaunch, _ uniforms: ResinKernels.StepUniforms) throws {
        try set(uniforms, of: launch)
        try executor.queue.enqueue(launch.kernel, global: launch.global, local: launch.local)
    }

    /// By value: an argument is copied when its kernel is enqueued, so that nothing is sent and nothing waits.
    private func set(_ uniforms: ResinKernels.StepUniforms, of launch: BoundLaunch) throws {
        if let index = launch.uniforms { try launch.kernel.setArgument(index, uniforms) }
    }

    package func read(_ value: ValueID) throws -> [Float] {
        let type = plan.graph[value].type
        var bytes = [UInt8](repeating: 0, count: type.byteCount)
        try translatingErrors {
            let (buffer, offset) = location(of: value)
            try bytes.withUnsafeMutableBytes { try executor.queue.read(buffer, offset: offset, into: $0) }
        }
        return bytes.withUnsafeBytes { bytes in
            switch type.elementType {
            case .float32: Array(bytes.bindMemory(to: Float.self))
            case .bfloat16, .float16:
                bytes.bindMemory(to: UInt16.self).map(type.elementType.float(bits:))
            case .int32: bytes.bindMemory(to: Int32.self).map(Float.init)
            case .uint8: bytes.map(Float.init)
            }
        }
    }

    private func location(of value: ValueID) -> (Buffer, offset: Int) {
        switch plan[value] {
        case .region(let region, let offset): (executor.buffer(of: region), offset)
        case .arena(let offset): arena!.location(offset)
        }
    }

    package func synchronize() throws {
        try translatingErrors { try executor.queue.finish() }
    }
}

extension ResinKernels.StepUniforms {
    init(_ step: ResinPlan.StepUniforms) {
        self.init(
            seedLow: step.seedLow, seedHigh: step.seedHigh, step: step.step, firstImage: step.firstImage,
            imageCount: step.imageCount, slot: step.slot, learningRate: step.learningRate,
            firstCorrection: step.firstCorrection, secondCorrection: step.secondCorrection, shard: step.shard)
    }
}
