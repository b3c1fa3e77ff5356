import FoundationEssentials
import ResinGraph
import ResinPlan
import ResinTensor

/// Runs plans in plain Swift on the processor: what every kernel is checked against, and what is left where
/// there is no OpenCL device. Obviously right before fast: each operator is a direct loop over its formula
/// with Double accumulators; only storage is in single precision.
///
/// It ignores the plan's arena: each value has memory of its own, so that a mistake in the plan shows as a
/// difference from a device instead of hiding in both.
public final class ReferenceExecutor {
    public let device: DeviceDescription
    fileprivate var regions: [Region: Memory] = [:]
    /// What the program could allocate when the executor was made.
    private let availableByteCount = HostMemory.availableByteCount

    /// - Parameter index: its place in the list of all devices.
    public init(index: Int = 0) {
        let machine = ProcessInfo.processInfo
        device = DeviceDescription(
            name: "reference (plain Swift)", vendor: "Resin", type: .reference, platform: "none",
            index: index, platformDevice: nil, memoryByteCount: Int(machine.physicalMemory),
            computeUnits: machine.activeProcessorCount, version: "")
    }

    fileprivate func memory(of region: Region) -> Memory {
        guard let memory = regions[region] else {
            preconditionFailure("region \(region) is used before it is allocated")
        }
        return memory
    }

    /// A region that is one of the flat buffers: its size follows from the plan.
    fileprivate func flatOperand(_ region: Region, _ layout: FlatLayout) -> Operand {
        let memory = memory(of: region)
        precondition(
            memory.byteCount == layout.byteCount,
            "region \(region) has \(memory.byteCount) bytes, but the plan lays out \(layout.byteCount)")
        return Operand(TensorType([layout.count]), at: memory.pointer)
    }
}

extension ReferenceExecutor: Executor {
    package var memoryLimits: (total: Int, allocation: Int) {
        let byteCount = min(device.memoryByteCount, availableByteCount)
        return (byteCount, byteCount)
    }

    package var sharesHostMemory: Bool { true }

    /// As `ReferenceExecutable` allocates: every value that is still to be read, and the copies of a node at work.
    package func workingByteCount(of plan: Plan) -> Int {
        let graph = plan.graph
        func byteCount(_ values: [ValueID]) -> Int {
            values.reduce(0) { $0 + (graph[$1].source == .node ? graph[$1].type.byteCount : 0) }
        }
        var held = 0
        var largest = 0
        for (node, lastUses) in zip(graph.nodes, graph.lastUses) {
            held += byteCount(node.outputs)
            let copies = (node.inputs + node.outputs).filter { graph[$0].type.elementType.isHalf }
            largest = max(largest, held + copies.reduce(0) { $0 + 4 * graph.shape(of: $1).count })
            held -= byteCount(lastUses)
        }
        return largest
    }

    package func form(of node: Node, in graph: Graph) -> any NodeForm { PlainForm() }

    /// With as few roundings to 16 bits as any device has.
    package var rewrites: GraphRewrites {
        var rewrites = GraphRewrites()
        rewrites.leastExponentialChannels = 1
        return rewrites
    }

    package func allocate(_ region: Region, byteCount: Int) {
        regions[region] = Memory(byteCount: byteCount, filledWith: 0)
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) {
        let memory = memory(of: region)
        precondition(
            offset >= 0 && offset + bytes.count <= memory.byteCount,
            "\(bytes.count) bytes at \(offset) do not fit region \(region) of \(memory.byteCount) bytes")
        guard let start = bytes.baseAddress else { return }
        (memory.pointer + offset).copyMemory(from: start, byteCount: bytes.count)
    }

    package func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) {
        let memory = memory(of: region)
        precondition(
            offset >= 0 && offset + bytes.count <= memory.byteCount,
            "region \(region) of \(memory.byteCount) bytes does not have \(bytes.count) at \(offset)")
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: memory.pointer + offset, count: bytes.count))
    }

    package func prepare(_ plan: Plan) -> any Executable { ReferenceExecutable(plan, self) }
}

/// A plan in plain Swift. A step has run when `run` returns.
private final class ReferenceExecutable: Executable {
    let plan: Plan
    let executor: ReferenceExecutor
    let lastUses: [[ValueID]]
    /// What the values computed by nodes hold; after a step, the results.
    var memories: [ValueID: Memory] = [:]

    init(_ plan: Plan, _ executor: ReferenceExecutor) {
        self.plan = plan
        self.executor = executor
        let graph = plan.graph
        lastUses = graph.lastUses
        for node in graph.nodes {
            for value in node.inputs + node.outputs where graph[value].source != .node { _ = operand(value) }
        }
    }

    func run(_ uniforms: StepUniforms) { _ = run(uniforms, shouldStop: { false }) }

    func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) -> Bool {
        memories = [:]
        for (index, node) in plan.graph.nodes.enumerated() {
            if shouldStop() { return false }
            for output in node.outputs where plan.graph[output].source == .node {
                memories[output] = Memory(
                    byteCount: plan.graph[output].type.byteCount, filledWith: 0xFF)
            }
            var scratch: [Memory] = []
            var inputs = node.inputs.map { operand($0).inFloats(&scratch) }
            if let filter = node.op.body.filterInput, let type = plan.graph.halfType(of: node) {
                inputs[filter] = inputs[filter].rounded(to: type, &scratch)
            }
            let stored = node.outputs.map(operand)
            let outputs = stored.map { $0.inFloats(&scratch) }
            withExtendedLifetime(scratch) {
                node.op.onReference.execute(Invocation(inputs: inputs, outputs: outputs, uniforms: uniforms))
                for (place, output) in zip(stored, outputs) { place.round(output) }
            }
            for value in lastUses[index] { memories[value] = nil }
        }
        return true
    }

    func read(_ value: ValueID) -> [Float] {
        precondition(
            plan.graph[value].source != .node || plan.graph.results.contains(value),
            "value \(value.index) is not a result of the graph")
        return operand(value).asFloats
    }

    func synchronize() {}

    private func operand(_ value: ValueID) -> Operand {
        let type = plan.graph[value].type
        switch plan.graph[value].source {
        case .node:
            guard let memory = memories[value] else {
                preconditionFailure("value \(value.index) is read before a step has computed it")
            }
            return Operand(type, at: memory.pointer)
        case .parameter: return flatOperand(value, .parameters, plan.parameterLayout)
        case .gradient: return flatOperand(value, .gradients, plan.gradientLayout)
        case .statistic: return flatOperand(value, .statistics, plan.statisticLayout)
        case .region(let region):
            let memory = executor.memory(of: region)
            // It may be larger: plans that share a region need not use the whole of it.
            precondition(
                memory.byteCount >= type.byteCount,
                "region \(region) has \(memory.byteCount) bytes, but the plan reads \(type.byteCount)")
            return Operand(type, at: memory.pointer)
        }
    }

    /// A tensor in one of the flat buffers.
    private func flatOperand(_ value: ValueID, _ region: Region, _ layout: FlatLayout) -> Operand {
        _ = executor.flatOperand(region, layout)
        guard case .region(region, let offset) = plan[value] else {
            preconditionFailure("the plan does not place value \(value.index) in region \(region)")
        }
        return Operand(plan.graph[value].type, at: executor.memory(of: region).pointer + offset)
    }
}

extension Graph {
    /// The node values that no later node reads, by node; results are never among them.
    fileprivate var lastUses: [[ValueID]] {
        var lastUses = [[ValueID]](repeating: [], count: nodes.count)
        var seen = Set(results)
        for (index, node) in nodes.enumerated().reversed() {
            for value in node.inputs + node.outputs
            where self[value].source == .node && seen.insert(value).inserted {
                lastUses[index].append(value)
            }
        }
        return lastUses
    }
}

/// An operator that can be run in plain Swift.
protocol ReferenceOperator {
    func execute(_ invocation: Invocation)
}

extension Op {
    fileprivate var onReference: any ReferenceOperator {
        switch self {
        case .imageInput(let op): op
        case .labelInput: LabelInput()
        case .imageCrop(let op): op
        case .imageAdjustments: ImageAdjustments()
        case .imageNormalisation(let op): op
        case .sampleLabels: SampleLabels()
        case .convolution2D(let op): op
        case .convolution2DInputGradient(let op): op
        case .convolution2DFilterGradient(let op): op
        case .groupedConvolution2D(let op): op
        case .groupedConvolution2DInputGradient(let op): op
        case .groupedConvolution2DFilterGradient(let op): op
        case .maxPool2D(let op): op
        case .maxPool2DGradient(let op): op
        case .averagePool2D(let op): op
        case .averagePool2DGradient(let op): op
        case .adaptiveAveragePool2D(let op): op
        case .adaptiveAveragePool2DGradient(let op): op
        case .globalAveragePool: GlobalAveragePool()
        case .globalAveragePoolGradient(let op): op
        case .activation(let activation): ActivationForward(activation: activation)
        case .activationGradient(let activation): ActivationGradient(activation: activation)
        case .scale(let op): op
        case .dropout(let op): op
        case .batchNorm(let op): op
        case .batchNormInference(let op): op
        case .batchNormGradient: BatchNormGradient()
        case .add(let op): op
        case .multiplication(let op): op
        case .channelScaling(let op): op
        case .channelProductSum(let op): op
        case .parametricReLU: ParametricReLU()
        case .parametricReLUGradient: ParametricReLUGradient()
        case .stochasticDepth(let op): op
        case .concatenation: Concatenation()
        case .channelSlice(let op): op
        case .channelSplit(let op): op
        case .channelPad(let op): op
        case .channelShuffle(let op): op
        case .softmax: Softmax()
        case .softmaxGradient: SoftmaxGradient()
        case .layerNorm(let op): op
        case .layerNormGradient: LayerNormGradient()
        case .normParameterSums: NormParameterSums()
        case .groupNorm(let op): op
        case .groupNormGradient(let op): op
        case .localResponseNorm(let op): op
        case .localResponseNormGradient(let op): op
        case .upsampling(let op): op
        case .upsamplingGradient(let op): op
        case .flatten: Flatten()
        case .unflatten(let op): op
        case .softmaxCrossEntropy(let op): op
        case .softmaxCrossEntropyGradient(let op): op
        case .binaryCrossEntropy(let op): op
        case .binaryCrossEntropyGradient(let op): op
        case .recordMetrics: RecordMetrics()
        case .lossStep(let op): op
        case .channelActivity(let op): op
        case .regionSum(let op): op
        case .shardMetrics(let op): op
        case .optimizer(let op): op
        case .movingAverage(let op): op
        }
    }
}
