import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let optimizer: [OpCase] = [
        sgd([33]), sgd([1]), sgd([1000, 7, 129]), sgd([17], weightDecay: 0.01), sgd([5, 300], stepCount: 3),
        sgd([33], momentum: 0.9, stepCount: 3), sgd([1000, 1, 65], momentum: 0.9, stepCount: 2),
        sgd([100], momentum: 0.5, weightDecay: 0.1, stepCount: 4),
        sgd([33], momentum: 0.9, nesterov: true, stepCount: 3),
        sgd([10, 513], momentum: 0.9, nesterov: true, weightDecay: 5e-4, stepCount: 2),
        sgd([10_007], momentum: 0.9), sgd([33], rate: 0),
        adam([33]), adam([1], stepCount: 2), adam([1000, 7, 129], stepCount: 3),
        adam([33], weightDecay: 0.01, stepCount: 3), adam([100], beta1: 0.5, beta2: 0.9, stepCount: 5),
        adam([17, 5], epsilon: 1e-3, stepCount: 2), adam([10_007]),
        adam([33], weightDecay: 0.01, isDecoupled: true, stepCount: 3),
        adam([1000, 7, 129], weightDecay: 0.1, isDecoupled: true), adam([1], isDecoupled: true),
        adam([65, 300], beta1: 0, weightDecay: 0.05, isDecoupled: true, stepCount: 4),
    ]

    private static func sgd(
        _ counts: [Int], rate: Float = 0.1, momentum: Float = 0, nesterov: Bool = false,
        weightDecay: Float = 0, stepCount: Int = 1
    ) -> OpCase {
        optimizer(
            .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay),
            "momentum \(momentum)" + (nesterov ? " (Nesterov)" : "") + ", decay \(weightDecay)", counts, rate,
            stepCount,
            [
                "momentum": [Double(momentum)], "nesterov": [nesterov ? 1 : 0],
                "weightDecay": [Double(weightDecay)],
            ])
    }

    private static func adam(
        _ counts: [Int], rate: Float = 0.01, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
        weightDecay: Float = 0, isDecoupled: Bool = false, stepCount: Int = 1
    ) -> OpCase {
        optimizer(
            .adam(
                beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
                isDecoupled: isDecoupled),
            "β \(beta1) \(beta2), epsilon \(epsilon), decay \(weightDecay)", counts, rate, stepCount,
            [
                "betas": [Double(beta1), Double(beta2)], "epsilon": [Double(epsilon)],
                "weightDecay": [Double(weightDecay)], "decoupled": [isDecoupled ? 1 : 0],
            ])
    }

    /// Parameters of those counts, all with gradients of their own, the same at each step; all parameters and
    /// all states are compared.
    private static func optimizer(
        _ op: Op.Optimizer, _ name: String, _ counts: [Int], _ rate: Float, _ stepCount: Int,
        _ settings: [String: [Double]]
    ) -> OpCase {
        let summary = Op.optimizer(op).body.summary
        let gradients = counts.enumerated().map { index, count in
            CaseInput(place: .gradient(ofParameter: index, count: count), data: .uniform)
        }
        let states = (0..<op.stateCount).flatMap { state in
            counts.enumerated().map { index, count in
                CaseOutput(place: .optimizerState(state, ofParameter: index), shape: [count])
            }
        }
        return OpCase(
            "\(summary), \(name), rate \(rate), \(stepCount) steps, \(counts)", summary.lowercased(),
            settings: settings.merging(["rate": [Double(rate)], "steps": [Double(stepCount)]]) { $1 },
            inputs: counts.map { CaseInput.vector($0) } + gradients,
            outputs: counts.indices.map { CaseOutput(place: .parameter($0), shape: [counts[$0]]) } + states,
            steps: (1...stepCount).map {
                StepUniforms(seed: 1, step: $0, imageCount: 1, learningRate: rate, optimizer: op)
            }
        ) { graph, _ in try graph.apply(.optimizer(op), to: [], name: "optimizer", pass: .update) }
    }
}

extension OpCase {
    /// Every case there is.
    package static let all: [OpCase] =
        convolution2D + pooling2D + batchNorm + elementwise + concatenation + dropout + loss + input
        + optimizer
}
