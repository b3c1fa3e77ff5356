import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    /// What becomes of the gradients of a step's shards.
    package static let shards: [OpCase] = [
        regionSum(128, adds: false), regionSum(128, adds: true).checked,
        regionSum(20_096, adds: true, factor: 0.25).checked, regionSum(512, adds: false, factor: 0.5),
        shardMetrics(rows: 7, first: 3, count: 4, slot: 2).checked,
        shardMetrics(rows: 3, first: 1, count: 2, slot: 0),
    ]

    private static func regionSum(_ count: Int, adds: Bool, factor: Float = 1) -> OpCase {
        let type = TensorType([count])
        let op = Op.RegionSum(adds: adds, factor: factor)
        return OpCase(
            "\(op.summary), \(count) numbers, factor \(factor)", "region_sum",
            settings: ["adds": [adds ? 1 : 0], "factor": [Double(factor)]],
            inputs: [
                .region(.shardGradients(0), type, .uniform), .region(.shardGradients(1), type, .uniform),
            ],
            outputs: [CaseOutput(place: .region(.shardGradients(1), .float32), shape: type.shape)]
        ) { graph, inputs in
            try graph.apply(.regionSum(op), to: inputs, name: "shards", pass: .update)
        }
    }

    private static func shardMetrics(rows: Int, first: Int, count: Int, slot: Int) -> OpCase {
        let type = TensorType([rows, Metric.allCases.count])
        let op = Op.ShardMetrics(firstRow: first, count: count)
        return OpCase(
            "\(op.summary) from row \(first) in \(slot)", "shard_metrics",
            settings: ["first": [Double(first)], "count": [Double(count)], "slot": [Double(slot)]],
            inputs: [.region(.metrics(.train), type, .uniform)],
            outputs: [CaseOutput(place: .region(.metrics(.train), .float32), shape: type.shape)],
            steps: [StepUniforms(seed: 1, step: 1, imageCount: 1, slot: slot)]
        ) { graph, inputs in
            try graph.apply(.shardMetrics(op), to: inputs, name: "shards", pass: .update)
        }
    }
}
