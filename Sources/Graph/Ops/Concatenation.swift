import ResinTensor

extension Op {
    /// The inputs' channels side by side, in the order of the inputs: `[N, H, W, C₁]`, `[N, H, W, C₂]`, … →
    /// `[N, H, W, C₁ + C₂ + …]`, or features of `[N, F₁]`, ….
    package struct Concatenation: Operator {
        package init() {}

        package var summary: String { "concatenation" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let first = inputs[0].shape.extents
            for input in inputs where input.shape.extents.dropLast() != first.dropLast() {
                throw ShapeError(
                    "it cannot put the channels of \(inputs[0].shape) and \(input.shape) side by side: the "
                        + "other extents differ")
            }
            return [TensorType(Shape(first.dropLast() + [inputs.reduce(0) { $0 + $1.shape.channels }]))]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            var first = 0
            for index in backward.node.inputs.indices {
                let count = backward.shape(ofInput: index).channels
                defer { first += count }
                guard backward.wantsGradient(ofInput: index) else { continue }
                let slice = Op.ChannelSlice(first..<first + count)
                let gradient = try backward.apply(.channelSlice(slice), to: [backward.outputGradient])
                backward.setGradient(ofInput: index, to: gradient[0])
            }
        }
    }

    /// Consecutive channels of the input: an input's share of a concatenation's gradient.
    /// `[N, H, W, C]` → `[N, H, W, channels.count]`, or `[N, F]` → `[N, channels.count]`. A gradient's operand is
    /// another input, of the output's shape.
    public struct ChannelSlice: Operator {
        public var channels: Range<Int>
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(_ channels: Range<Int>, epilogue: Epilogue = .none) {
            precondition(channels.lowerBound >= 0 && !channels.isEmpty, "a slice has at least one channel")
            self.channels = channels
            self.epilogue = epilogue
        }

        package var summary: String { "channels \(channels.lowerBound) to \(channels.upperBound - 1)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard channels.upperBound <= shape.channels else {
                throw ShapeError("its input \(shape) has only \(shape.channels) channels")
            }
            return [TensorType(Shape(shape.extents.dropLast() + [channels.count]))]
        }

        /// Only what is kept is read.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: (epilogue.readsOperand ? 3 : 2) * outputs[0].byteCount)
        }

        package func with(_ epilogue: Epilogue) -> Op? {
            guard self.epilogue == .none, epilogue.readsOperand else { return nil }
            var op = self
            op.epilogue = epilogue
            return .channelSlice(op)
        }
    }
}
