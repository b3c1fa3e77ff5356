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

            /// Number of state buffers as large as the parameters.
            public var stateCount: Int {
                switch self {
                case .sgd(let momentum, _, _): momentum == 0 ? 0 : 1
                case .adam: 2
                }
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

        public init(_ rule: Rule, operands: [Operand]) {
            let states = (0..<rule.stateCount).map(Operand.state)
            precondition(
                Set(operands).count == operands.count
                    && ([.parameters, .gradients] + states).allSatisfy(operands.contains),
                "an optimizer needs parameters, gradients and \(rule.stateCount) states, each once")
            precondition(
                operands.contains(.statistics) == operands.contains(.keptStatistics)
                    && (!operands.contains(.statistics) || operands.contains(.metrics)),
                "statistics are kept both, and by what the metrics say")
            self.rule = rule
            self.operands = operands
        }

        /// Which of the node's inputs is that operand; nil where it has none.
        package func place(of operand: Operand) -> Int? { operands.firstIndex(of: operand) }

        package var summary: String {
            switch rule {
            case .sgd: "SGD"
            case .adam(_, _, _, _, let isDecoupled): isDecoupled ? "AdamW" : "Adam"
            }
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            precondition(inputs.count == operands.count)
            return []
        }

        /// Everything is read once; parameters, states and statistics are written, too. Of the metrics a row is read.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            zip(operands, inputs).reduce(into: Cost()) { cost, input in
                switch input.0 {
                case .gradients: cost.bytes += input.1.byteCount
                case .parameters, .state, .statistics, .keptStatistics, .lossScale:
                    cost.bytes += 2 * input.1.byteCount
                case .metrics: cost.bytes += Metric.rowByteCount
                }
            }
        }

        package var givesActivation: Bool { false }
    }
}
