import ResinGraph
import ResinTensor

/// torchvision's `BasicConv2d`: a convolution without bias, batch norm, ReLU; without a padding of its own it keeps the size but
/// for its stride. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
struct NormalisedConvolution: Layer {
    var convolution: Convolution2D

    init(_ channels: Int, kernel: Int, stride: Int = 1, padding: Int? = nil) {
        self.init(channels, Extent(kernel), stride: stride, padding: Extent(padding ?? kernel / 2))
    }

    init(_ channels: Int, _ kernel: Extent, stride: Int = 1, padding: Extent) {
        convolution = Convolution2D(
            channels, window: Window(kernel: kernel, stride: Extent(stride), padding: padding), bias: false)
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try Sequential {
            convolution.named("conv")
            BatchNorm(epsilon: 1e-3).named("bn")
            ReLU().named("relu")
        }.apply(to: input, in: &scope)
    }
}
