import ResinGraph
import ResinTensor

/// The largest value under a window, channel by channel.
///
/// C×H×W → C×H′×W′ with H′ = ⌊(H + paddings − extent) / stride⌋ + 1, where the window's extent is
/// (kernel − 1) · dilation + 1, and so for W′. Padding never wins; on no side it is more than half of the extent. The
/// window has at most 256 places.
public struct MaxPool2D: Layer {
    public var window: Window
    /// Whether H′ and W′ are rounded up, the last windows hanging over the edge: PyTorch's `ceil_mode`.
    public var roundsUp: Bool

    /// A square window; without a stride the windows stand side by side.
    public init(
        kernel: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1, roundsUp: Bool = false
    ) {
        self.init(
            window: Window(kernel: kernel, stride: stride ?? kernel, padding: padding, dilation: dilation),
            roundsUp: roundsUp)
    }

    /// Any window.
    public init(window: Window, roundsUp: Bool = false) {
        self.window = window
        self.roundsUp = roundsUp
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "max pooling")
        let op = Op.MaxPool2D(
            window: window, givesIndices: scope.mode == .training, roundsUp: roundsUp)
        return try scope.apply(.maxPool2D(op), to: [input])[0]
    }
}

/// The mean under a window, channel by channel.
///
/// C×H×W → C×H′×W′ with H′ = ⌊(H + paddings − kernel) / stride⌋ + 1; on no side the padding is more than half of the
/// window, and there is no dilation.
public struct AveragePool2D: Layer {
    public var window: Window
    /// Whether the zeros around the image count in the mean, PyTorch's `count_include_pad`.
    public var countsPadding: Bool
    /// Whether H′ and W′ are rounded up, the last windows hanging over the edge: PyTorch's `ceil_mode`.
    public var roundsUp: Bool

    /// A square window; without a stride the windows stand side by side.
    public init(
        kernel: Int, stride: Int? = nil, padding: Int = 0, countsPadding: Bool = true, roundsUp: Bool = false
    ) {
        self.init(
            window: Window(kernel: kernel, stride: stride ?? kernel, padding: padding),
            countsPadding: countsPadding, roundsUp: roundsUp)
    }

    /// Any window.
    public init(window: Window, countsPadding: Bool = true, roundsUp: Bool = false) {
        self.window = window
        self.countsPadding = countsPadding
        self.roundsUp = roundsUp
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "average pooling")
        let op = Op.AveragePool2D(window: window, countsPadding: countsPadding, roundsUp: roundsUp)
        return try scope.apply(.averagePool2D(op), to: [input])[0]
    }
}

/// The mean of each channel over each of `output`'s height × width parts of the image, PyTorch's
/// `AdaptiveAvgPool2d`: C×H×W → C×output. Where the output's sides do not divide the image's, neighbouring parts share
/// pixels. An image of that size passes unchanged.
public struct AdaptiveAveragePool2D: Layer {
    public var output: Extent

    public init(_ output: Extent) {
        precondition(output.height > 0 && output.width > 0, "an image has at least one part")
        self.output = output
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "adaptive average pooling")
        let image = scope.shape(of: input)
        if Extent(image.height, image.width) == output { return input }
        guard image.height % output.height == 0, image.width % output.width == 0 else {
            let op = Op.AdaptiveAveragePool2D(output)
            return try scope.apply(.adaptiveAveragePool2D(op), to: [input])[0]
        }
        let part = Extent(image.height / output.height, image.width / output.width)
        let op = Op.AveragePool2D(window: Window(kernel: part, stride: part))
        return try scope.apply(.averagePool2D(op), to: [input])[0]
    }
}

/// The mean of each channel over the whole image, PyTorch's `AdaptiveAvgPool2d(1)` with the flattening
/// included (Lin et al., "Network in network", ICLR 2014, §3.2): C×H×W → C.
public struct GlobalAveragePool2D: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "global average pooling")
        return try scope.apply(.globalAveragePool, to: [input])[0]
    }
}

/// The largest value of each channel over the whole image, PyTorch's `AdaptiveMaxPool2d(1)` with the flattening
/// included: C×H×W → C. The image has at most 256 pixels.
public struct GlobalMaxPool2D: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "global max pooling")
        let image = scope.shape(of: input)
        let window = Window(kernel: Extent(image.height, image.width))
        let op = Op.MaxPool2D(window: window, givesIndices: scope.mode == .training)
        return try scope.apply(.flatten, to: [scope.apply(.maxPool2D(op), to: [input])[0]])[0]
    }
}
