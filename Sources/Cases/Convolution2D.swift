import ResinGraph
import ResinPlan
import ResinTensor

/// A convolution layer in training: three cases, forward and both gradients.
package struct ConvolutionConfiguration: Checkable, Sendable, CustomStringConvertible {
    var network: String
    var input: Shape
    var outputChannels: Int
    var window: Window
    /// Of channels; with one it is a plain convolution.
    var groups = 1
    var bias: Bool
    /// With the ReLU after it, and in its input's gradient the mask of a ReLU before it.
    var fused: Bool
    /// What stands in the ReLU's place.
    var activation = Activation.relu
    var output: Shape
    var isChecked = false

    /// - Parameters:
    ///   - sides: what is padded on each side, where it is not the same on opposite ones.
    ///   - gives: output height and width.
    package init(
        network: String = "", _ input: Shape, to outputChannels: Int, _ kernel: Extent, stride: Extent = 1,
        padding: Extent = 0, sides: Padding? = nil, dilation: Extent = 1, groups: Int = 1, bias: Bool = false,
        fused: Bool = false, gives height: Int, _ width: Int
    ) {
        self.network = network
        self.input = input
        self.outputChannels = outputChannels
        self.groups = groups
        window = Window(
            kernel: kernel, stride: stride, padding: sides ?? Padding(padding), dilation: dilation)
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

    package var cases: [OpCase] {
        [forward, inputGradient, filterGradient].map { $0.checked(if: isChecked) }
    }

    package var description: String {
        (network.isEmpty ? "" : "\(network), ") + "\(input) to \(outputChannels) by \(window.kernel)"
            + (groups == 1 ? "" : " in \(groups) groups") + window.settings + (bias ? ", bias" : "")
            + (fused ? ", \(activation.name)" : "")
    }

    private var settings: [String: [Double]] {
        var settings: [String: [Double]] = [
            "stride": window.stride.doubles, "padding": window.padding.doubles,
            "kernel": window.kernel.doubles, "image": input.extents.map(Double.init),
            "relu": [fused && activation == .relu ? 1 : 0], "bias": [bias ? 1 : 0],
        ]
        if window.dilation != 1 { settings["dilation"] = window.dilation.doubles }
        if groups > 1 { settings["groups"] = [Double(groups)] }
        return settings
    }

    private var filter: CaseInput {
        .filter(outputs: outputChannels, inputs: input.channels / groups, window.kernel)
    }

    private var forwardOp: Op {
        groups == 1
            ? .convolution2D(.init(window: window, outputChannels: outputChannels, hasBias: bias))
            : .groupedConvolution2D(
                .init(window: window, groups: groups, outputChannels: outputChannels, hasBias: bias))
    }

    private var inputGradientOp: Op {
        groups == 1
            ? .convolution2DInputGradient(.init(window: window, inputShape: input))
            : .groupedConvolution2DInputGradient(.init(window: window, groups: groups, inputShape: input))
    }

    private var filterGradientOp: Op {
        groups == 1
            ? .convolution2DFilterGradient(.init(window: window, hasBias: bias))
            : .groupedConvolution2DFilterGradient(.init(window: window, groups: groups, hasBias: bias))
    }

    package var forward: OpCase {
        let op = forwardOp
        var result = OpCase(
            "convolution, \(self)",
            activation == .relu ? "convolution2d" : "convolution2d_\(activation.identifier)",
            settings: settings,
            inputs: [.tensor(input), filter] + (bias ? [.vector(outputChannels)] : []),
            outputs: [.value(output)]
        ) { [fused, activation] graph, inputs in
            let y = try graph.apply(op, to: inputs, name: "convolution")
            return fused ? try graph.apply(.activation(activation), to: y, name: "activation") : y
        }
        result.isExactOnIntegers = activation == .relu
        // Few channels leave most of a vector to nobody, which an exponential would be computed for.
        if fused && activation.takesExponential && outputChannels < 16 { result.launches = 2 }
        return result
    }

    /// With another value, as a residual block's shortcut, added before the ReLU.
    package var sum: OpCase {
        let op = forwardOp
        var result = OpCase(
            "convolution and addition, \(self)", "convolution2d_sum", settings: settings,
            inputs: [.tensor(input), filter] + (bias ? [.vector(outputChannels)] : []) + [.tensor(output)],
            outputs: [.value(output)]
        ) { [fused] graph, inputs in
            let y = try graph.apply(op, to: inputs.dropLast(), name: "convolution")
            let sum = try graph.apply(.add(Op.Add()), to: inputs.suffix(1) + y, name: "add")
            return fused ? try graph.apply(.relu, to: sum, name: "relu") : sum
        }
        result.isExactOnIntegers = true
        return result
    }

    /// With another gradient of the same image added, before the mask.
    package var inputGradientSum: OpCase {
        let op = inputGradientOp
        var result = OpCase(
            "convolution's input gradient and addition, \(self)", "convolution2d_input_gradient_sum",
            settings: settings,
            inputs: [.tensor(output), filter, .tensor(input)] + (fused ? [.tensor(input)] : []),
            outputs: [.value(input)]
        ) { [fused] graph, inputs in
            let dx = try graph.apply(op, to: Array(inputs.prefix(2)), name: "convolution")
            let sum = try graph.apply(.add(Op.Add()), to: [dx[0], inputs[2]], name: "add")
            return fused ? try graph.apply(.reluGradient, to: sum + inputs.suffix(1), name: "relu") : sum
        }
        result.isExactOnIntegers = true
        return result
    }

    package var inputGradient: OpCase {
        let op = inputGradientOp
        var result = OpCase(
            "convolution's input gradient, \(self)", "convolution2d_input_gradient", settings: settings,
            inputs: [.tensor(output), filter] + (fused ? [.tensor(input)] : []), outputs: [.value(input)]
        ) { [fused] graph, inputs in
            let dx = try graph.apply(op, to: Array(inputs.prefix(2)), name: "convolution")
            return fused ? try graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx
        }
        result.isExactOnIntegers = true
        return result
    }

    package var filterGradient: OpCase {
        let op = filterGradientOp
        let weights: Shape = [window.kernel.area * (input.channels / groups) * outputChannels]
        var result = OpCase(
            "convolution's filter gradient, \(self)", "convolution2d_filter_gradient", settings: settings,
            inputs: [.tensor(input), .tensor(output)],
            outputs: [.value(weights)] + (bias ? [.value([outputChannels])] : [])
        ) { graph, inputs in
            try graph.apply(op, to: inputs, name: "convolution")
        }
        result.isExactOnIntegers = true
        // It sums products that are worth more than the result, over thousands of tiles: measured up to
        // 1.1e-4.
        result.winogradTolerance = 2e-4
        return result
    }

    /// Both gradients, side by side as in a training step.
    package var gradients: OpCase {
        let (input, filter) = (inputGradient, filterGradient)
        var result = OpCase(
            "convolution's gradients, \(self)", "convolution2d_gradients", settings: settings,
            inputs: filter.inputs + input.inputs.dropFirst(), outputs: input.outputs + filter.outputs
        ) { [inputGradientOp, filterGradientOp, fused] graph, inputs in
            let dx = try graph.apply(inputGradientOp, to: [inputs[1], inputs[2]], name: "convolution")
            let dw = try graph.apply(filterGradientOp, to: [inputs[0], inputs[1]], name: "convolution")
            return try (fused ? graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx) + dw
        }
        result.isExactOnIntegers = true
        result.winogradTolerance = filter.winogradTolerance
        result.launches = 2
        return result
    }
}

extension OpCase {
    package static let convolution2D =
        ConvolutionConfiguration.all.flatMap(\.cases) + ConvolutionConfiguration.activated.map(\.forward)
        + ConvolutionConfiguration.summed.flatMap { [$0.sum.checked, $0.inputGradientSum.checked] }
        + ConvolutionConfiguration.all.filter(\.isChecked).map { $0.gradients.checked }
        + NormedConvolution.all.flatMap { [$0.forward.checked, $0.gradient.checked] }
}

extension Extent {
    var doubles: [Double] { [Double(height), Double(width)] }
}

extension Padding {
    /// Of each axis, or of top, left, bottom and right.
    var doubles: [Double] {
        (isSymmetric ? [top, left] : [top, left, bottom, right]).map(Double.init)
    }
}

extension Extent: ExpressibleByIntegerLiteral {
    public init(integerLiteral side: Int) { self.init(side) }
}

extension Extent: ExpressibleByArrayLiteral {
    public init(arrayLiteral sides: Int...) { self.init(sides[0], sides[1]) }
}
