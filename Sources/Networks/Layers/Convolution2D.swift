import ResinGraph
import ResinTensor

/// Cross-correlation with a bank of filters, PyTorch's `Conv2d`.
///
/// C×H×W → outputChannels×H′×W′ with H′ = ⌊(H + paddings − extent) / stride⌋ + 1, where the window's extent is
/// (kernel − 1) · dilation + 1, and so for W′. With several groups each makes its share of the outputs from its share of
/// the inputs; as many groups as channels make the depthwise convolution.
/// Parameters: `weight`, in files `[outputChannels, C / groups, kernel, kernel]`, and `bias` `[outputChannels]`.
public struct Convolution2D: Layer {
    public var outputChannels: Int
    public var window: Window
    /// Divides the channels of input and output.
    public var groups: Int
    public var hasBias: Bool

    /// A square window.
    public init(
        _ outputChannels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1,
        dilation: Int = 1, bias: Bool = true
    ) {
        self.init(
            outputChannels,
            window: Window(kernel: kernel, stride: stride, padding: padding, dilation: dilation),
            groups: groups, bias: bias)
    }

    /// Any window.
    public init(_ outputChannels: Int, window: Window, groups: Int = 1, bias: Bool = true) {
        precondition(outputChannels > 0, "a convolution has at least one output channel")
        precondition(groups > 0, "a convolution has at least one group")
        self.outputChannels = outputChannels
        self.window = window
        self.groups = groups
        self.hasBias = bias
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "convolution")
        let inputs = scope.shape(of: input).channels
        // The parameter comes before the operator, which would say so itself.
        guard inputs % groups == 0, outputChannels % groups == 0 else {
            throw scope.misfit(
                "convolution",
                "its \(inputs) input and \(outputChannels) output channels have to be multiples of its "
                    + "\(groups) groups")
        }
        let filter = ParameterLayout.filter(
            outputs: outputChannels, inputs: inputs / groups, height: window.kernel.height,
            width: window.kernel.width)
        return try scope.applyConvolution(
            window, groups: groups, filter, outputs: outputChannels, hasBias, to: input)
    }
}

/// A fully connected layer, PyTorch's `Linear`: y = W·x + b.
///
/// F → outputs; an image has to pass `Flatten` first. Parameters: `weight`, in files `[outputs, F]`, and
/// `bias` `[outputs]`.
public struct Dense: Layer {
    public var outputs: Int
    public var hasBias: Bool

    public init(_ outputs: Int, bias: Bool = true) {
        precondition(outputs > 0, "a dense layer has at least one output")
        self.outputs = outputs
        self.hasBias = bias
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let shape = scope.shape(of: input)
        guard shape.rank == 2 else {
            throw scope.misfit(
                "dense", "its input is an image, \(ImageShape(shape)); put Flatten() before it")
        }
        let image = scope.flattenedImage(of: input) ?? shape
        let filter = ParameterLayout.dense(
            outputs: outputs, inputs: image.channels, height: image.height, width: image.width)
        return try scope.applyConvolution(
            Window(kernel: 1), filter, outputs: outputs, hasBias, to: input)
    }
}

/// A fully connected layer over the channels of each pixel, PyTorch's `Linear` on images whose channels come last: a 1×1
/// convolution whose `weight` is, in files, `[outputs, C]`. C×H×W → outputs×H×W.
struct PixelDense: Layer {
    var outputs: Int

    init(_ outputs: Int) { self.outputs = outputs }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "dense over pixels")
        let filter = ParameterLayout.dense(
            outputs: outputs, inputs: scope.shape(of: input).channels, height: 1, width: 1)
        return try scope.applyConvolution(
            Window(kernel: 1), groups: 1, filter, outputs: outputs, true, to: input)
    }
}

extension NetworkScope {
    fileprivate mutating func applyConvolution(
        _ window: Window, groups: Int = 1, _ filter: ParameterLayout, outputs: Int, _ hasBias: Bool,
        to input: ValueID
    ) throws -> ValueID {
        var inputs = [input, addParameter("weight", filter, role: .filter)]
        if hasBias {
            inputs.append(addParameter("bias", .vector(outputs), role: .bias(fanIn: filter.fans.fanIn)))
        }
        let op: Op =
            groups == 1
            ? .convolution2D(.init(window: window, outputChannels: outputs, hasBias: hasBias))
            : .groupedConvolution2D(
                .init(window: window, groups: groups, outputChannels: outputs, hasBias: hasBias))
        return try apply(op, to: inputs)[0]
    }
}
