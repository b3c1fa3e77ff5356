import ResinTensor

extension Op {
    /// What becomes of a moving average, the first input, beside the flat buffer that it is of, the second. No output: it
    /// writes in place.
    public struct MovingAverage: Operator {
        public enum Action: Hashable, Sendable {
            /// average += (1 − decay) · (value − average), as PyTorch's `swa_utils` has it; at a run's first step the value.
            case update(decay: Double)
            /// The two change places, so that what reads the values sees the averages.
            case exchange
        }

        public var action: Action

        public init(_ action: Action) { self.action = action }

        package var summary: String {
            switch action {
            case .update: "moving average"
            case .exchange: "exchange with the moving average"
            }
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            precondition(inputs.count == 2 && inputs[0] == inputs[1])
            return []
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: (action == .exchange ? 4 : 3) * inputs[0].byteCount)
        }

        package var givesActivation: Bool { false }
    }
}
