import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let batchNorm: [OpCase] =
        batchNormShapes.enumerated().flatMap { index, shape in
            [
                batchNorm(shape, fused: index % 2 == 0),
                // Two values are normalised to ±1 whatever they are, so that a small epsilon leaves no
                // gradient.
                batchNormGradient(shape, epsilon: shape.pixels == 2 ? 0.25 : 1e-5),
                batchNormInference(shape, fused: index % 2 == 1),
            ].map { $0.checked(if: index > 0) }
        } + [
            batchNorm([8, 5, 5, 17], data: .offset),
            batchNorm([2, 33, 31, 5], data: .offset, fused: true).checked,
            batchNormGradient([4, 9, 5, 10], data: .offset),
            // So many pixels that more work-items share a channel.
            batchNorm([2, 56, 57, 24], data: .offset, fused: true).checked,
            batchNormGradient([2, 56, 57, 24], data: .offset).checked,
            batchNorm([3, 5, 4, 33], epsilon: 0.001, momentum: 0.01),
            batchNormGradient([3, 5, 4, 33], epsilon: 0.001),
            batchNormInference([3, 5, 4, 33], epsilon: 0.001),
            batchNorm([2, 4, 4, 10], momentum: 1), batchNorm([2, 3, 3, 7], stepCount: 3).checked,
            // The end of a residual block.
            batchNorm([2, 9, 7, 32], fused: true, adds: true).checked,
            batchNorm([3, 5, 4, 33], fused: true, adds: true).checked, batchNorm([5, 3, 3, 7], adds: true),
            batchNormInference([2, 9, 7, 32], fused: true, adds: true).checked,
            batchNormInference([3, 5, 4, 33], adds: true).checked,
        ]

    private static func batchNorm(
        _ shape: Shape, epsilon: Float = 1e-5, momentum: Float = 0.1, data: CaseData = .uniform,
        fused: Bool = false, adds: Bool = false, stepCount: Int = 1
    ) -> OpCase {
        let op = Op.BatchNorm(epsilon: epsilon, momentum: momentum)
        let channels: Shape = [shape.channels]
        var result = OpCase(
            "batch norm, " + batchNormName(shape, epsilon, data, fused, adds: adds)
                + (momentum == 0.1 ? "" : ", momentum \(momentum)")
                + (stepCount == 1 ? "" : ", \(stepCount) steps"), "batch_norm",
            settings: [
                "epsilon": [Double(epsilon)], "momentum": [Double(momentum)], "relu": [fused ? 1 : 0],
                "steps": [Double(stepCount)],
            ],
            inputs: batchNormInputs(shape, data) + (adds ? [.tensor(shape)] : []),
            outputs: [.value(shape), .value(channels), .value(channels)]
                + (0...1).map { CaseOutput(place: .statistic($0), shape: channels) }
        ) { graph, inputs in
            var outputs = try graph.apply(.batchNorm(op), to: Array(inputs.prefix(5)), name: "norm")
            outputs[0] = try graph.finished(outputs[0], adding: adds ? inputs[5] : nil, fused)
            return outputs
        }
        result.steps = (1...stepCount).map { StepUniforms(seed: 1, step: $0, imageCount: shape.images) }
        // A mean of 17 in float32 is off by up to 17 · 2⁻²⁴, against a deviation of 0.58.
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    private static func batchNormInference(
        _ shape: Shape, epsilon: Float = 1e-5, fused: Bool = false, adds: Bool = false
    ) -> OpCase {
        let op = Op.BatchNormInference(epsilon: epsilon)
        return OpCase(
            "batch norm's inference, " + batchNormName(shape, epsilon, .uniform, fused, adds: adds),
            "batch_norm_inference",
            settings: ["epsilon": [Double(epsilon)], "relu": [fused ? 1 : 0]],
            inputs: batchNormInputs(shape, .uniform) + (adds ? [.tensor(shape)] : []),
            outputs: [.value(shape)]
        ) { graph, inputs in
            let y = try graph.apply(.batchNormInference(op), to: Array(inputs.prefix(5)), name: "norm")
            return [try graph.finished(y[0], adding: adds ? inputs[5] : nil, fused)]
        }
    }

    /// The forward pass is part of this case: it gives the mean and the inverse deviation.
    private static func batchNormGradient(
        _ shape: Shape, epsilon: Float = 1e-5, data: CaseData = .uniform
    ) -> OpCase {
        let op = Op.BatchNorm(epsilon: epsilon)
        var result = OpCase(
            "batch norm's gradient, " + batchNormName(shape, epsilon, data, false), "batch_norm_gradient",
            settings: ["epsilon": [Double(epsilon)]],
            inputs: batchNormInputs(shape, data) + [.tensor(shape)],
            outputs: [.value(shape), .value([shape.channels]), .value([shape.channels])]
        ) { graph, inputs in
            let forward = try graph.apply(.batchNorm(op), to: Array(inputs.prefix(5)), name: "norm")
            return try graph.apply(
                .batchNormGradient, to: [inputs[5], inputs[0], inputs[1], forward[1], forward[2]],
                name: "norm")
        }
        result.launches = 2
        // As for the forward pass: x̂ has lost the mean's digits.
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    /// x, scale, shift, running mean, running variance.
    private static func batchNormInputs(_ shape: Shape, _ data: CaseData) -> [CaseInput] {
        let channels = shape.channels
        return [
            .tensor(shape, data), .vector(channels, .positive), .vector(channels),
            .statistic(channels, .uniform), .statistic(channels, .positive),
        ]
    }

    private static func batchNormName(
        _ shape: Shape, _ epsilon: Float, _ data: CaseData, _ fused: Bool, adds: Bool = false
    ) -> String {
        "\(shape)" + (epsilon == 1e-5 ? "" : ", epsilon \(epsilon)") + (data == .uniform ? "" : ", mean 17")
            + (adds ? ", addition" : "") + (fused ? ", ReLU" : "")
    }
}

extension Graph {
    /// With what comes behind a batch norm.
    mutating func finished(
        _ y: ValueID, adding addend: ValueID?, _ isRectified: Bool
    ) throws -> ValueID {
        var y = y
        if let addend { y = try apply(.add(Op.Add()), to: [y, addend], name: "add")[0] }
        return isRectified ? try apply(.relu, to: [y], name: "relu")[0] : y
    }
}

/// ResNet-18's, then odd ones: few pixels, one channel, more channels than pixels, a dense activation.
private let batchNormShapes: [Shape] = [
    [1, 112, 112, 64], [1, 28, 28, 128], [1, 7, 7, 512], [2, 1, 1, 3], [3, 5, 7, 1], [2, 9, 11, 5],
    [5, 3, 3, 33], [7, 4, 4, 10], [1, 2, 1, 17], [4, 6, 5, 96], [2, 31, 29, 7], [8, 100],
]
