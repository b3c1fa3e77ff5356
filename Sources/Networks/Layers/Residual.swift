import ResinGraph
import ResinTensor

/// The residual block of He et al., "Deep residual learning for image recognition" (CVPR 2016), Figure 2 and
/// §3.3, with batch norm, as in "Dive into deep learning", §8.6:
///
///     relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))
///
/// with 3×3 convolutions, the first with the stride; the shortcut is x itself or a projection, the 1×1
/// convolution `conv3` with the same stride. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
public struct Residual: Layer {
    public var channels: Int
    public var stride: Int
    /// Whether the shortcut is a 1×1 convolution: needed when channels or size change.
    public var usesProjection: Bool

    public init(_ channels: Int, stride: Int = 1, usesProjection: Bool = false) {
        self.channels = channels
        self.stride = stride
        self.usesProjection = usesProjection
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var value = input
        func then(_ layer: some Layer, _ name: String, _ scope: inout NetworkScope) throws {
            value = try scope.apply(layer, to: value, name: name)
        }
        try then(Convolution2D(channels, kernel: 3, stride: stride, padding: 1), "conv1", &scope)
        try then(BatchNorm(), "bn1", &scope)
        try then(ReLU(), "relu1", &scope)
        try then(Convolution2D(channels, kernel: 3, padding: 1), "conv2", &scope)
        try then(BatchNorm(), "bn2", &scope)

        var shortcut = input
        if usesProjection {
            let projection = Convolution2D(channels, kernel: 1, stride: stride)
            shortcut = try scope.apply(projection, to: input, name: "conv3")
        }
        guard scope.shape(of: shortcut) == scope.shape(of: value) else {
            let (before, after) = (ImageShape(scope.shape(of: input)), ImageShape(scope.shape(of: value)))
            throw scope.misfit(
                "residual block", "it turns \(before) into \(after); use usesProjection: true")
        }
        value = try scope.add(value, shortcut)
        try then(ReLU(), "relu2", &scope)
        return value
    }
}
