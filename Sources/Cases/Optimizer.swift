import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let optimizers: [OpCase] = [
        sgd([33]), sgd([1]), sgd([1000, 7, 129]).checked, sgd([17], weightDecay: 0.01),
        sgd([5, 300], stepCount: 3), sgd([33], momentum: 0.9, stepCount: 3),
        sgd([1000, 1, 65], momentum: 0.9, stepCount: 2).checked,
        sgd([100], momentum: 0.5, weightDecay: 0.1, stepCount: 4),
        sgd([33], momentum: 0.9, nesterov: true, stepCount: 3),
        sgd([10, 513], momentum: 0.9, nesterov: true, weightDecay: 5e-4, stepCount: 2).checked,
        sgd([10_007], momentum: 0.9).checked, sgd([33], rate: 0),
        adam([33]), adam([1], stepCount: 2), adam([1000, 7, 129], stepCount: 3).checked,
        adam([33], weightDecay: 0.01, stepCount: 3), adam([100], beta1: 0.5, beta2: 0.9, stepCount: 5),
        adam([17, 5], epsilon: 1e-3, stepCount: 2), adam([10_007]).checked,
        adam([33], weightDecay: 0.01, isDecoupled: true, stepCount: 3),
        adam([1000, 7, 129], weightDecay: 0.1, isDecoupled: true).checked, adam([1], isDecoupled: true),
        adam([65, 300], beta1: 0, weightDecay: 0.05, isDecoupled: true, stepCount: 4),
        // The last gradient of all may be infinite: its step is left out, and the scale halved.
        sgd([1000, 20_011, 1], momentum: 0.9, weightDecay: 0.01, stepCount: 3, scaled(16)).checked,
        sgd([1000, 20_011, 1], momentum: 0.9, stepCount: 3, scaled(16, overflows: true)).checked,
        // It doubles after the second step.
        adam(
            [129, 7], weightDecay: 0.01, isDecoupled: true, stepCount: 3,
            scaled(8, steadySteps: LossScale.growthInterval - 2, skippedSteps: 3)
        ).checked,
        adam([129, 1], stepCount: 3, scaled(8, overflows: true)).checked,
        // A step whose loss is not finite is left out too.
        sgd([33], momentum: 0.9, withMetrics([1, 0, 0, 1])).checked,
        // Running statistics are kept, or put back.
        sgd([33], momentum: 0.9, withStatistics([1, 0, 0, 0])).checked,
        adam([10_007], stepCount: 2, withStatistics([1, 0, 0, 1])).checked,
    ]

    /// What an optimizer reads beside its flat buffers.
    private struct Regions {
        var operands: [Op.Optimizer.Operand] = []
        var inputs: [CaseInput] = []
        var name = ""
        /// Whether the last parameter's gradients are infinite.
        var overflows = false
    }

    private static func withMetrics(_ row: [Float]) -> Regions {
        let type = TensorType([1, row.count])
        return Regions(
            operands: [.metrics], inputs: [.region(.metrics(.train), type, .listed(row))],
            name: row[3] > 0 ? ", loss not finite" : "")
    }

    private static func withStatistics(_ row: [Float]) -> Regions {
        // On a CPU more than a work-item takes.
        let type = TensorType([5120])
        var regions = withMetrics(row)
        regions.name = ", statistics" + regions.name
        regions.operands += [.statistics, .keptStatistics]
        regions.inputs += [
            .region(.statistics, type, .uniform), .region(.keptStatistics, type, .positive),
        ]
        return regions
    }

    private static func scaled(
        _ scale: Float, steadySteps: Float = 0, skippedSteps: Float = 0, overflows: Bool = false
    ) -> Regions {
        var regions = withMetrics([0, 0, 0, 0])
        let numbers = [scale, steadySteps, 0, skippedSteps]
        regions.operands.append(.lossScale)
        regions.inputs.append(.region(.lossScale, LossScale.type, .listed(numbers)))
        regions.name = ", loss scale \(scale)" + (overflows ? ", overflow" : "")
        regions.overflows = overflows
        return regions
    }

    private static func sgd(
        _ counts: [Int], rate: Float = 0.1, momentum: Float = 0, nesterov: Bool = false,
        weightDecay: Float = 0, stepCount: Int = 1, _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay),
            "momentum \(momentum)" + (nesterov ? " (Nesterov)" : "") + ", decay \(weightDecay)", counts, rate,
            stepCount, regions,
            [
                "momentum": [Double(momentum)], "nesterov": [nesterov ? 1 : 0],
                "weightDecay": [Double(weightDecay)],
            ])
    }

    private static func adam(
        _ counts: [Int], rate: Float = 0.01, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        weightDecay: Float = 0, isDecoupled: Bool = false, stepCount: Int = 1,
        _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .adam(
                beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
                isDecoupled: isDecoupled),
            "β \(beta1) \(beta2), epsilon \(epsilon), decay \(weightDecay)", counts, rate, stepCount, regions,
            [
                "betas": [Double(beta1), Double(beta2)], "epsilon": [Double(epsilon)],
                "weightDecay": [Double(weightDecay)], "decoupled": [isDecoupled ? 1 : 0],
            ])
    }

    /// Parameters of those counts, all with gradients of their own, the same at each step; all parameters and
    /// all states are compared, and what is written of the regions.
    private static func optimizer(
        _ rule: Op.Optimizer.Rule, _ name: String, _ counts: [Int], _ rate: Float, _ stepCount: Int,
        _ regions: Regions, _ settings: [String: [Double]]
    ) -> OpCase {
        let states = (0..<rule.stateCount).map(Op.Optimizer.Operand.state)
        let summary = Op.Optimizer(rule, operands: [.parameters, .gradients] + states).summary
        let gradients = counts.enumerated().map { index, count in
            let isInfinite = regions.overflows && index == counts.count - 1
            return CaseInput(
                place: .gradient(ofParameter: index, count: count),
                data: isInfinite ? .listed(Array(repeating: .infinity, count: count)) : .uniform)
        }
        var settings = settings.merging(["rate": [Double(rate)], "steps": [Double(stepCount)]]) { $1 }
        if !regions.inputs.isEmpty { settings["regions"] = [Double(regions.inputs.count)] }
        if regions.operands.contains(.statistics) { settings["statistics"] = [1] }
        let written = zip(regions.operands, regions.inputs).compactMap { operand, input -> CaseOutput? in
            guard case .region(let region, let type) = input.place, operand != .metrics else { return nil }
            return CaseOutput(place: .region(region, .float32), shape: type.shape)
        }
        let finalStates = (0..<rule.stateCount).flatMap { state in
            counts.enumerated().map { index, count in
                CaseOutput(place: .optimizerState(state, ofParameter: index), shape: [count])
            }
        }
        return OpCase(
            "\(summary), \(name), rate \(rate), \(stepCount) steps, \(counts)\(regions.name)",
            summary.lowercased(), settings: settings,
            inputs: counts.map { CaseInput.vector($0) } + gradients + regions.inputs,
            outputs: counts.indices.map { CaseOutput(place: .parameter($0), shape: [counts[$0]]) }
                + finalStates + written,
            steps: (1...stepCount).map {
                StepUniforms(seed: 1, step: $0, imageCount: 1, learningRate: rate, optimizer: rule)
            }
        ) { graph, inputs in
            try graph.applyOptimizer(
                rule, of: FlatLayout(parametersOf: graph),
                Array(zip(regions.operands, inputs.dropFirst(counts.count))))
            return []
        }
    }
}
