import ResinGraph
import ResinTensor

/// The largest value under a window, channel by channel.
///
/// C×H×W → C×H′×W′ with H′ = ⌊(H + 2·padding − kernel) / stride⌋ + 1. Padding never wins; it is at most half
/// of the window, and the window has at most 256 places.
public struct MaxPool2D: Layer {
    public var window: Window

    /// A square window; without a stride the windows stand side by side.
    public init(kernel: Int, stride: Int? = nil, padding: Int = 0) {
        self.init(window: Window(kernel: kernel, stride: stride ?? kernel, padding: padding))
    }

    /// Any window.
    public init(window: Window) { self.window = window }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "max pooling")
        let op = Op.MaxPool2D(window: window, givesIndices: scope.mode == .training)
        return try scope.apply(.maxPool2D(op), to: [input])[0]
    }
}

/// The mean under a window, channel by channel.
///
/// C×H×W → C×H′×W′ with H′ = ⌊(H + 2·padding − kernel) / stride⌋ + 1; padding is at most half of the window.
public struct AveragePool2D: Layer {
    public var window: Window
    /// Whether the zeros around the image count in the mean, PyTorch's `count_include_pad`.
    public var countsPadding: Bool

    /// A square window; without a stride the windows stand side by side.
    public init(kernel: Int, stride: Int? = nil, padding: Int = 0, countsPadding: Bool = true) {
        self.init(
            window: Window(kernel: kernel, stride: stride ?? kernel, padding: padding),
            countsPadding: countsPadding)
    }

    /// Any window.
    public init(window: Window, countsPadding: Bool = true) {
        self.window = window
        self.countsPadding = countsPadding
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "average pooling")
        let op = Op.AveragePool2D(window: window, countsPadding: countsPadding)
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
