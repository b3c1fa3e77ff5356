import ResinTensor

extension Op {
    /// A buffer of a region added to another, or put in its place: what becomes of a shard's gradients and running statistics.
    /// Inputs: source, target, both float32 of one length; no output: the target is written.
    public struct RegionSum: Operator {
        /// target = source + target, else target = source.
        public var adds: Bool
        /// The target is multiplied by it.
        public var factor: Float

        public init(adds: Bool, factor: Float = 1) {
            self.adds = adds
            self.factor = factor
        }

        package var summary: String { adds ? "sum of shards" : "copy of a shard" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            precondition(inputs.count == 2 && inputs[0] == inputs[1])
            return []
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: inputs[0].byteCount * (adds ? 3 : 2))
        }

        package var givesActivation: Bool { false }
    }

    /// The rows of metrics that a step's shards have written, summed in their order into the step's. Input: the metrics region.
    public struct ShardMetrics: Operator {
        public var firstRow: Int
        public var count: Int

        public init(firstRow: Int, count: Int) {
            self.firstRow = firstRow
            self.count = count
        }

        package var summary: String { "metrics of \(count) shards" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [] }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: (count + 1) * Metric.rowByteCount)
        }

        package var givesActivation: Bool { false }
    }
}
