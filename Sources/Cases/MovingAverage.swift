import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let movingAverages: [OpCase] = [
        average(128, .update(decay: 0.9), steps: 2...2), average(5120, .update(decay: 0.999), steps: 2...4),
        average(20_096, .update(decay: 0.99), steps: 7...8).checked,
        // The first step of a run copies.
        average(384, .update(decay: 0.9), steps: 1...1).checked,
        average(384, .update(decay: 0.5), steps: 1...3),
        average(128, .exchange), average(20_096, .exchange).checked,
    ]

    private static func average(
        _ count: Int, _ action: Op.MovingAverage.Action, steps: ClosedRange<Int> = 1...1
    ) -> OpCase {
        let type = TensorType([count])
        var name = "exchange of a moving average"
        var settings: [String: [Double]] = [:]
        if case .update(let decay) = action {
            name = "moving average, decay \(decay), steps \(steps.lowerBound) to \(steps.upperBound)"
            settings = ["decay": [decay], "steps": steps.map(Double.init)]
        }
        return OpCase(
            "\(name), \(count) values", action == .exchange ? "exchange" : "moving_average",
            settings: settings,
            inputs: [
                .region(.averagedStatistics, type, .uniform), .region(.statistics, type, .positive),
            ],
            outputs: [.averagedStatistics, .statistics].map {
                CaseOutput(place: .region($0, .float32), shape: [count])
            },
            steps: steps.map { StepUniforms(seed: 1, step: $0, imageCount: 1) }
        ) { graph, inputs in
            try graph.apply(
                .movingAverage(Op.MovingAverage(action)), to: inputs, name: "average", pass: .update)
            return []
        }
    }
}
