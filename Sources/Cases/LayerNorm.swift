import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let layerNorm: [OpCase] =
        layerNormShapes.enumerated().flatMap { index, shape in
            [softmax(shape), softmaxGradient(shape), layerNorm(shape), layerNormGradient(shape)]
                .map { $0.checked(if: index < 5) }
        } + otherLayerNorms

    private static let otherLayerNorms: [OpCase] = [
        softmax([3, 5, 2, 19], .large), softmax([4, 1000], .large),
        layerNorm([2, 5, 3, 40], data: .offset).checked, layerNormGradient([2, 5, 3, 40], data: .offset),
        layerNorm([3, 4, 5, 33], epsilon: 0.001), layerNormGradient([3, 4, 5, 33], epsilon: 0.001),
    ]

    private static func softmax(_ shape: Shape, _ data: CaseData = .uniform) -> OpCase {
        OpCase(
            "softmax, \(shape)\(data == .large ? ", large" : "")", "softmax", inputs: [.tensor(shape, data)],
            outputs: [.value(shape)]
        ) { graph, inputs in try graph.apply(.softmax, to: inputs, name: "softmax") }
    }

    /// The forward pass is part of this case: the gradient follows from its output.
    private static func softmaxGradient(_ shape: Shape) -> OpCase {
        var result = OpCase(
            "softmax's gradient, \(shape)", "softmax_gradient", inputs: [.tensor(shape), .tensor(shape)],
            outputs: [.value(shape), .value(shape)]
        ) { graph, inputs in
            let y = try graph.apply(.softmax, to: [inputs[0]], name: "softmax")
            return y + (try graph.apply(.softmaxGradient, to: [inputs[1], y[0]], name: "softmax"))
        }
        result.launches = 2
        result.roundings = 2
        return result
    }

    private static func layerNorm(
        _ shape: Shape, epsilon: Float = 1e-5, data: CaseData = .uniform
    ) -> OpCase {
        let op = Op.LayerNorm(epsilon: epsilon)
        var result = OpCase(
            "layer norm, \(layerNormName(shape, epsilon, data))", "layer_norm",
            settings: ["epsilon": [Double(epsilon)]], inputs: layerNormInputs(shape, data),
            outputs: [.value(shape), .value([shape.pixels]), .value([shape.pixels])]
        ) { graph, inputs in try graph.apply(.layerNorm(op), to: inputs, name: "norm") }
        // As for batch norm: a mean of 17 in float32 is off by up to 17 · 2⁻²⁴, against a deviation of 0.58.
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    /// The forward pass is part of this case: it gives the mean and the inverse deviation.
    private static func layerNormGradient(
        _ shape: Shape, epsilon: Float = 1e-5, data: CaseData = .uniform
    ) -> OpCase {
        // Two values are normalised to ±1 whatever they are, so that a small epsilon leaves no gradient.
        let op = Op.LayerNorm(epsilon: shape.channels <= 2 ? 0.25 : epsilon)
        let channels: Shape = [shape.channels]
        var result = OpCase(
            "layer norm's gradient, \(layerNormName(shape, epsilon, data))", "layer_norm_gradient",
            settings: ["epsilon": [Double(op.epsilon)]],
            inputs: layerNormInputs(shape, data) + [.tensor(shape)],
            outputs: [.value(shape), .value(channels), .value(channels)]
        ) { graph, inputs in
            let statistics = try graph.apply(
                .layerNorm(op), to: Array(inputs.prefix(3)), name: "norm"
            ).suffix(2)
            return try graph.apply(
                .layerNormGradient, to: [inputs[3], inputs[0], inputs[1]] + statistics, name: "norm")
                + graph.apply(.normParameterSums, to: [inputs[3], inputs[0]] + statistics, name: "norm")
        }
        result.launches = 3
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    private static func layerNormInputs(_ shape: Shape, _ data: CaseData) -> [CaseInput] {
        [.tensor(shape, data), .vector(shape.channels, .positive), .vector(shape.channels)]
    }

    private static func layerNormName(_ shape: Shape, _ epsilon: Float, _ data: CaseData) -> String {
        "\(shape)" + (epsilon == 1e-5 ? "" : ", epsilon \(epsilon)") + (data == .uniform ? "" : ", mean 17")
    }
}

/// ConvNeXt's first, then odd ones: channels that fill vectors and that do not, more than a group's row, one pixel, few
/// channels, features.
private let layerNormShapes: [Shape] = [
    [1, 28, 28, 96], [3, 5, 7, 33], [2, 3, 3, 300], [5, 1, 1, 3], [2, 9, 11, 16], [7, 100], [1, 2, 1, 2],
    [1, 57, 56, 10], [1, 1],
]
