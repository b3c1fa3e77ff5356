import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let channelScaling: [OpCase] =
        channelScalingShapes.enumerated().flatMap { index, shape in
            [
                scaling(shape, byImage: true, adds: index % 3 == 1, fused: index % 3 != 0),
                scaling(shape, byImage: false, adds: index % 3 == 2, fused: index % 3 == 0),
                scalingGradient(shape, byImage: true), scalingGradient(shape, byImage: false),
                gateGradient(shape), parametricReLU(shape, slopes: shape.channels),
                parametricReLUGradient(shape, slopes: shape.channels),
            ].map { $0.checked(if: index < 5) }
        }

    /// One slope for all channels.
    package static let sharedSlopes: [OpCase] = ([[2, 9, 11, 33], [3, 5, 5, 16], [7, 20]] as [Shape]).flatMap
    {
        [parametricReLU($0, slopes: 1).checked, parametricReLUGradient($0, slopes: 1).checked]
    }

    /// What an image's factors, or those of all, are.
    private static func factors(of shape: Shape, byImage: Bool) -> CaseInput {
        guard byImage else { return .vector(shape.channels) }
        return .tensor(
            shape.rank == 2
                ? shape : Shape(images: shape.images, height: 1, width: 1, channels: shape.channels))
    }

    private static func name(_ shape: Shape, byImage: Bool) -> String {
        "\(shape)\(byImage ? ", by image" : "")"
    }

    private static func scaling(_ shape: Shape, byImage: Bool, adds: Bool, fused: Bool) -> OpCase {
        var result = OpCase(
            "channel scaling, \(name(shape, byImage: byImage))\(adds ? ", addition" : "")\(fused ? ", ReLU" : "")",
            "channel_scaling", settings: ["relu": [fused ? 1 : 0]],
            inputs: [.tensor(shape), factors(of: shape, byImage: byImage)] + (adds ? [.tensor(shape)] : []),
            outputs: [.value(shape)]
        ) { graph, inputs in
            let y = try graph.apply(
                .channelScaling(Op.ChannelScaling()), to: Array(inputs.prefix(2)), name: "scale")
            return [try graph.finished(y[0], adding: adds ? inputs[2] : nil, fused)]
        }
        result.isExactOnIntegers = true
        return result
    }

    /// Of x and of the factors.
    private static func scalingGradient(_ shape: Shape, byImage: Bool) -> OpCase {
        let factors = factors(of: shape, byImage: byImage)
        let sums = Shape(factors.shape)
        var result = OpCase(
            "channel scaling's gradient, \(name(shape, byImage: byImage))", "channel_scaling_gradient",
            inputs: [.tensor(shape), factors, .tensor(shape)], outputs: [.value(shape), .value(sums)]
        ) { graph, inputs in
            try graph.apply(
                .channelScaling(Op.ChannelScaling()), to: [inputs[2], inputs[1]], name: "scale")
                + graph.apply(
                    .channelProductSum(Op.ChannelProductSum(sums)), to: [inputs[2], inputs[0]],
                    name: "scale")
        }
        result.launches = 2
        result.isExactOnIntegers = true
        return result
    }

    /// The gradient of what a gate's sigmoid is taken of, at once with the sums.
    private static func gateGradient(_ shape: Shape) -> OpCase {
        let factors = factors(of: shape, byImage: true)
        let sums = Shape(factors.shape)
        var result = OpCase(
            "gate's gradient, \(shape)", "gate_gradient",
            inputs: [.tensor(shape), factors, .tensor(shape)], outputs: [.value(sums), .value(sums)]
        ) { graph, inputs in
            let gate = try graph.apply(.sigmoid, to: [inputs[1]], name: "gate")[0]
            let gradient = try graph.apply(
                .channelProductSum(Op.ChannelProductSum(sums)), to: [inputs[2], inputs[0]], name: "scale")
            return [gate] + (try graph.apply(.sigmoidGradient, to: [gradient[0], gate], name: "gate"))
        }
        result.launches = 2
        result.roundings = 2
        return result
    }

    private static func parametricReLU(_ shape: Shape, slopes: Int) -> OpCase {
        var result = OpCase(
            "PReLU, \(shape)\(slopes < shape.channels ? ", one slope" : "")", "prelu",
            inputs: [.tensor(shape), .vector(slopes)],
            outputs: [.value(shape)]
        ) { graph, inputs in try graph.apply(.parametricReLU, to: inputs, name: "prelu") }
        result.isExactOnIntegers = true
        return result
    }

    private static func parametricReLUGradient(_ shape: Shape, slopes: Int) -> OpCase {
        var result = OpCase(
            "PReLU's gradient, \(shape)\(slopes < shape.channels ? ", one slope" : "")", "prelu_gradient",
            inputs: [.tensor(shape), .vector(slopes), .tensor(shape)],
            outputs: [.value(shape), .value([slopes])]
        ) { graph, inputs in
            try graph.apply(.parametricReLUGradient, to: [inputs[2], inputs[0], inputs[1]], name: "prelu")
                + graph.apply(
                    .channelProductSum(Op.ChannelProductSum([slopes], takesNegative: true)),
                    to: [inputs[2], inputs[0]], name: "prelu")
        }
        // One sum of thousands that cancel, where other outputs have larger ones beside it.
        if slopes < shape.channels { result.tolerance = 1e-4 }
        result.launches = 2
        result.isExactOnIntegers = true
        return result
    }

    package static let stochasticDepth: [OpCase] = [
        stochasticDepth([6, 5, 7, 33], 0.5).checked, stochasticDepth([9, 4, 4, 16], 0.2, node: 3).checked,
        stochasticDepth([1, 1, 1, 1], 0.5), stochasticDepth([5, 17], 0.25, step: 4_000_000_000),
        stochasticDepth([8, 7, 7, 24], 0.1, node: .max, seed: .max, step: 77, adds: true).checked,
        stochasticDepth([7, 3, 5, 10], 0.75, seed: 0xDEAD_BEEF_0123_4567, adds: true, fused: true).checked,
        stochasticDepth([3, 2, 2, 5], 0),
    ]

    private static func stochasticDepth(
        _ shape: Shape, _ probability: Float, node: UInt32 = 0, seed: UInt64 = 1, step: Int = 1,
        adds: Bool = false, fused: Bool = false
    ) -> OpCase {
        let op = Op.StochasticDepth(probability: probability, node: node)
        return OpCase(
            "stochastic depth \(probability), \(shape), node \(node), seed \(seed), step \(step)"
                + (adds ? ", addition" : "") + (fused ? ", ReLU" : ""), "stochastic_depth",
            settings: [
                "probability": [Double(probability)], "node": [Double(node)], "step": [Double(step)],
                "seed": [Double(UInt32(truncatingIfNeeded: seed)), Double(seed >> 32)],
                "relu": [fused ? 1 : 0],
            ],
            inputs: [.tensor(shape)] + (adds ? [.tensor(shape)] : []), outputs: [.value(shape)],
            steps: StepUniforms.single(images: shape.images, seed: seed, step: step)
        ) { graph, inputs in
            let y = try graph.apply(.stochasticDepth(op), to: [inputs[0]], name: "depth")
            return [try graph.finished(y[0], adding: adds ? inputs[1] : nil, fused)]
        }
    }
}

/// EfficientNet's first and last, then odd ones: channels that fill vectors and that do not, one pixel, one channel,
/// many pixels, features.
private let channelScalingShapes: [Shape] = [
    [2, 14, 14, 32], [3, 7, 7, 115], [5, 1, 1, 33], [2, 9, 5, 1], [4, 3, 5, 16], [1, 57, 56, 10], [7, 20],
    [1, 1, 1, 1],
]
