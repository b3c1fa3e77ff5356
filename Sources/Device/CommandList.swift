import ResinGraph
import ResinOpenCL
import ResinPlan
import ResinTensor

/// A plan as a list of kernels with their arguments set, built once and replayed every step.
package final class CommandList: Executable {
    /// One kernel with everything set.
    struct Launch {
        var kernel: Kernel
        var global: [Int]
        var local: [Int]
        /// The node that it works for, by its index in the plan's graph.
        var node: Int
    }

    private let executor: DeviceExecutor
    private let plan: Plan
    private var launches: [Launch] = []
    private let arena: Arena?
    /// Uniforms on their way to the device; a slot is used again only when the queue has been drained.
    private let staging = UnsafeMutablePointer<StepUniforms>.allocate(capacity: CommandList.stepsInFlight)
    private var stagedSteps = 0
    private static let stepsInFlight = 16

    init(_ plan: Plan, executor: DeviceExecutor, arena: Arena?) throws {
        self.plan = plan
        self.executor = executor
        self.arena = arena
        var lowering = Lowering(plan: plan, executor: executor, arena: arena)
        for index in plan.graph.nodes.indices { try lowering.lower(nodeAt: index) }
        launches = lowering.launches
    }

    deinit {
        // The queue may still be reading the slots.
        try? executor.queue.finish()
        staging.deallocate()
    }

    package func run(_ uniforms: StepUniforms) throws {
        try translatingErrors {
            try send(uniforms)
            for launch in launches {
                try executor.queue.enqueue(launch.kernel, global: launch.global, local: launch.local)
            }
            try executor.queue.flush()
        }
    }

    package func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) throws -> Bool {
        try translatingErrors {
            try send(uniforms)
            for launch in launches {
                if plan.graph.nodes[launch.node].pass != .update, shouldStop() { return false }
                try executor.queue.enqueue(launch.kernel, global: launch.global, local: launch.local)
                try executor.queue.finish()
            }
            return true
        }
    }

    /// Runs a step with a profiled event a launch; for a queue that was made with profiling.
    package func profile(_ uniforms: StepUniforms) throws -> [KernelTime]? {
        try translatingErrors {
            try send(uniforms)
            let events = try launches.map {
                try executor.queue.enqueueProfiled($0.kernel, global: $0.global, local: $0.local)
            }
            try executor.queue.finish()
            return try zip(launches, events).map { launch, event in
                KernelTime(
                    node: launch.node, kernel: launch.kernel.name,
                    seconds: Double(try event.endNanoseconds - event.startNanoseconds) * 1e-9)
            }
        }
    }

    private func send(_ uniforms: StepUniforms) throws {
        if stagedSteps == Self.stepsInFlight {
            try executor.queue.finish()
            stagedSteps = 0
        }
        let slot = staging + stagedSteps
        slot.initialize(to: uniforms)
        stagedSteps += 1
        try executor.queue.write(
            from: UnsafeRawBufferPointer(start: slot, count: MemoryLayout<StepUniforms>.size),
            to: executor.uniforms, blocking: false)
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
