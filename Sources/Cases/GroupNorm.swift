import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let groupNorm: [OpCase] =
        groupNormShapes.enumerated().flatMap { index, layer in
            [groupNorm(layer.shape, layer.groups), groupNormGradient(layer.shape, layer.groups)]
                .map { $0.checked(if: index < 4) }
        } + otherGroupNorms

    private static let otherGroupNorms: [OpCase] = [
        groupNorm([2, 9, 5, 24], 4, data: .offset).checked,
        groupNormGradient([2, 9, 5, 24], 4, data: .offset),
        groupNorm([3, 4, 5, 33], 3, epsilon: 0.001),
    ]

    private static func groupNorm(
        _ shape: Shape, _ groups: Int, epsilon: Float = 1e-5, data: CaseData = .uniform
    ) -> OpCase {
        let op = Op.GroupNorm(groups: groups, epsilon: epsilon)
        let statistics: Shape = [shape.images * shape.channels]
        var result = OpCase(
            "group norm, \(groupNormName(shape, groups, epsilon, data))", "group_norm",
            settings: ["epsilon": [Double(epsilon)], "groups": [Double(groups)]],
            inputs: groupNormInputs(shape, data),
            outputs: [.value(shape), .value(statistics), .value(statistics)]
        ) { graph, inputs in try graph.apply(.groupNorm(op), to: inputs, name: "norm") }
        // As for batch norm: a mean of 17 in float32 is off by up to 17 · 2⁻²⁴, against a deviation of 0.58.
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    /// The forward pass is part of this case: it gives the mean and the inverse deviation.
    private static func groupNormGradient(
        _ shape: Shape, _ groups: Int, data: CaseData = .uniform
    ) -> OpCase {
        // Two values are normalised to ±1 whatever they are, so that a small epsilon leaves no gradient.
        let op = Op.GroupNorm(groups: groups, epsilon: shape.count / shape.images <= 2 * groups ? 0.25 : 1e-5)
        let channels: Shape = [shape.channels]
        var result = OpCase(
            "group norm's gradient, \(groupNormName(shape, groups, 1e-5, data))", "group_norm_gradient",
            settings: ["epsilon": [Double(op.epsilon)], "groups": [Double(groups)]],
            inputs: groupNormInputs(shape, data) + [.tensor(shape)],
            outputs: [.value(shape), .value(channels), .value(channels)]
        ) { graph, inputs in
            let statistics = try graph.apply(
                .groupNorm(op), to: Array(inputs.prefix(3)), name: "norm"
            ).suffix(2)
            return try graph.apply(
                .groupNormGradient(Op.GroupNormGradient(groups: groups)),
                to: [inputs[3], inputs[0], inputs[1]] + statistics, name: "norm")
        }
        result.launches = 2
        if data == .offset { result.tolerance = 2e-5 }
        return result
    }

    private static func groupNormInputs(_ shape: Shape, _ data: CaseData) -> [CaseInput] {
        [.tensor(shape, data), .vector(shape.channels, .positive), .vector(shape.channels)]
    }

    private static func groupNormName(
        _ shape: Shape, _ groups: Int, _ epsilon: Float, _ data: CaseData
    ) -> String {
        "\(shape) in \(groups)" + (epsilon == 1e-5 ? "" : ", epsilon \(epsilon)")
            + (data == .uniform ? "" : ", mean 17")
    }

    package static let localResponseNorm: [OpCase] = localNormLayers.flatMap(\.cases)
}

/// AlexNet's, and others: an even number of neighbours, more of them than channels, none but oneself.
private let localNormLayers: [LocalNormLayer] = [
    .init([1, 27, 27, 64], 5, alpha: 1e-4, beta: 0.75, k: 2),
    .init([2, 5, 7, 33], 5, alpha: 1, beta: 0.75, k: 2),
    .init([3, 4, 3, 16], 4, alpha: 2, beta: 0.5, k: 1),
    .init([2, 3, 3, 3], 9, alpha: 3, beta: 1.5, k: 0.5),
    .init([5, 1, 1, 20], 1, alpha: 1, beta: 0.75, k: 1),
    .init([7, 50], 7, alpha: 1, beta: 0.75, k: 1),
]

/// A layer of local response norm: two cases, forward and gradient.
private struct LocalNormLayer {
    var shape: Shape
    var op: Op.LocalResponseNorm

    init(_ shape: Shape, _ size: Int, alpha: Float, beta: Float, k: Float) {
        self.shape = shape
        op = Op.LocalResponseNorm(size: size, alpha: alpha, beta: beta, k: k)
    }

    var cases: [OpCase] {
        let name = "\(shape) over \(op.size), alpha \(op.alpha), beta \(op.beta), k \(op.k)"
        let settings = [
            "size": [Double(op.size)], "alpha": [Double(op.alpha)], "beta": [Double(op.beta)],
            "k": [Double(op.k)],
        ]
        return [
            OpCase(
                "local response norm, \(name)", "local_response_norm", settings: settings,
                inputs: [.tensor(shape)], outputs: [.value(shape)]
            ) { [op] graph, inputs in try graph.apply(.localResponseNorm(op), to: inputs, name: "norm") },
            OpCase(
                "local response norm's gradient, \(name)", "local_response_norm_gradient", settings: settings,
                inputs: [.tensor(shape), .tensor(shape)], outputs: [.value(shape)]
            ) { [op] graph, inputs in
                try graph.apply(
                    .localResponseNormGradient(Op.LocalResponseNormGradient(forward: op)),
                    to: [inputs[1], inputs[0]], name: "norm")
            },
        ].map { $0.checked(if: shape.height < 27) }
    }
}

/// Groups of channels that fill vectors and that do not, one group, a group a channel, one pixel, features.
private let groupNormShapes: [(shape: Shape, groups: Int)] = [
    ([2, 14, 14, 64], 32), ([3, 5, 7, 33], 11), ([2, 9, 5, 24], 1), ([4, 3, 3, 10], 10), ([5, 1, 1, 12], 3),
    ([7, 100], 4), ([1, 57, 56, 10], 2), ([1, 1, 1, 2], 1),
]
