import ResinGraph
import ResinPlan
import ResinTensor

/// A convolution layer in training: three cases, forward and both gradients.
struct ConvolutionConfiguration: Sendable {
    var network: String
    var input: Shape
    var outputChannels: Int
    var window: Window
    var bias: Bool
    /// With the ReLU after it, and in its input's gradient the mask of a ReLU before it.
    var fused: Bool
    var output: Shape

    /// - Parameter gives: output height and width.
    init(
        network: String = "", _ input: Shape, to outputChannels: Int, _ kernel: Extent, stride: Extent = 1,
        padding: Extent = 0, bias: Bool = false, fused: Bool = false, gives height: Int, _ width: Int
    ) {
        self.network = network
        self.input = input
        self.outputChannels = outputChannels
        window = Window(kernel: kernel, stride: stride, padding: padding)
        self.bias = bias
        self.fused = fused
        output = Shape(images: input.images, height: height, width: width, channels: outputChannels)
    }

    /// A dense layer: images × features to so many outputs.
    init(dense input: Shape, to outputChannels: Int, bias: Bool = true, fused: Bool = false) {
        network = "dense"
        self.input = input
        self.outputChannels = outputChannels
        window = Window(kernel: 1)
        self.bias = bias
        self.fused = fused
        output = [input.images, outputChannels]
    }

    var cases: [OpCase] { [forward, inputGradient, filterGradient] }

    private var name: String {
        (network.isEmpty ? "" : "\(network), ") + "\(input) to \(outputChannels) by \(window.kernel)"
            + window.settings + (bias ? ", bias" : "") + (fused ? ", ReLU" : "")
    }

    private var settings: [String: [Double]] {
        [
            "stride": window.stride.doubles, "padding": window.padding.doubles,
            "kernel": window.kernel.doubles, "image": input.extents.map(Double.init),
            "relu": [fused ? 1 : 0], "bias": [bias ? 1 : 0],
        ]
    }

    private var filter: CaseInput {
        .filter(outputs: outputChannels, inputs: input.channels, window.kernel)
    }

    private var forward: OpCase {
        let op = Op.Convolution2D(window: window, outputChannels: outputChannels, hasBias: bias)
        var result = OpCase(
            "convolution, \(name)", "convolution2d", settings: settings,
            inputs: [.tensor(input), filter] + (bias ? [.vector(outputChannels)] : []),
            outputs: [.value(output)]
        ) { [fused] graph, inputs in
            let y = try graph.apply(.convolution2D(op), to: inputs, name: "convolution")
            return fused ? try graph.apply(.relu, to: y, name: "relu") : y
        }
        result.isExactOnIntegers = true
        return result
    }

    private var inputGradient: OpCase {
        let op = Op.Convolution2DInputGradient(window: window, inputShape: input)
        var result = OpCase(
            "convolution's input gradient, \(name)", "convolution2d_input_gradient", settings: settings,
            inputs: [.tensor(output), filter] + (fused ? [.tensor(input)] : []), outputs: [.value(input)]
        ) { [fused] graph, inputs in
            let dx = try graph.apply(
                .convolution2DInputGradient(op), to: Array(inputs.prefix(2)), name: "convolution")
            return fused ? try graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx
        }
        result.isExactOnIntegers = true
        return result
    }

    private var filterGradient: OpCase {
        let op = Op.Convolution2DFilterGradient(window: window, hasBias: bias)
        let weights: Shape = [window.kernel.area * input.channels * outputChannels]
        var result = OpCase(
            "convolution's filter gradient, \(name)", "convolution2d_filter_gradient", settings: settings,
            inputs: [.tensor(input), .tensor(output)],
            outputs: [.value(weights)] + (bias ? [.value([outputChannels])] : [])
        ) { graph, inputs in
            try graph.apply(.convolution2DFilterGradient(op), to: inputs, name: "convolution")
        }
        result.isExactOnIntegers = true
        return result
    }
}

extension OpCase {
    package static let convolution2D = convolution2DConfigurations.flatMap(\.cases)
}

extension Extent {
    var doubles: [Double] { [Double(height), Double(width)] }
}

extension Extent: ExpressibleByIntegerLiteral {
    public init(integerLiteral side: Int) { self.init(side) }
}

extension Extent: ExpressibleByArrayLiteral {
    public init(arrayLiteral sides: Int...) { self.init(sides[0], sides[1]) }
}
