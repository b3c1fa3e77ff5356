import ResinGraph
import ResinOpenCL
import ResinPlan
import ResinTensor

/// Turns a plan's nodes into launches. Each operator's part is in a file of its own, under the operator's
/// name; what they share is here.
struct Lowering {
    let plan: Plan
    let executor: DeviceExecutor
    let arena: Arena?
    private(set) var launches: [CommandList.Launch] = []

    private var nodeIndex = 0
    /// The part of its filter that the node is lowered with.
    private var onlyTap: OnlyTap?
    private var parts: [Part: Buffer] = [:]

    private struct Part: Hashable {
        var placement: Placement
        var byteCount: Int
    }

    init(plan: Plan, executor: DeviceExecutor, arena: Arena?) {
        self.plan = plan
        self.executor = executor
        self.arena = arena
    }

    var graph: Graph { plan.graph }
    var traits: DeviceTraits { executor.traits }
    var node: Node { graph.nodes[nodeIndex] }

    /// One argument of a kernel.
    enum Argument {
        case value(ValueID)
        /// A whole buffer that outlives the step.
        case region(Region)
        /// The node's scratch memory.
        case workspace
        /// So many bytes of it, from there on.
        case workspacePart(offset: Int, byteCount: Int)
        /// So many bytes for each work-group.
        case local(byteCount: Int)
        case uniforms
        /// A buffer of zeros, also where a kernel's flags say that it will not look.
        case zeros
        case int(Int)
        case uint(UInt32)
        case float(Float)
        case geometry(any BitwiseCopyable)
        /// Floats that never change.
        case constants([Float])
    }

    /// - Parameter local: the group's size where the kernel depends on it; else see `groups`.
    mutating func launch(
        _ name: String, in file: String, defining definitions: [(String, Int)] = [], global: [Int],
        local: [Int]? = nil, _ arguments: [Argument]
    ) throws {
        var definitions = definitions
        if hasAlignedVectors(in: file) { definitions.append(("ALIGNED", 1)) }
        if let type = graph.halfType(of: node) { definitions.append(("MIXED", type == .bfloat16 ? 1 : 2)) }
        let kernel = try executor.kernel(name, in: file, defining: definitions)
        for (index, argument) in arguments.enumerated() {
            switch argument {
            case .value(let value): try kernel.setArgument(index, buffer(for: value))
            case .region(let region): try kernel.setArgument(index, executor.buffer(of: region))
            case .workspace:
                try kernel.setArgument(index, workspacePart(offset: 0, byteCount: workspace.count))
            case .workspacePart(let offset, let byteCount):
                try kernel.setArgument(index, workspacePart(offset: offset, byteCount: byteCount))
            case .local(let byteCount): try kernel.setLocalMemory(index, byteCount: byteCount)
            case .uniforms: try kernel.setArgument(index, executor.uniforms)
            case .zeros: try kernel.setArgument(index, executor.zeros)
            case .int(let value): try kernel.setArgument(index, Int32(value))
            case .uint(let value): try kernel.setArgument(index, value)
            case .float(let value): try kernel.setArgument(index, value)
            case .geometry(let value): try Self.set(kernel, index, value)
            case .constants(let values):
                let buffer = try Buffer(context: executor.context, byteCount: 4 * values.count)
                try values.withUnsafeBytes { try executor.queue.write(from: $0, to: buffer) }
                try kernel.setArgument(index, buffer)
            }
        }
        let (global, local) = local.map { (global, $0) } ?? groups(of: name, global)
        launches.append(
            CommandList.Launch(kernel: kernel, global: global, local: local, node: nodeIndex))
    }

    private static func set<Value: BitwiseCopyable>(_ kernel: Kernel, _ index: Int, _ value: Value) throws {
        try kernel.setArgument(index, value)
    }

    var workspace: Range<Int> {
        guard let range = plan.workspaces[nodeIndex] else {
            preconditionFailure("\(node.op.body.summary) asked for no workspace")
        }
        return range
    }

    private mutating func workspacePart(offset: Int, byteCount: Int) throws -> Buffer {
        precondition(offset + byteCount <= workspace.count)
        return try part(
            Part(placement: .arena(offset: workspace.lowerBound + offset), byteCount: byteCount))
    }

    private mutating func buffer(for value: ValueID) throws -> Buffer {
        if case .region(let region) = graph[value].source { return executor.buffer(of: region) }
        if let onlyTap, onlyTap.filter == value {
            return try part(
                Part(placement: plan[value] + onlyTap.bytes.lowerBound, byteCount: onlyTap.bytes.count))
        }
        let whole = plan.channelViews[value]?.whole ?? value
        return try part(Part(placement: plan[value], byteCount: graph[whole].type.byteCount))
    }

    /// How a value's pixels lie in its buffer: floats from one to the next, and to its first channel.
    func pixelLayout(of value: ValueID) -> (stride: Int, first: Int) {
        guard let view = plan.channelViews[value] else { return (graph.shape(of: value).channels, 0) }
        return (graph.shape(of: view.whole).channels, view.first)
    }

    private mutating func part(_ part: Part) throws -> Buffer {
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

    /// The node's extra input: the ReLU output of `.reluMask`.
    func mask(_ epilogue: Epilogue) -> Argument {
        epilogue == .reluMask ? .value(node.inputs.last!) : .zeros
    }

    mutating func lower(nodeAt index: Int) throws {
        nodeIndex = index
        onlyTap = nil
        let tap = OnlyTap(node, in: graph)
        if let tap, case .convolution2DFilterGradient = tap.op { try clear(tap.filter) }
        onlyTap = tap
        switch tap?.op ?? node.op {
        case .imageInput(let op): try lower(op)
        case .labelInput: try lowerLabelInput()
        case .convolution2D(let op): try traits.groupTiles.isEmpty ? lower(op) : lowerGrouped(op)
        case .convolution2DInputGradient(let op):
            try traits.groupTiles.isEmpty ? lower(op) : lowerGrouped(op)
        case .convolution2DFilterGradient(let op):
            try traits.groupTiles.isEmpty ? lower(op) : lowerGrouped(op)
        case .maxPool2D(let op): try lower(op)
        case .maxPool2DGradient(let op): try lower(op)
        case .averagePool2D(let op): try lower(op)
        case .averagePool2DGradient(let op): try lower(op)
        case .globalAveragePool:
            try traits.prefersLongWorkItems ? lowerGlobalAveragePool() : lowerGlobalAveragePoolGrouped()
        case .globalAveragePoolGradient: try lowerGlobalAveragePoolGradient()
        case .relu: try lowerReLU()
        case .reluGradient: try lowerReLUGradient()
        case .sigmoid: try lowerSigmoid()
        case .sigmoidGradient: try lowerSigmoidGradient()
        case .scale(let op): try lower(op)
        case .dropout(let op): try lower(op)
        case .batchNorm(let op): try traits.prefersLongWorkItems ? lower(op) : lowerGrouped(op)
        case .batchNormInference(let op): try traits.prefersLongWorkItems ? lower(op) : lowerGrouped(op)
        case .batchNormGradient:
            try traits.prefersLongWorkItems ? lowerBatchNormGradient() : lowerBatchNormGradientGrouped()
        case .add(let op): try lower(op)
        case .concatenation: try lowerConcatenation()
        case .channelSlice(let op): try lower(op)
        case .flatten, .unflatten: break
        case .softmaxCrossEntropy(let op): try traits.prefersLongWorkItems ? lower(op) : lowerGrouped(op)
        case .softmaxCrossEntropyGradient(let op):
            try traits.prefersLongWorkItems ? lower(op) : lowerGrouped(op)
        case .recordMetrics:
            try traits.prefersLongWorkItems ? lowerRecordMetrics() : lowerRecordMetricsGrouped()
        case .channelActivity(let op): try lower(op)
        case .optimizer(let op): try lower(op)
        }
    }

    /// Bytes of scratch memory that a node's launches need.
    static func workspaceByteCount(of node: Node, in graph: Graph, traits: DeviceTraits) -> Int {
        let shapes = node.inputs.map { graph.shape(of: $0) }
        switch OnlyTap(node, in: graph)?.op ?? node.op {
        case .convolution2D(let op) where !traits.groupTiles.isEmpty:
            return groupedByteCount(of: node, in: graph, traits) + foldedByteCount(op)
        case .convolution2DInputGradient where !traits.groupTiles.isEmpty:
            return groupedByteCount(of: node, in: graph, traits)
        case .convolution2DFilterGradient(let op) where !traits.groupTiles.isEmpty:
            if let staged = StagedWinograd(node, in: graph, traits) { return staged.gradientByteCount }
            return TiledGradient(op.window, image: shapes[0], gradient: shapes[1], traits.groupTiles)
                .partialByteCount
        case .convolution2D(let op):
            let result = graph.shape(of: node.outputs[0])
            let filterByteCount = ConvolutionForm(op.window, image: shapes[0], result: result, traits)
                .filterByteCount(op.window, reduced: shapes[0].channels)
            return filterByteCount.roundedUp(toMultipleOf: FlatLayout.alignment) + foldedByteCount(op)
        case .convolution2DInputGradient(let op):
            return InputGradientForm(op, gradient: shapes[0], traits)
                .filterByteCount(op, gradient: shapes[0])
        case .convolution2DFilterGradient(let op):
            return FilterGradientForm(op.window, image: shapes[0], gradient: shapes[1], traits)
                .workspaceByteCount
        case .batchNorm where !traits.prefersLongWorkItems,
            .batchNormGradient where !traits.prefersLongWorkItems:
            return GroupedChunks(shapes[0], traits).partialByteCount
        case .batchNorm, .batchNormGradient:
            return ChannelChunks(shapes[0], traits).partialByteCount
        case .imageInput, .labelInput, .maxPool2D, .maxPool2DGradient, .averagePool2D, .averagePool2DGradient,
            .globalAveragePool, .globalAveragePoolGradient, .relu, .reluGradient, .sigmoid,
            .sigmoidGradient, .scale, .dropout, .batchNormInference, .add, .concatenation, .channelSlice,
            .flatten, .unflatten, .softmaxCrossEntropy,
            .softmaxCrossEntropyGradient, .recordMetrics, .channelActivity, .optimizer:
            return 0
        }
    }

    /// Floats that a convolution may read from `DeviceExecutor.zeros`.
    static func longestRunOfZeros(in graph: Graph) -> Int {
        graph.nodes.reduce(0) { longest, node in
            switch node.op {
            case .convolution2D(let op):
                max(longest, op.window.kernel.width * graph.shape(of: node.inputs[0]).channels)
            case .convolution2DInputGradient(let op):
                max(longest, op.window.kernel.width * graph.shape(of: node.inputs[0]).channels)
            case .convolution2DFilterGradient, .imageInput, .labelInput, .maxPool2D, .maxPool2DGradient,
                .averagePool2D, .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .relu,
                .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNorm, .batchNormInference,
                .batchNormGradient, .add, .concatenation, .channelSlice, .flatten, .unflatten,
                .softmaxCrossEntropy, .softmaxCrossEntropyGradient, .recordMetrics,
                .channelActivity, .optimizer:
                longest
            }
        }
    }
}

/// Rounded up.
func divide(_ count: Int, by size: Int) -> Int { (count + size - 1) / size }
