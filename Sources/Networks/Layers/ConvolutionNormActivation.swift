import ResinGraph
import ResinTensor

/// torchvision's `Conv2dNormActivation`: a convolution without bias that keeps the size but for its stride, batch norm, and an
/// activation if any; the children are "0", "1" and "2". C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
struct ConvolutionNormActivation: Layer {
    var channels: Int
    var kernel: Int
    var stride = 1
    var groups = 1
    var norm = BatchNorm()
    var activation: (any Layer)?

    init(
        _ channels: Int, kernel: Int = 1, stride: Int = 1, groups: Int = 1, norm: BatchNorm = BatchNorm(),
        _ activation: (any Layer)?
    ) {
        self.channels = channels
        self.kernel = kernel
        self.stride = stride
        self.groups = groups
        self.norm = norm
        self.activation = activation
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try Sequential {
            Convolution2D(
                channels, kernel: kernel, stride: stride, padding: (kernel - 1) / 2, groups: groups,
                bias: false)
            norm
            if let activation { activation }
        }.apply(to: input, in: &scope)
    }
}

extension Int {
    /// The nearest multiple of 8, but not less than nine tenths of the number: channels times a width multiplier.
    static func channels(_ number: Double) -> Int {
        let rounded = Swift.max(8, Int(number + 4) / 8 * 8)
        return Double(rounded) < 0.9 * number ? rounded + 8 : rounded
    }
}
