import Foundation
import ResinGraph
import ResinPlan
import ResinReference
import ResinTensor
import Testing

/// A small network around one operator. Its image is itself trained (see `DifferenceNetwork`), so that both
/// the operator's input gradient and its parameters' are compared with differences of the loss.
struct DifferenceCase: Sendable, CustomTestStringConvertible {
    var name: String
    var shape: Shape
    /// The image's elements: away from the kinks of a ReLU, or so far apart that none overtakes another.
    var image: @Sendable (Int) -> Float = { Float(($0 * 29 + 7) % 64) / 32 - 0.984375 }
    var labelSmoothing: Float = 0
    var build: @Sendable (inout Graph, ValueID) throws -> ValueID

    var testDescription: String { name }
}

extension DifferenceCase {
    static let all: [DifferenceCase] =
        [
            DifferenceCase(name: "convolution with bias", shape: [2, 5, 4, 2]) { graph, x in
                try graph.convolution(
                    x, to: 3, Window(kernel: Extent(3, 2), padding: Extent(1, 0)), bias: true)
            },
            DifferenceCase(name: "convolution of stride 2", shape: [1, 7, 6, 3]) { graph, x in
                try graph.convolution(x, to: 2, Window(kernel: 3, stride: 2, padding: 1), bias: false)
            },
            DifferenceCase(name: "convolution of stride 3 by 5×5", shape: [2, 8, 8, 1]) { graph, x in
                try graph.convolution(x, to: 4, Window(kernel: 5, stride: 3, padding: 2), bias: true)
            },
            DifferenceCase(name: "convolution with four paddings and dilation", shape: [1, 7, 6, 2]) {
                graph, x in
                let window = Window(
                    kernel: Extent(3, 2), stride: Extent(2, 1), padding: Padding(top: 1, bottom: 2, right: 1),
                    dilation: Extent(2, 3))
                return try graph.convolution(x, to: 3, window, bias: true)
            },
            DifferenceCase(name: "depthwise convolution of stride 2", shape: [2, 6, 5, 3]) { graph, x in
                let window = Window(kernel: 3, stride: 2, padding: 1)
                return try graph.convolution(x, to: 3, window, groups: 3, bias: true)
            },
            DifferenceCase(name: "depthwise convolution, two results a channel", shape: [1, 5, 5, 3]) {
                graph, x in
                try graph.convolution(x, to: 6, Window(kernel: 3, dilation: 2), groups: 3, bias: false)
            },
            DifferenceCase(name: "convolution in groups", shape: [1, 5, 4, 4]) { graph, x in
                let window = Window(
                    kernel: Extent(3), stride: Extent(2, 1),
                    padding: Padding(top: 1, left: 2, bottom: 0, right: 1))
                return try graph.convolution(x, to: 6, window, groups: 2, bias: true)
            },
            DifferenceCase(name: "dense layer", shape: [3, 2, 2, 3]) { graph, x in
                let flat = try graph.apply(.flatten, to: [x], name: "flatten")[0]
                return try graph.convolution(flat, to: 5, Window(kernel: 1), bias: true)
            },
            DifferenceCase(name: "ReLU", shape: [2, 3, 3, 2]) { graph, x in
                try graph.apply(.relu, to: [x], name: "relu")[0]
            },
            DifferenceCase(name: "two convolutions with a ReLU between", shape: [1, 5, 5, 1]) { graph, x in
                let window = Window(kernel: 3, padding: 1)
                let first = try graph.convolution(x, to: 3, window, bias: true)
                let rectified = try graph.apply(.relu, to: [first], name: "relu")[0]
                return try graph.convolution(rectified, to: 2, window, bias: false)
            },
            DifferenceCase(name: "max pooling, overlapping", shape: [1, 5, 6, 2], image: apart) { graph, x in
                let op = Op.MaxPool2D(window: Window(kernel: 3, stride: 2, padding: 1), givesIndices: true)
                return try graph.apply(.maxPool2D(op), to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "max pooling of a ReLU", shape: [1, 4, 4, 3], image: apart) { graph, x in
                let rectified = try graph.apply(.relu, to: [x], name: "relu")[0]
                let op = Op.MaxPool2D(window: Window(kernel: 2, stride: 2), givesIndices: true)
                return try graph.apply(.maxPool2D(op), to: [rectified], name: "pool")[0]
            },
            DifferenceCase(name: "average pooling", shape: [2, 5, 5, 2]) { graph, x in
                let op = Op.AveragePool2D(window: Window(kernel: 3, stride: 2, padding: 1))
                return try graph.apply(.averagePool2D(op), to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "average pooling, padding not counted", shape: [1, 5, 4, 3]) { graph, x in
                let window = Window(kernel: 3, stride: 2, padding: 1)
                let op = Op.AveragePool2D(window: window, countsPadding: false)
                return try graph.apply(.averagePool2D(op), to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "average pooling, size rounded up", shape: [1, 5, 4, 3]) { graph, x in
                let op = Op.AveragePool2D(window: Window(kernel: 3, stride: 2, padding: 1), roundsUp: true)
                return try graph.apply(.averagePool2D(op), to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "adaptive average pooling", shape: [2, 5, 3, 2]) { graph, x in
                let op = Op.AdaptiveAveragePool2D(Extent(3, 2))
                return try graph.apply(.adaptiveAveragePool2D(op), to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "global average pooling", shape: [2, 3, 4, 5]) { graph, x in
                try graph.apply(.globalAveragePool, to: [x], name: "pool")[0]
            },
            DifferenceCase(name: "batch norm", shape: [3, 3, 2, 2]) { graph, x in try graph.batchNorm(x) },
            DifferenceCase(name: "batch norm of a convolution, ReLU", shape: [2, 4, 4, 1]) { graph, x in
                let y = try graph.convolution(x, to: 3, Window(kernel: 3), bias: false)
                return try graph.apply(.relu, to: [try graph.batchNorm(y)], name: "relu")[0]
            },
            DifferenceCase(name: "residual block", shape: [1, 4, 4, 2]) { graph, x in
                let y = try graph.convolution(x, to: 2, Window(kernel: 3, padding: 1), bias: true)
                let sum = try graph.apply(.add(Op.Add()), to: [y, x], name: "add")
                return try graph.apply(.relu, to: sum, name: "relu")[0]
            },
            DifferenceCase(name: "a value added to itself", shape: [2, 2, 2, 3]) { graph, x in
                try graph.apply(.add(Op.Add()), to: [x, x], name: "add")[0]
            },
            DifferenceCase(name: "a value that three layers read", shape: [1, 4, 4, 2]) { graph, x in
                let y = try graph.convolution(x, to: 2, Window(kernel: 1), bias: false)
                let z = try graph.convolution(x, to: 2, Window(kernel: 3, padding: 1), bias: false)
                let sum = try graph.apply(.add(Op.Add()), to: [y, z], name: "add")[0]
                return try graph.apply(.add(Op.Add()), to: [sum, x], name: "add")[0]
            },
            DifferenceCase(name: "dropout", shape: [2, 3, 4, 3]) { graph, x in
                try graph.apply(.dropout(Op.Dropout(probability: 0.4, node: 2)), to: [x], name: "dropout")[0]
            },
            DifferenceCase(name: "multiplication of two convolutions", shape: [2, 3, 3, 2]) { graph, x in
                let y = try graph.convolution(x, to: 2, Window(kernel: 1), bias: false)
                let z = try graph.convolution(x, to: 2, Window(kernel: 1), bias: false)
                return try graph.apply(.multiplication(Op.Multiplication()), to: [y, z], name: "multiply")[0]
            },
            DifferenceCase(name: "a value multiplied by itself", shape: [2, 2, 3, 2]) { graph, x in
                try graph.apply(.multiplication(Op.Multiplication()), to: [x, x], name: "multiply")[0]
            },
            DifferenceCase(name: "squeeze-and-excitation", shape: [2, 3, 3, 4]) { graph, x in
                let means = try graph.apply(.globalAveragePool, to: [x], name: "squeeze")[0]
                let z = try graph.convolution(means, to: 4, Window(kernel: 1), bias: true)
                let gate = try graph.apply(.sigmoid, to: [z], name: "gate")[0]
                return try graph.apply(.channelScaling(Op.ChannelScaling()), to: [x, gate], name: "scale")[0]
            },
            DifferenceCase(name: "learnt channel scaling", shape: [2, 3, 2, 3]) { graph, x in
                let factors = graph.parameter(.vector(3))
                return try graph.apply(
                    .channelScaling(Op.ChannelScaling()), to: [x, factors], name: "scale")[0]
            },
            DifferenceCase(name: "PReLU", shape: [2, 3, 2, 3]) { graph, x in
                try graph.apply(.parametricReLU, to: [x, graph.parameter(.vector(3))], name: "prelu")[0]
            },
            DifferenceCase(name: "PReLU of one slope", shape: [2, 3, 2, 3]) { graph, x in
                try graph.apply(.parametricReLU, to: [x, graph.parameter(.vector(1))], name: "prelu")[0]
            },
            DifferenceCase(name: "stochastic depth of a convolution", shape: [5, 2, 2, 2]) { graph, x in
                let y = try graph.convolution(x, to: 2, Window(kernel: 1), bias: true)
                let op = Op.StochasticDepth(probability: 0.4, node: 1)
                let kept = try graph.apply(.stochasticDepth(op), to: [y], name: "depth")[0]
                return try graph.apply(.add(Op.Add()), to: [x, kept], name: "add")[0]
            },
            DifferenceCase(name: "scaling", shape: [2, 3, 2, 2]) { graph, x in
                try graph.apply(.scale(Op.Scale(by: -1.5)), to: [x], name: "scale")[0]
            },
            DifferenceCase(name: "concatenation of a value and two convolutions of it", shape: [2, 4, 3, 2]) {
                graph, x in
                let y = try graph.convolution(x, to: 3, Window(kernel: 1), bias: true)
                let z = try graph.convolution(x, to: 1, Window(kernel: 3, padding: 1), bias: true)
                return try graph.apply(.concatenation, to: [y, x, z], name: "concatenation")[0]
            },
            DifferenceCase(name: "concatenation that is concatenated again", shape: [1, 3, 3, 2]) {
                graph, x in
                let y = try graph.convolution(x, to: 2, Window(kernel: 3, padding: 1), bias: true)
                let both = try graph.apply(.concatenation, to: [x, y], name: "first")
                let z = try graph.convolution(both[0], to: 3, Window(kernel: 1), bias: true)
                return try graph.apply(.concatenation, to: [both[0], z, x], name: "second")[0]
            },
            DifferenceCase(name: "slices of a value, one of them read twice", shape: [2, 3, 2, 5]) {
                graph, x in
                let parts = try [0..<2, 2..<5, 1..<4].map { channels in
                    try graph.apply(.channelSlice(Op.ChannelSlice(channels)), to: [x], name: "slice")[0]
                }
                let y = try graph.convolution(parts[0], to: 3, Window(kernel: 1), bias: true)
                let sum = try graph.apply(.add(Op.Add()), to: [y, parts[1]], name: "add")[0]
                return try graph.apply(.concatenation, to: [sum, parts[0], parts[2]], name: "concatenation")[
                    0]
            },
            DifferenceCase(name: "channel shuffle", shape: [2, 2, 3, 6]) { graph, x in
                let op = Op.ChannelShuffle(groups: 3)
                return try graph.apply(.channelShuffle(op), to: [x], name: "shuffle")[0]
            },
            DifferenceCase(name: "softmax", shape: [2, 2, 3, 5]) { graph, x in
                try graph.apply(.softmax, to: [x], name: "softmax")[0]
            },
            DifferenceCase(name: "layer norm", shape: [2, 2, 3, 5]) { graph, x in
                let parameters = [graph.parameter(.vector(5)), graph.parameter(.vector(5))]
                let op = Op.LayerNorm(epsilon: 0.01)
                return try graph.apply(.layerNorm(op), to: [x] + parameters, name: "norm")[0]
            },
            DifferenceCase(name: "group norm", shape: [2, 2, 3, 6]) { graph, x in
                let parameters = [graph.parameter(.vector(6)), graph.parameter(.vector(6))]
                let op = Op.GroupNorm(groups: 2, epsilon: 0.01)
                return try graph.apply(.groupNorm(op), to: [x] + parameters, name: "norm")[0]
            },
            DifferenceCase(name: "local response norm", shape: [2, 2, 2, 5]) { graph, x in
                let op = Op.LocalResponseNorm(size: 4, alpha: 2, beta: 0.75, k: 0.5)
                return try graph.apply(.localResponseNorm(op), to: [x], name: "norm")[0]
            },
            DifferenceCase(name: "nearest pixels", shape: [2, 3, 2, 2]) { graph, x in
                let op = Op.Upsampling(to: Extent(5, 4), .nearest)
                return try graph.apply(.upsampling(op), to: [x], name: "resize")[0]
            },
            DifferenceCase(name: "bilinear resizing", shape: [2, 3, 2, 2]) { graph, x in
                let op = Op.Upsampling(to: Extent(5, 4), .bilinear(alignsCorners: false))
                return try graph.apply(.upsampling(op), to: [x], name: "resize")[0]
            },
            DifferenceCase(name: "bilinear resizing with aligned corners", shape: [2, 3, 4, 1]) { graph, x in
                let op = Op.Upsampling(to: Extent(7, 2), .bilinear(alignsCorners: true))
                return try graph.apply(.upsampling(op), to: [x], name: "resize")[0]
            },
            DifferenceCase(name: "softmax cross-entropy alone", shape: [3, 1, 1, 7]) { _, x in x },
            DifferenceCase(name: "label smoothing", shape: [3, 1, 1, 7], labelSmoothing: 0.3) { _, x in x },
        ] + activations

    /// Every activation but ReLU, which has cases of its own.
    private static let activations = (Activation.all + [.leakyReLU(slope: -0.5)]).filter { $0 != .relu }.map {
        activation in
        DifferenceCase(name: activation.name, shape: [2, 3, 3, 2]) { graph, x in
            try graph.apply(.activation(activation), to: [x], name: "activation")[0]
        }
    }

    /// Multiples of 1/16, all different for up to 64 elements, none near zero.
    private static let apart: @Sendable (Int) -> Float = { Float(($0 * 29 + 7) % 64) / 16 - 1.96875 }
}

@Suite struct DifferenceTests {
    @Test(
        "The gradient is the loss's central difference, for every weight and every element of the image",
        arguments: DifferenceCase.all)
    func gradient(of differenceCase: DifferenceCase) throws {
        let network = try DifferenceNetwork(differenceCase)
        let gradients = try network.gradients()
        let largest = gradients.joined().reduce(0) { max($0, abs($1)) }
        #expect(largest > 0.01)
        for (parameter, gradient) in gradients.enumerated() {
            for (index, exact) in gradient.enumerated() {
                let difference = try network.difference(parameter, index)
                // Logits have 24 bits, so that differences over ±2⁻⁶ have an error of about 2⁻²³ / 2⁻⁵ =
                // 4e-6.
                #expect(
                    abs(difference - exact) < 1e-3 * largest + 1e-5,
                    "parameter \(parameter), element \(index): \(exact), but \(difference) by difference")
            }
        }
    }
}

extension Graph {
    fileprivate mutating func parameter(
        _ layout: ParameterLayout, _ role: Parameter.Role = .filter
    ) -> ValueID {
        addParameter(Parameter(name: "parameter\(parameters.count)", layout: layout, role: role))
    }

    fileprivate mutating func convolution(
        _ x: ValueID, to outputs: Int, _ window: Window, groups: Int = 1, bias: Bool
    ) throws -> ValueID {
        let layout = ParameterLayout.filter(
            outputs: outputs, inputs: shape(of: x).channels / groups, height: window.kernel.height,
            width: window.kernel.width)
        let inputs = [x, parameter(layout)] + (bias ? [parameter(.vector(outputs), .bias(fanIn: 1))] : [])
        let op: Op =
            groups == 1
            ? .convolution2D(.init(window: window, outputChannels: outputs, hasBias: bias))
            : .groupedConvolution2D(
                .init(window: window, groups: groups, outputChannels: outputs, hasBias: bias))
        return try apply(op, to: inputs, name: "convolution")[0]
    }

    fileprivate mutating func batchNorm(_ x: ValueID) throws -> ValueID {
        let count = shape(of: x).channels
        let statistics = ["mean", "variance"].map {
            addStatistic(Statistic(name: $0, count: count, initialValue: 0))
        }
        return try apply(
            .batchNorm(Op.BatchNorm(epsilon: 0.01)),
            to: [x, parameter(.vector(count)), parameter(.vector(count))] + statistics, name: "norm")[0]
    }
}
