import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// One launch of a kernel, as data: what a plan becomes on a device before there is one.
struct Launch: Sendable {
    /// The kernel's function, and the program it is in.
    var kernel: String
    var program: ProgramKey
    var arguments: [Argument]
    var global: [Int]
    var local: [Int]
    /// The node that it works for, by its index in the plan's graph.
    var node: Int
    /// Whether it puts weights in order in the node's scratch memory, and does nothing else.
    var readsWeightsAlone = false

    /// One argument of a kernel.
    enum Argument: Sendable {
        case value(ValueID)
        /// A part of the buffer that a value has: so many bytes of it, from there on.
        case part(ValueID, Range<Int>)
        /// The node's scratch memory.
        case workspace
        /// So many bytes of it, from there on.
        case workspacePart(offset: Int, byteCount: Int)
        /// What this would be for another node, by its index in the plan's graph.
        indirect case of(node: Int, Argument)
        /// What was prepared for the node; and that of all nodes.
        case prepared
        case allPrepared
        /// A whole buffer that outlives the step.
        case region(Region)
        /// So many bytes for each work-group.
        case local(byteCount: Int)
        /// What the step sends: `StepUniforms`, set anew before each launch.
        case uniforms
        /// So many ints for Kernels/gpu/last_group.cl, zeros before the launch and behind it. Launches share them.
        case counters(Int)
        /// A buffer of zeros, also where a kernel's flags say that it will not look.
        case zeros
        case int(Int)
        case uint(UInt32)
        case float(Float)
        /// A struct of Kernels/include/KernelStructs.h.
        case geometry(any BitwiseCopyable & Sendable)
        /// Floats that never change.
        case constants([Float])
        /// Structs of Kernels/include/KernelStructs.h that never change.
        case table([FilterTask])
        case slices([ParameterSlice])
    }
}

extension LaunchDescription {
    init(_ launch: Launch) {
        self.init(
            node: launch.node, kernel: launch.kernel, files: launch.program.files,
            options: launch.program.options, global: launch.global, local: launch.local,
            argumentByteCounts: launch.arguments.map(\.valueByteCount))
    }
}

extension Launch.Argument {
    /// Ints that a launch counts its groups with.
    var counterCount: Int {
        switch self {
        case .counters(let count): count
        case .of(_, let argument): argument.counterCount
        default: 0
        }
    }

    /// Of one that is passed by value.
    fileprivate var valueByteCount: Int? {
        func size<Value: BitwiseCopyable>(_: Value) -> Int { MemoryLayout<Value>.size }
        return switch self {
        case .int, .uint, .float: 4
        case .geometry(let value): size(value)
        case .uniforms: MemoryLayout<ResinKernels.StepUniforms>.size
        case .of(_, let argument): argument.valueByteCount
        case .value, .part, .workspace, .workspacePart, .prepared, .allPrepared, .region, .local, .counters,
            .zeros, .constants, .table, .slices:
            nil
        }
    }
}

/// What a program is built from.
struct ProgramKey: Hashable, Sendable {
    /// Files of Kernels, in their order.
    var files: [String]
    /// As the compiler takes them.
    var options: [String]

    var source: String { files.map(KernelFile.text).joined(separator: "\n") }
}

/// How a device makes a node, and the launches that it takes.
struct DeviceForm: NodeForm {
    var name = ""
    var reason = ""
    var workspaceByteCount = 0
    /// The filter that it multiplies by, where it has to be put in order first.
    var operands: FilterOperands?
    var preparedByteCount: Int { operands?.byteCount ?? 0 }
    var writesChannelViews = false
    /// The inputs that it can read among another value's channels, with what one load takes: those channels, and the first
    /// of the input's, are multiples of it.
    var inputViews: [Int: Int] = [:]
    var joinsNext = false
    /// Floats that it may read from the buffer of zeros.
    var zeroCount = 0
    /// Whether its sums are made from transformed or rounded operands, so that they differ more from the exact ones.
    var usesWinograd = false
    var staging = Staging.words
    var lower: @Sendable (inout Lowering) -> Void

    func viewWidth(ofInput index: Int) -> Int? { inputViews[index] }
}

/// An operator that a device can run.
protocol DeviceOperator: Operator {
    /// How the node, which has this operator, is made.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm
    /// Adds the launches of an operator that has one form.
    func lower(_ lowering: inout Lowering)
}

extension DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        DeviceForm { lower(&$0) }
    }

    /// Where there are several forms, the form adds the launches.
    func lower(_ lowering: inout Lowering) { preconditionFailure("\(summary) has a form of its own") }
}

extension Op {
    var onDevice: any DeviceOperator {
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
