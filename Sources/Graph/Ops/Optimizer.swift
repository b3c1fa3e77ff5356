import ResinTensor

extension Op {
    /// Updates all parameters from their gradients, as PyTorch's optimizers do, in one launch over the flat
    /// buffers. The learning rate and the step's number come with each step. Input: none, or the metrics
    /// region, and then a step whose loss is not finite is left out; or that and the regions of the running
    /// statistics and the kept ones, and then such a step's statistics become those kept from the step
    /// before. After either comes the region of the `LossScale` where gradients are scaled: it is adjusted, and a step
    /// whose gradients are not finite is left out, but for its statistics.
    public enum Optimizer: Operator {
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

        /// A node's inputs, by their places.
        package struct Inputs {
            package let metrics: Int?
            package let statistics: Int?
            package let keptStatistics: Int?
            package let lossScale: Int?

            package init(count: Int) {
                precondition(count <= 4, "an optimizer takes at most 4 inputs, not \(count)")
                metrics = count > 0 ? 0 : nil
                (statistics, keptStatistics) = count > 2 ? (1, 2) : (nil, nil)
                lossScale = count > 0 && count % 2 == 0 ? count - 1 : nil
            }
        }

        package var summary: String {
            switch self {
            case .sgd: "SGD"
            case .adam(_, _, _, _, let isDecoupled): isDecoupled ? "AdamW" : "Adam"
            }
        }

        /// The parameters are the region's, not inputs: they are one buffer.
        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [] }

        package var givesActivation: Bool { false }
    }
}
