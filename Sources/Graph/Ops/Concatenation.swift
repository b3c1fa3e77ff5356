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

    /// Consecutive channels of the input: a part that a layer takes, or an input's share of a concatenation's gradient.
    /// `[N, H, W, C]` → `[N, H, W, channels.count]`, or `[N, F]` → `[N, channels.count]`. The epilogue's operands are
    /// further inputs.
    public struct ChannelSlice: TakesOperands {
        public var channels: Range<Int>
        /// Not an activation.
        public var epilogue: Epilogue

        public init(_ channels: Range<Int>, epilogue: Epilogue = .none) {
            precondition(channels.lowerBound >= 0 && !channels.isEmpty, "a slice has at least one channel")
            self.channels = channels
            self.epilogue = epilogue
        }

        package var op: Op { .channelSlice(self) }
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
            Cost(bytes: (2 + epilogue.operandCount) * outputs[0].byteCount)
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let op = ChannelPad(channels, of: backward.shape(ofInput: 0).channels)
            let gradient = try backward.apply(.channelPad(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// The input's channels among so many others that are zero: a slice's gradient.
    /// `[N, H, W, channels.count]` → `[N, H, W, C]`, or `[N, channels.count]` → `[N, C]`. The epilogue's operands are
    /// further inputs. `Graph.joiningPads` makes a concatenation of those that are added.
    public struct ChannelPad: TakesOperands {
        public var channels: Range<Int>
        /// C.
        public var count: Int
        /// Not an activation.
        public var epilogue: Epilogue

        public init(_ channels: Range<Int>, of count: Int, epilogue: Epilogue = .none) {
            precondition(channels.lowerBound >= 0 && channels.upperBound <= count)
            self.channels = channels
            self.count = count
            self.epilogue = epilogue
        }

        package var op: Op { .channelPad(self) }
        package var summary: String {
            "channels \(channels.lowerBound) to \(channels.upperBound - 1) of \(count)"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard shape.channels == channels.count else {
                throw ShapeError("its input \(shape) does not have \(channels.count) channels")
            }
            return [TensorType(Shape(shape.extents.dropLast() + [count]))]
        }
    }

    /// The channels in another order, so that groups of them mix (Zhang et al., "ShuffleNet", CVPR 2018, §3.1): channel c of
    /// the output is channel c / groups of group c mod groups. Keeps the shape; the gradient is the same with C / groups
    /// groups.
    public struct ChannelShuffle: Operator {
        public var groups: Int

        public init(groups: Int) {
            precondition(groups > 0, "channels are of at least one group")
            self.groups = groups
        }

        package var summary: String { "channel shuffle of \(groups) groups" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape.channels % groups == 0 else {
                throw ShapeError(
                    "the \(inputs[0].shape.channels) channels of its input are not \(groups) groups")
            }
            return [inputs[0]]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let op = ChannelShuffle(groups: backward.shape(ofInput: 0).channels / groups)
            let gradient = try backward.apply(.channelShuffle(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// All channels of the input, in runs of so many side by side, an output each: a concatenation's gradient.
    /// `Graph.splittingAtOnce` makes it of slices.
    public struct ChannelSplit: Operator {
        package var counts: [Int]

        package init(_ counts: [Int]) { self.counts = counts }

        package var summary: String { counts.map(String.init).joined(separator: " and ") + " channels" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard shape.channels == counts.reduce(0, +) else {
                throw ShapeError("its input \(shape) has \(shape.channels) channels, not \(summary)")
            }
            return counts.map { TensorType(Shape(shape.extents.dropLast() + [$0])) }
        }
    }
}
