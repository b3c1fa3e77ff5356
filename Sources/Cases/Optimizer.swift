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
        rmsprop([33]), rmsprop([1], stepCount: 2), rmsprop([17], weightDecay: 0.01, stepCount: 3),
        rmsprop([1000, 7, 129], momentum: 0.9, stepCount: 3).checked,
        rmsprop([100, 5], alpha: 0.9, epsilon: 1e-3, momentum: 0.5, weightDecay: 0.1, stepCount: 4),
        rmsprop([10_007]).checked,
        lion([33], stepCount: 3), lion([1]), lion([1000, 7, 129], weightDecay: 0.1, stepCount: 2).checked,
        lion([100, 5], beta1: 0.5, beta2: 0.9, weightDecay: 0.01, stepCount: 4),
        // Each tensor by itself: of one block of squares and of several, with a last one that is not whole.
        lamb([33]), lamb([1], stepCount: 3), lamb([1000, 7, 129], weightDecay: 0.1, stepCount: 3).checked,
        lamb([100, 5], beta1: 0.5, beta2: 0.9, epsilon: 1e-3, stepCount: 4),
        lamb([129, 40_007, 3], stepCount: 2).checked, lamb([33, 5], weightDecay: 0, stepCount: 2),
        // Gradients that are shortened together, those that are short enough, and those that are scaled.
        sgd([1000, 7, 129], momentum: 0.9, stepCount: 2, clip: 0.5).checked, sgd([33], clip: 1000),
        adam([1, 40_007, 33], weightDecay: 0.1, isDecoupled: true, stepCount: 2, clip: 3).checked,
        rmsprop([257], momentum: 0.9, stepCount: 2, clip: 0.1), lion([257], stepCount: 2, clip: 0.1),
        lamb([129, 5000], stepCount: 2, clip: 1).checked,
        sgd([1000, 129], momentum: 0.9, stepCount: 2, clip: 0.5, scaled(16)).checked,
        sgd([1000, 129], stepCount: 2, clip: 0.5, scaled(16, overflows: true)),
        lamb([129, 5000], stepCount: 2, clip: 1, scaled(16)).checked,
        lamb([129, 5000], stepCount: 2, withMetrics([1, 0, 0, 1])),
        // Rates and decays by tensor; on a CPU a work-item takes all three.
        sgd([33, 1000, 7], momentum: 0.9, weightDecay: 0.1, stepCount: 2, rates: ofThree).checked,
        adam([33, 1000, 7], weightDecay: 0.1, stepCount: 2, rates: ofThree).checked,
        adam([33, 10_007, 7], weightDecay: 0.1, isDecoupled: true, stepCount: 2, rates: ofThree, clip: 2)
            .checked,
        rmsprop([33, 1000, 7], stepCount: 2, rates: ofThree),
        lion([33, 1000, 7], stepCount: 2, rates: ofThree),
        lamb([33, 5000, 7], stepCount: 2, rates: ofThree).checked,
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

    /// A tensor each.
    private static let ofThree = [
        Op.Optimizer.Rates(factor: 1, weightDecay: 0.01), Op.Optimizer.Rates(factor: 0.25, weightDecay: 0),
        Op.Optimizer.Rates(factor: 4, weightDecay: 0.1),
    ]

    private static func sgd(
        _ counts: [Int], rate: Float = 0.1, momentum: Float = 0, nesterov: Bool = false,
        weightDecay: Float = 0, stepCount: Int = 1, rates: [Op.Optimizer.Rates]? = nil, clip: Float? = nil,
        _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay),
            "momentum \(momentum)" + (nesterov ? " (Nesterov)" : "") + ", decay \(weightDecay)", counts, rate,
            stepCount, regions, rates, clip,
            [
                "momentum": [Double(momentum)], "nesterov": [nesterov ? 1 : 0],
                "weightDecay": [Double(weightDecay)],
            ])
    }

    private static func adam(
        _ counts: [Int], rate: Float = 0.01, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        weightDecay: Float = 0, isDecoupled: Bool = false, stepCount: Int = 1,
        rates: [Op.Optimizer.Rates]? = nil, clip: Float? = nil, _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .adam(
                beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
                isDecoupled: isDecoupled),
            "β \(beta1) \(beta2), epsilon \(epsilon), decay \(weightDecay)", counts, rate, stepCount, regions,
            rates, clip,
            [
                "betas": [Double(beta1), Double(beta2)], "epsilon": [Double(epsilon)],
                "weightDecay": [Double(weightDecay)], "decoupled": [isDecoupled ? 1 : 0],
            ])
    }

    private static func rmsprop(
        _ counts: [Int], rate: Float = 0.01, alpha: Float = 0.99, epsilon: Float = 1e-8, momentum: Float = 0,
        weightDecay: Float = 0, stepCount: Int = 1, rates: [Op.Optimizer.Rates]? = nil, clip: Float? = nil,
        _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .rmsprop(alpha: alpha, epsilon: epsilon, momentum: momentum, weightDecay: weightDecay),
            "α \(alpha), epsilon \(epsilon), momentum \(momentum), decay \(weightDecay)", counts, rate,
            stepCount,
            regions, rates, clip,
            [
                "alpha": [Double(alpha)], "epsilon": [Double(epsilon)], "momentum": [Double(momentum)],
                "weightDecay": [Double(weightDecay)],
            ])
    }

    private static func lamb(
        _ counts: [Int], rate: Float = 0.01, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-6,
        weightDecay: Float = 0.01, stepCount: Int = 1, rates: [Op.Optimizer.Rates]? = nil,
        clip: Float? = nil, _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .lamb(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay),
            "β \(beta1) \(beta2), epsilon \(epsilon), decay \(weightDecay)", counts, rate, stepCount, regions,
            rates, clip,
            [
                "betas": [Double(beta1), Double(beta2)], "epsilon": [Double(epsilon)],
                "weightDecay": [Double(weightDecay)],
            ])
    }

    private static func lion(
        _ counts: [Int], rate: Float = 0.001, beta1: Float = 0.9, beta2: Float = 0.99, weightDecay: Float = 0,
        stepCount: Int = 1, rates: [Op.Optimizer.Rates]? = nil, clip: Float? = nil,
        _ regions: Regions = Regions()
    ) -> OpCase {
        optimizer(
            .lion(beta1: beta1, beta2: beta2, weightDecay: weightDecay),
            "β \(beta1) \(beta2), decay \(weightDecay)", counts, rate, stepCount, regions, rates, clip,
            ["betas": [Double(beta1), Double(beta2)], "weightDecay": [Double(weightDecay)]])
    }

    /// Parameters of those counts, all with gradients of their own, the same at each step; all parameters and
    /// all states are compared, and what is written of the regions.
    private static func optimizer(
        _ rule: Op.Optimizer.Rule, _ name: String, _ counts: [Int], _ rate: Float, _ stepCount: Int,
        _ regions: Regions, _ rates: [Op.Optimizer.Rates]?, _ clip: Float?, _ settings: [String: [Double]]
    ) -> OpCase {
        let summary = rule.summary
        let gradients = counts.enumerated().map { index, count in
            let isInfinite = regions.overflows && index == counts.count - 1
            return CaseInput(
                place: .gradient(ofParameter: index, count: count),
                data: isInfinite ? .listed(Array(repeating: .infinity, count: count)) : .uniform)
        }
        var settings = settings.merging(["rate": [Double(rate)], "steps": [Double(stepCount)]]) { $1 }
        if let clip { settings["clip"] = [Double(clip)] }
        if let rates {
            settings["factors"] = rates.map { Double($0.factor) }
            settings["decays"] = rates.map { Double($0.weightDecay) }
        }
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
            "\(summary), \(name), rate \(rate), \(stepCount) steps, \(counts)"
                + (rates == nil ? "" : ", rates by tensor") + (clip.map { ", clipped to \($0)" } ?? "")
                + regions.name,
            summary.lowercased(), settings: settings,
            inputs: counts.map { CaseInput.vector($0) } + gradients + regions.inputs,
            outputs: counts.indices.map { CaseOutput(place: .parameter($0), shape: [counts[$0]]) }
                + finalStates + written,
            steps: (1...stepCount).map {
                StepUniforms(seed: 1, step: $0, imageCount: 1, learningRate: rate, optimizer: rule)
            }
        ) { graph, inputs in
            try graph.applyOptimizer(
                rule, of: FlatLayout(parametersOf: graph), clipNorm: clip, rates: rates,
                Array(zip(regions.operands, inputs.dropFirst(counts.count))))
            return []
        }
    }
}
