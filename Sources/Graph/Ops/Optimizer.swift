import ResinTensor

extension Op {
    /// Updates all parameters from their gradients, as PyTorch's optimizers do, in one launch over the flat
    /// buffers. The learning rate and the step's number come with each step; what it may be given besides, and what it
    /// does with it, its operands say. No output: it writes parameters and states in place.
    public struct Optimizer: Operator {
        /// How a parameter w and its state follow from a gradient g.
        public enum Rule: Hashable, Sendable {
            /// Stochastic gradient descent: g += weightDecay · w; v = momentum · v + g;
            /// w −= rate · (v, or g + momentum · v with Nesterov's). Without momentum there is no state.
            case sgd(momentum: Float, nesterov: Bool, weightDecay: Float)
            /// Adam (Kingma and Ba, ICLR 2015), with weight decay in the gradient, or as in AdamW (Loshchilov and
            /// Hutter, ICLR 2019) apart from it.
            case adam(beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, isDecoupled: Bool)
            /// RMSprop (Hinton, "Neural networks for machine learning", lecture 6e, 2012): v = α v + (1 − α) g²;
            /// u = g / (√v + ε), or with momentum b = momentum · b + g / (√v + ε) and u = b; w −= rate · u.
            case rmsprop(alpha: Float, epsilon: Float, momentum: Float, weightDecay: Float)
            /// LAMB (You et al., ICLR 2020): Adam's step with the decay added to it, for each tensor made as long as the
            /// tensor's own norm; tensors that do not decay take Adam's step as it is, as in timm.
            case lamb(beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float)
            /// Lion (Chen et al., NeurIPS 2023): w −= rate · (sign(β₁ m + (1 − β₁) g) + weightDecay · w);
            /// m = β₂ m + (1 − β₂) g.
            case lion(beta1: Float, beta2: Float, weightDecay: Float)

            /// Number of state buffers as large as the parameters.
            public var stateCount: Int {
                switch self {
                case .sgd(let momentum, _, _): momentum == 0 ? 0 : 1
                case .rmsprop(_, _, let momentum, _): momentum == 0 ? 1 : 2
                case .lion: 1
                case .adam, .lamb: 2
                }
            }

            package var summary: String {
                switch self {
                case .sgd: "SGD"
                case .adam(_, _, _, _, let isDecoupled): isDecoupled ? "AdamW" : "Adam"
                case .rmsprop: "RMSprop"
                case .lamb: "LAMB"
                case .lion: "Lion"
                }
            }

            /// The state that is a mean of squares, and so nowhere below zero.
            package var squaresState: Int? {
                switch self {
                case .sgd, .lion: nil
                case .rmsprop: 0
                case .adam, .lamb: 1
                }
            }

            package var weightDecay: Float {
                switch self {
                case .sgd(_, _, let decay), .adam(_, _, _, let decay, _), .rmsprop(_, _, _, let decay),
                    .lamb(_, _, _, let decay), .lion(_, _, let decay):
                    decay
                }
            }

            /// Whether what it does to an element depends on the whole tensor that the element is of.
            package var looksAtTensors: Bool {
                if case .lamb = self { true } else { false }
            }
        }

        /// How one tensor is updated, where they are not all alike.
        public struct Rates: Hashable, Sendable {
            /// Times the step's learning rate.
            public var factor: Float
            /// In place of the rule's.
            public var weightDecay: Float

            public init(factor: Float, weightDecay: Float) {
                self.factor = factor
                self.weightDecay = weightDecay
            }
        }

        /// A tensor in the flat buffers: from there to the next one's first place.
        package struct Slice: Hashable, Sendable {
            /// In floats; a multiple of what a vector has on any device.
            package var first: Int
            package var rates: Rates

            package init(first: Int, rates: Rates) {
                self.first = first
                self.rates = rates
            }
        }

        /// What an input of a node is to it.
        public enum Operand: Hashable, Sendable {
            /// Flat buffers, laid out alike; needed, with as many states as the rule has.
            case parameters, gradients
            case state(Int)
            /// The metrics: a step with a loss that is not finite is left out.
            case metrics
            /// All running statistics, and what they were after the last step that was finite: with the metrics, a step
            /// that is left out takes them back to the kept ones, and another keeps them.
            case statistics, keptStatistics
            /// The `LossScale` of gradients that are scaled: it is adjusted, and a step whose gradients are not finite is
            /// left out, but for its statistics.
            case lossScale
        }

        public let rule: Rule
        /// The operands, in the order of the node's inputs.
        public let operands: [Operand]
        /// The norm of all gradients together is made no larger than this, as by PyTorch's `clip_grad_norm_`.
        package let clipNorm: Float?
        /// Tensor by tensor, where they are told apart; else none.
        package let slices: [Slice]

        package init(
            _ rule: Rule, operands: [Operand], clipNorm: Float? = nil, slices: [Slice] = []
        ) {
            let states = (0..<rule.stateCount).map(Operand.state)
            precondition(
                Set(operands).count == operands.count
                    && ([.parameters, .gradients] + states).allSatisfy(operands.contains),
                "an optimizer needs parameters, gradients and \(rule.stateCount) states, each once")
            precondition(
                operands.contains(.statistics) == operands.contains(.keptStatistics)
                    && (!operands.contains(.statistics) || operands.contains(.metrics)),
                "statistics are kept both, and by what the metrics say")
            precondition(!rule.looksAtTensors || !slices.isEmpty, "this optimizer has to know the tensors")
            self.rule = rule
            self.operands = operands
            self.clipNorm = clipNorm
            self.slices = slices
        }

        /// Which of the node's inputs is that operand; nil where it has none.
        package func place(of operand: Operand) -> Int? { operands.firstIndex(of: operand) }

        package var summary: String { rule.summary }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            precondition(inputs.count == operands.count)
            return []
        }

        /// Everything is read once; parameters, states and statistics are written, too. Of the metrics a row is read. A norm
        /// takes another look at what it is of.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            zip(operands, inputs).reduce(into: Cost()) { cost, input in
                switch input.0 {
                case .gradients: cost.bytes += (clipNorm == nil ? 1 : 2) * input.1.byteCount
                case .parameters, .state: cost.bytes += (rule.looksAtTensors ? 3 : 2) * input.1.byteCount
                case .statistics, .keptStatistics, .lossScale: cost.bytes += 2 * input.1.byteCount
                case .metrics: cost.bytes += Metric.rowByteCount
                }
            }
        }

        package var givesActivation: Bool { false }
    }
}
