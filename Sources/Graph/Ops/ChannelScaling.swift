import ResinTensor

extension Op {
    /// a · b, element by element, of the same shape. The epilogue's operands are further inputs.
    public struct Multiplication: StoringOperator {
        public var epilogue: Epilogue

        public init(epilogue: Epilogue = .none) { self.epilogue = epilogue }

        package var op: Op { .multiplication(self) }
        package var summary: String { "multiplication" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape == inputs[1].shape else {
                throw ShapeError("it cannot multiply \(inputs[0].shape) by \(inputs[1].shape)")
            }
            return [inputs[0]]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            for index in 0...1 where backward.wantsGradient(ofInput: index) {
                let other = backward.node.inputs[1 - index]
                let gradient = try backward.apply(
                    .multiplication(self), to: [backward.outputGradient, other])
                backward.setGradient(ofInput: index, to: gradient[0])
            }
        }

        package var inPlaceInputs: [Int] { [0, 1] }
        package var keepsFeaturesInPlace: Bool { true }
    }

    /// Each channel times a number: an image's own, as in squeeze-and-excitation (Hu, Shen and Sun, CVPR 2018), or one
    /// that is learnt, as ConvNeXt's layer scale (Touvron et al., "Going deeper with image transformers", ICCV 2021, §2).
    ///
    /// Inputs: x `[N, H, W, C]` or `[N, C]`, the factors `[N, C]`, `[N, 1, 1, C]`, or for all images `[C]`, and the
    /// epilogue's operands; output like x.
    public struct ChannelScaling: StoringOperator {
        public var epilogue: Epilogue

        public init(epilogue: Epilogue = .none) { self.epilogue = epilogue }

        package var op: Op { .channelScaling(self) }
        package var summary: String { "channel scaling" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let (x, factors) = (inputs[0].shape, inputs[1].shape)
            guard factors.channels == x.channels, factors.rank == 1 || factors.pixels == x.images else {
                throw ShapeError("it cannot scale the channels of \(x) by \(factors)")
            }
            return [inputs[0]]
        }

        /// The factors' gradient sums over the pixels that they are the same for. It comes first: then dx may take dy's place.
        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let (dy, inputs) = (backward.outputGradient, backward.node.inputs)
            if backward.wantsGradient(ofInput: 1) {
                let op = ChannelProductSum(backward.shape(ofInput: 1))
                let sums = try backward.apply(.channelProductSum(op), to: [dy, inputs[0]])
                backward.setGradient(ofInput: 1, to: sums[0])
            }
            if backward.wantsGradient(ofInput: 0) {
                let dx = try backward.apply(.channelScaling(self), to: [dy, inputs[1]])
                backward.setGradient(ofInput: 0, to: dx[0])
            }
        }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// Σ dy · x by channel, over each image's pixels or over all: what the gradient of a channel's factor is, or that of
    /// a slope.
    ///
    /// Inputs: dy and x `[N, H, W, C]` or `[N, C]`, and the epilogue's operand, if any; output `[N, C]` or
    /// `[N, 1, 1, C]`, and over all images `[C]`, or of a slope that all channels share `[1]`, float32.
    public struct ChannelProductSum: StoringOperator {
        package var result: Shape
        /// Whether min(x, 0) is taken for x.
        package var takesNegative: Bool
        /// `.none`, or of an image's own sums a gradient.
        package var epilogue: Epilogue

        package init(_ result: Shape, takesNegative: Bool = false, epilogue: Epilogue = .none) {
            precondition(result.rank == 1 || !takesNegative, "slopes are those of all images")
            self.result = result
            self.takesNegative = takesNegative
            self.epilogue = epilogue
        }

        /// Whether the channels' sums are added, too.
        package var isOfAllChannels: Bool { takesNegative && result == [1] }

        package var op: Op { .channelProductSum(self) }
        package var summary: String { "sums of products by channel" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard shape == inputs[1].shape, result.channels == shape.channels || isOfAllChannels,
                result.rank == 1 || result.pixels == shape.images
            else {
                throw ShapeError("\(result) are not sums by channel of \(shape) and \(inputs[1].shape)")
            }
            return [TensorType(result)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: inputs[0].shape.count,
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package var givesActivation: Bool { result.rank > 1 }

        package func epilogue(followedBy next: Epilogue) -> Epilogue? {
            guard epilogue == .none, result.rank > 1, case .activationGradient = next else { return nil }
            return next
        }
    }

    /// x above zero, else slope · x, with a slope a channel that is learnt, or one for all: PReLU (He et al., "Delving
    /// deep into rectifiers", ICCV 2015, §2.1). Inputs: x, slopes `[C]` or `[1]`; output like x.
    package struct ParametricReLU: Operator {
        package init() {}

        package var summary: String { "PReLU" }
        package var keepsFeaturesInPlace: Bool { true }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[1].shape == [inputs[0].shape.channels] || inputs[1].shape == [1] else {
                throw ShapeError("\(inputs[0].shape) needs a slope a channel, or one, not \(inputs[1].shape)")
            }
            return [inputs[0]]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let (dy, inputs) = (backward.outputGradient, backward.node.inputs)
            if backward.wantsGradient(ofInput: 1) {
                let op = ChannelProductSum(backward.shape(ofInput: 1), takesNegative: true)
                let sums = try backward.apply(.channelProductSum(op), to: [dy, inputs[0]])
                backward.setGradient(ofInput: 1, to: sums[0])
            }
            if backward.wantsGradient(ofInput: 0) {
                let dx = try backward.apply(.parametricReLUGradient, to: [dy] + inputs)
                backward.setGradient(ofInput: 0, to: dx[0])
            }
        }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// dx of `ParametricReLU`. Inputs: dy, x, slopes.
    package struct ParametricReLUGradient: Operator {
        package init() {}

        package var summary: String { "gradient of PReLU" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package var inPlaceInputs: [Int] { [0] }
    }
}
