import ResinTensor

/// An operator: what it computes from which shapes, at what cost, and how its gradient is computed.
package protocol Operator: Hashable, Sendable {
    /// In the terms of the field, with its settings: "3×3 convolution, stride 2".
    var summary: String { get }
    /// - Throws: `ShapeError` when the inputs do not fit.
    func outputTypes(for inputs: [TensorType]) throws -> [TensorType]
    func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost
    /// Adds the nodes that compute the gradient with respect to each wanted input, given that of the first
    /// output, and returns those gradients.
    func differentiate(_ backward: inout BackwardPass) throws

    // MARK: What passes ask

    /// Whether the output is the input under another shape, with nothing to run.
    var isView: Bool { get }
    /// Inputs that the first output may overwrite: each element is read before it is written, and no other element
    /// depends on it afterwards.
    var inPlaceInputs: [Int] { get }
    /// Whether feature i of the output comes from feature i of the first input.
    var keepsFeaturesInPlace: Bool { get }
    /// Whether the first output is an activation or the gradient of one, which mixed precision stores in 16 bits.
    var givesActivation: Bool { get }
    /// The input that is a filter, which is multiplied in the first input's precision.
    var filterInput: Int? { get }
    /// What this operator does to the element that another one is about to store, where that is all it does.
    var asEpilogue: Epilogue? { get }
    /// What it does to elements just before it stores them.
    var epilogue: Epilogue { get }
    /// This operator with that epilogue; nil where it has one already, or cannot have this one.
    func with(_ epilogue: Epilogue) -> Op?
    /// This operator with the batch norm behind it folded in; nil where it cannot.
    func folding(_ norm: Op.BatchNormInference) -> Op?
    /// This operator with the one tap of its filter that sees something else than padding; nil where there are several,
    /// or where the tap's weights do not begin at a multiple of so many bytes.
    func takingOnlyTap(inputs: [Shape], outputs: [Shape], alignment: Int) -> Op?
}

extension Operator {
    /// What an operator that only moves data costs: everything read and written once.
    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
        Cost(bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
    }

    package func differentiate(_ backward: inout BackwardPass) throws {
        preconditionFailure("\(summary) has no gradient: nothing that is trained comes before it")
    }

    package var isView: Bool { false }
    package var inPlaceInputs: [Int] { [] }
    package var keepsFeaturesInPlace: Bool { false }
    package var givesActivation: Bool { true }
    package var filterInput: Int? { nil }
    package var asEpilogue: Epilogue? { nil }
    package var epilogue: Epilogue { .none }
    package func with(_ epilogue: Epilogue) -> Op? { nil }
    package func folding(_ norm: Op.BatchNormInference) -> Op? { nil }
    package func takingOnlyTap(inputs: [Shape], outputs: [Shape], alignment: Int) -> Op? { nil }
}

/// Inputs that an operator cannot take; `Graph.apply` adds the layer's name.
package struct ShapeError: Error {
    package var message: String
    package init(_ message: String) { self.message = message }
}

/// Multiply-adds of the operator's arithmetic and the bytes it has to read and write at least.
public struct Cost: Hashable, Sendable {
    public var multiplyAdds = 0
    public var bytes = 0

    public init(multiplyAdds: Int = 0, bytes: Int = 0) {
        self.multiplyAdds = multiplyAdds
        self.bytes = bytes
    }

    /// Floating-point operations: two a multiply-add.
    public var flops: Int { 2 * multiplyAdds }

    public static func += (cost: inout Cost, other: Cost) {
        cost.multiplyAdds += other.multiplyAdds
        cost.bytes += other.bytes
    }
}

/// Every operator there is. Three switches go over it, without `default`: `body` here, which answers what passes ask,
/// the reference executor's and the device's, so that an operator without a reference or a lowering does not compile.
public enum Op: Hashable, Sendable {
    case imageInput(ImageInput)
    case labelInput
    case imageCrop(ImageCrop)
    case imageAdjustments
    case imageNormalisation(ImageNormalisation)
    case sampleLabels
    case convolution2D(Convolution2D)
    case convolution2DInputGradient(Convolution2DInputGradient)
    case convolution2DFilterGradient(Convolution2DFilterGradient)
    case groupedConvolution2D(GroupedConvolution2D)
    case groupedConvolution2DInputGradient(GroupedConvolution2DInputGradient)
    case groupedConvolution2DFilterGradient(GroupedConvolution2DFilterGradient)
    case maxPool2D(MaxPool2D)
    case maxPool2DGradient(MaxPool2DGradient)
    case averagePool2D(AveragePool2D)
    case averagePool2DGradient(AveragePool2DGradient)
    case adaptiveAveragePool2D(AdaptiveAveragePool2D)
    case adaptiveAveragePool2DGradient(AdaptiveAveragePool2DGradient)
    case globalAveragePool
    case globalAveragePoolGradient(GlobalAveragePoolGradient)
    case activation(Activation)
    case activationGradient(Activation)
    case scale(Scale)
    case dropout(Dropout)
    case batchNorm(BatchNorm)
    case batchNormInference(BatchNormInference)
    case batchNormGradient
    case add(Add)
    case multiplication(Multiplication)
    case channelScaling(ChannelScaling)
    case channelProductSum(ChannelProductSum)
    case parametricReLU
    case parametricReLUGradient
    case stochasticDepth(StochasticDepth)
    case concatenation
    case channelSlice(ChannelSlice)
    case channelSplit(ChannelSplit)
    case channelPad(ChannelPad)
    case channelShuffle(ChannelShuffle)
    case softmax
    case softmaxGradient
    case layerNorm(LayerNorm)
    case layerNormGradient
    case normParameterSums
    case groupNorm(GroupNorm)
    case groupNormGradient(GroupNormGradient)
    case localResponseNorm(LocalResponseNorm)
    case localResponseNormGradient(LocalResponseNormGradient)
    case upsampling(Upsampling)
    case upsamplingGradient(UpsamplingGradient)
    case flatten
    case unflatten(Unflatten)
    case softmaxCrossEntropy(SoftmaxCrossEntropy = SoftmaxCrossEntropy())
    case softmaxCrossEntropyGradient(SoftmaxCrossEntropyGradient = SoftmaxCrossEntropyGradient())
    case binaryCrossEntropy(BinaryCrossEntropy = BinaryCrossEntropy())
    case binaryCrossEntropyGradient(BinaryCrossEntropyGradient)
    case recordMetrics
    case lossStep(LossStep)
    case channelActivity(ChannelActivity)
    case regionSum(RegionSum)
    case shardMetrics(ShardMetrics)
    case optimizer(Optimizer)
    case movingAverage(MovingAverage)

    package var body: any Operator {
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

/// Height × width.
public struct Extent: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(_ height: Int, _ width: Int) {
        self.height = height
        self.width = width
    }

    public init(_ side: Int) { self.init(side, side) }
    public var area: Int { height * width }
    public var description: String { "\(height)×\(width)" }
}

/// Zeros (or, for max pooling, minus infinities) on each side of an image.
public struct Padding: Hashable, Sendable, CustomStringConvertible {
    public var top: Int
    public var left: Int
    public var bottom: Int
    public var right: Int

    public init(top: Int = 0, left: Int = 0, bottom: Int = 0, right: Int = 0) {
        precondition(top >= 0 && left >= 0 && bottom >= 0 && right >= 0)
        self.top = top
        self.left = left
        self.bottom = bottom
        self.right = right
    }

    /// The same above and below, and the same on the left and on the right.
    public init(_ extent: Extent) {
        self.init(top: extent.height, left: extent.width, bottom: extent.height, right: extent.width)
    }

    public var isSymmetric: Bool { top == bottom && left == right }

    /// "1", "0×3", or "top 0, left 0, bottom 1, right 1".
    public var description: String {
        if !isSymmetric { return "top \(top), left \(left), bottom \(bottom), right \(right)" }
        return top == left ? "\(top)" : "\(Extent(top, left))"
    }
}

/// A sliding window over an image: what convolution and pooling share.
public struct Window: Hashable, Sendable {
    public var kernel: Extent
    public var stride: Extent
    public var padding: Padding
    /// Pixels from one of the window's places to the next.
    public var dilation: Extent

    public init(
        kernel: Extent, stride: Extent = Extent(1), padding: Padding, dilation: Extent = Extent(1)
    ) {
        precondition(kernel.height > 0 && kernel.width > 0 && stride.height > 0 && stride.width > 0)
        precondition(dilation.height > 0 && dilation.width > 0)
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
    }

    /// - Parameter padding: above and below, on the left and on the right.
    public init(
        kernel: Extent, stride: Extent = Extent(1), padding: Extent = Extent(0), dilation: Extent = Extent(1)
    ) {
        self.init(kernel: kernel, stride: stride, padding: Padding(padding), dilation: dilation)
    }

    /// A square window.
    public init(kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1) {
        self.init(
            kernel: Extent(kernel), stride: Extent(stride), padding: Extent(padding),
            dilation: Extent(dilation))
    }

    /// Pixels from the window's first place to its last, both counted.
    public var extent: Extent {
        Extent((kernel.height - 1) * dilation.height + 1, (kernel.width - 1) * dilation.width + 1)
    }

    /// Output height and width, as PyTorch and ONNX have them: ⌊(input + paddings − extent) / stride⌋ + 1.
    ///
    /// - Parameter roundsUp: ⌈…⌉ instead, as far as the last window begins on the image or the padding before it:
    ///   PyTorch's `ceil_mode`.
    package func output(for input: Shape, roundsUp: Bool = false) throws -> Extent {
        let height = input.height + padding.top + padding.bottom
        let width = input.width + padding.left + padding.right
        let overhang = roundsUp ? Extent(stride.height - 1, stride.width - 1) : Extent(0)
        guard height + overhang.height >= extent.height && width + overhang.width >= extent.width else {
            throw ShapeError(
                "its input of \(input.height)×\(input.width) pixels, padded to \(height)×\(width), is smaller "
                    + "than the \(kernel) window"
                    + (dilation == Extent(1) ? "" : ", dilated to \(extent.height)×\(extent.width)"))
        }
        func windows(_ padded: Int, _ overhang: Int, _ end: Int, _ axis: KeyPath<Extent, Int>) -> Int {
            let steps = (padded + overhang - extent[keyPath: axis]) / stride[keyPath: axis]
            let beginsOnImage = steps * stride[keyPath: axis] < padded - end
            return roundsUp && !beginsOnImage ? steps : steps + 1
        }
        return Extent(
            windows(height, overhang.height, padding.bottom, \.height),
            windows(width, overhang.width, padding.right, \.width))
    }

    /// "stride 2, padding 1, dilation 2", as far as they differ from 1, 0 and 1, with a leading comma.
    package var settings: String {
        func setting(_ name: String, _ extent: Extent) -> String {
            if extent == Extent(1) { return "" }
            return ", \(name) \(extent.height == extent.width ? "\(extent.height)" : "\(extent)")"
        }
        return setting("stride", stride) + (padding == Padding() ? "" : ", padding \(padding)")
            + setting("dilation", dilation)
    }
}
