import ResinGraph
import ResinTensor

extension Blueprint {
    static let mobileNetV2 = Blueprint(
        "mobilenet_v2", description: "Seventeen inverted residuals of depthwise convolutions",
        paper: "Sandler et al.: MobileNetV2: inverted residuals and linear bottlenecks, CVPR 2018",
        defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout, .width],
        variants: [.torchvision]
    ) { input, classes, options in
        .mobileNetV2(
            width: options.width ?? 1, input: input, classes: classes, dropout: options.dropout ?? 0.2)
    }
}

extension Network {
    /// MobileNetV2 (Sandler et al., CVPR 2018, Table 2) in torchvision's form, under torchvision's names. Any input fits.
    static func mobileNetV2(
        width: Double, input: ImageShape, classes: Int, dropout: Float
    ) -> Network {
        // Expansion, channels, blocks, stride.
        let stages = [
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]
        return Network("mobilenet_v2", input: input, classes: classes) {
            Sequential {
                ConvolutionNormActivation(.channels(32 * width), kernel: 3, stride: 2, ReLU6())
                for (expansion, channels, count, stride) in stages {
                    for block in 0..<count {
                        InvertedResidual(
                            .channels(Double(channels) * width), expansion: expansion,
                            stride: block == 0 ? stride : 1)
                    }
                }
                // The classifier's features do not shrink (§6.1).
                ConvolutionNormActivation(.channels(1280 * max(1, width)), ReLU6())
            }.named("features")
            GlobalAveragePool2D().named("avgpool")
            Sequential {
                Dropout(dropout)
                Dense(classes)
            }.named("classifier")
        }
    }
}

/// A 1×1 convolution to `expansion` times the channels, a depthwise 3×3 one, and a 1×1 one without activation; the input is added
/// where the shapes allow it. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct InvertedResidual: Layer {
    var channels: Int
    var expansion: Int
    var stride: Int

    init(_ channels: Int, expansion: Int, stride: Int) {
        self.channels = channels
        self.expansion = expansion
        self.stride = stride
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let wide = inputs * expansion
        let branch = Sequential {
            if expansion > 1 { ConvolutionNormActivation(wide, ReLU6()) }
            ConvolutionNormActivation(wide, kernel: 3, stride: stride, groups: wide, ReLU6())
            Convolution2D(channels, kernel: 1, bias: false)
            BatchNorm()
        }
        let value = try scope.apply(branch, to: input, name: "conv")
        return stride == 1 && inputs == channels ? try scope.add(value, input) : value
    }
}
