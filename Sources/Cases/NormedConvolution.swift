import ResinGraph
import ResinPlan
import ResinTensor

/// A convolution layer beside a batch norm, which devices may sum for where they make what it reads: the norm's statistics
/// behind the convolution, and the sums of its gradient behind the convolution's input gradient.
struct NormedConvolution: Sendable, CustomStringConvertible {
    var layer: ConvolutionConfiguration
    /// Whether another tensor is added before the ReLU, and another gradient before its mask.
    var adds = false

    var description: String { "\(layer)" + (adds ? ", addition" : "") }

    private var settings: [String: [Double]] {
        [
            "stride": layer.window.stride.doubles, "padding": layer.window.padding.doubles,
            "kernel": layer.window.kernel.doubles, "image": layer.input.extents.map(Double.init),
            "relu": [layer.fused ? 1 : 0], "epsilon": [1e-5], "momentum": [0.1], "steps": [1],
        ]
    }

    /// What is normalised and its gradient are the same numbers on every device, so that none is rounded to another
    /// neighbour of 16 bits.
    private var filter: CaseInput {
        var filter = CaseInput.filter(
            outputs: layer.outputChannels, inputs: layer.input.channels, layer.window.kernel)
        filter.data = .integers
        return filter
    }

    private static func normInputs(_ channels: Int) -> [CaseInput] {
        [
            .vector(channels, .positive), .vector(channels), .statistic(channels, .uniform),
            .statistic(channels, .positive),
        ]
    }

    var forward: OpCase {
        let channels: Shape = [layer.outputChannels]
        let op = Op.Convolution2D(
            window: layer.window, outputChannels: layer.outputChannels, hasBias: layer.bias)
        let shift: [CaseInput] = layer.bias ? [.vector(layer.outputChannels, .integers)] : []
        var result = OpCase(
            "convolution and batch norm, \(self)", "convolution2d_norm", settings: settings,
            inputs: [.tensor(layer.input, .integers), filter] + Self.normInputs(layer.outputChannels) + shift
                + (adds ? [.tensor(layer.output)] : []),
            outputs: [.value(layer.output), .value(channels), .value(channels)]
                + (0...1).map { CaseOutput(place: .statistic($0), shape: channels) }
        ) { [adds, layer] graph, inputs in
            let y = try graph.apply(
                .convolution2D(op), to: inputs.prefix(2) + (layer.bias ? [inputs[6]] : []),
                name: "convolution")
            var outputs = try graph.apply(.batchNorm(Op.BatchNorm()), to: y + inputs[2..<6], name: "norm")
            outputs[0] = try graph.finished(outputs[0], adding: adds ? inputs.last : nil, layer.fused)
            return outputs
        }
        result.launches = 2
        return result
    }

    /// The norm stands before the convolution, with a ReLU between.
    var gradient: OpCase {
        let (image, channels) = (layer.input, layer.input.channels)
        let op = Op.Convolution2DInputGradient(window: layer.window, inputShape: image)
        var result = OpCase(
            "batch norm's gradient behind a convolution's, \(self)", "convolution2d_norm_gradient",
            settings: settings,
            inputs: [.tensor(image)] + Self.normInputs(channels) + [.tensor(layer.output, .integers), filter]
                + (adds ? [.tensor(image), .tensor(image, .integers)] : []),
            outputs: [.value(image), .value([channels]), .value([channels])]
        ) { [adds] graph, inputs in
            let norm = try graph.apply(
                .batchNorm(Op.BatchNorm()), to: Array(inputs.prefix(5)), name: "norm")
            let y = try graph.finished(norm[0], adding: adds ? inputs[7] : nil, true)
            var dy = try graph.apply(
                .convolution2DInputGradient(op), to: Array(inputs[5..<7]), name: "convolution")
            if adds { dy = try graph.apply(.add(Op.Add()), to: dy + [inputs[8]], name: "add") }
            dy = try graph.apply(.reluGradient, to: dy + [y], name: "relu")
            return try graph.apply(
                .batchNormGradient, to: dy + [inputs[0], inputs[1], norm[1], norm[2]], name: "norm")
        }
        result.launches = 3
        return result
    }

    /// Channels that tiles do and do not end with, more row tiles than one group puts together, a dense layer, a stride.
    static let all = [
        NormedConvolution(layer: .init([2, 9, 7, 5], to: 33, 1, fused: true, gives: 9, 7)),
        .init(layer: .init([2, 56, 57, 4], to: 10, 3, padding: 1, bias: true, gives: 56, 57)),
        .init(layer: .init([3, 14, 14, 32], to: 48, 3, stride: 2, padding: 1, gives: 7, 7), adds: true),
        .init(layer: .init([2, 13, 11, 64], to: 64, 1, fused: true, gives: 13, 11)),
        .init(layer: .init([2, 56, 57, 32], to: 16, 1, fused: true, gives: 56, 57), adds: true),
        .init(layer: .init(dense: [70, 24], to: 17, fused: true)),
    ]
}
