import ResinGraph
import ResinPlan

/// What a training step costs, layer by layer.
public struct StepProfile: Sendable {
    /// Everything that runs under one layer's name.
    public struct Row: Sendable {
        public var layer: String
        /// Of the first that runs, with its settings: "3×3 convolution, stride 2".
        public var operation: String
        /// Of one image; forward and, with the gradients, of the whole step.
        public var forwardMultiplyAdds = 0
        public var multiplyAdds = 0
        /// Of a step with `batch` images; nil where it was not measured.
        public var forwardSeconds: Double?
        public var backwardSeconds: Double?

        public var seconds: Double? { forwardSeconds.map { $0 + (backwardSeconds ?? 0) } }
    }

    public var rows: [Row]
    /// Images a step.
    public var batch: Int
    /// How the times were measured, or why they were not.
    public var note: String

    /// - Parameters:
    ///   - nodes: a step's, with their costs.
    ///   - seconds: of each node; nil where only the cost is known.
    package init(_ nodes: [(node: Node, cost: Cost)], batch: Int, seconds: [Double]?, note: String) {
        var rows: [Row] = []
        var places: [String: Int] = [:]
        for (index, (node, cost)) in nodes.enumerated() {
            let place = places[node.name] ?? rows.count
            if place == rows.count {
                places[node.name] = place
                rows.append(Row(layer: node.name, operation: node.op.body.summary))
                if seconds != nil { (rows[place].forwardSeconds, rows[place].backwardSeconds) = (0, 0) }
            }
            let multiplyAdds = cost.multiplyAdds / batch
            rows[place].multiplyAdds += multiplyAdds
            switch node.pass {
            case .input, .forward:
                rows[place].forwardMultiplyAdds += multiplyAdds
                if let seconds { rows[place].forwardSeconds! += seconds[index] }
            case .backward, .update:
                if let seconds { rows[place].backwardSeconds! += seconds[index] }
            }
        }
        self.rows = rows
        self.batch = batch
        self.note = note
    }

    public var seconds: Double? {
        rows.reduce(0 as Double?) { sum, row in
            if let sum, let seconds = row.seconds { sum + seconds } else { nil }
        }
    }
}
