import ResinGraph
import ResinTensor

/// Cross-correlation with a bank of filters, PyTorch's `Conv2d`.
///
/// C×H×W → outputChannels×H′×W′ with H′ = ⌊(H + 2·padding − kernel) / stride⌋ + 1, and so for W′.
/// Parameters: `weight`, in files `[outputChannels, C, kernel, kernel]`, and `bias` `[outputChannels]`.
public struct Convolution2D: Layer {
    public var outputChannels: Int
    public var window: Window
    public var hasBias: Bool

    /// A square window.
    public init(_ outputChannels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, bias: Bool = true) {
        self.init(
            outputChannels, window: Window(kernel: kernel, stride: stride, padding: padding), bias: bias)
    }

    /// Any window.
    public init(_ outputChannels: Int, window: Window, bias: Bool = true) {
        precondition(outputChannels > 0, "a convolution has at least one output channel")
        self.outputChannels = outputChannels
        self.window = window
        self.hasBias = bias
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "convolution")
        let filter = ParameterLayout.filter(
            outputs: outputChannels, inputs: scope.shape(of: input).channels,
            height: window.kernel.height, width: window.kernel.width)
        return try scope.applyConvolution(window, filter, outputs: outputChannels, hasBias, to: input)
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

extension NetworkScope {
    fileprivate mutating func applyConvolution(
        _ window: Window, _ filter: ParameterLayout, outputs: Int, _ hasBias: Bool, to input: ValueID
    ) throws -> ValueID {
        var inputs = [input, addParameter("weight", filter, role: .filter)]
        if hasBias {
            inputs.append(addParameter("bias", .vector(outputs), role: .bias(fanIn: filter.fans.fanIn)))
        }
        let op = Op.Convolution2D(window: window, outputChannels: outputs, hasBias: hasBias)
        return try apply(.convolution2D(op), to: inputs)[0]
    }
}
