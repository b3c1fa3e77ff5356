import ResinGraph
import ResinTensor

extension Blueprint {
    static let mnasNet10 = Blueprint(
        "mnasnet1_0", description: "Sixteen inverted residuals found by search on a phone",
        paper: "Tan et al.: MnasNet: platform-aware neural architecture search for mobile, CVPR 2019",
        defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout, .width],
        variants: [.torchvision]
    ) { input, classes, options in
        .mnasNet10(
            width: options.width ?? 1, input: input, classes: classes, dropout: options.dropout ?? 0.2)
    }
}

extension Network {
    /// MnasNet-B1 (Tan et al., CVPR 2019, Figure 7 without squeeze and excitation) in torchvision's form, under torchvision's
    /// names. Any input fits.
    static func mnasNet10(
        width: Double, input: ImageShape, classes: Int, dropout: Float
    ) -> Network {
        let (first, second) = (Int.channels(32 * width), Int.channels(16 * width))
        // Channels, kernel, stride, expansion, blocks.
        let stages = [
            (24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4),
            (320, 3, 1, 6, 1),
        ]
        return Network("mnasnet1_0", input: input, classes: classes) {
            Sequential {
                Convolution2D(first, kernel: 3, stride: 2, padding: 1, bias: false)
                MNASBlock.norm
                ReLU()
                Convolution2D(first, kernel: 3, padding: 1, groups: first, bias: false)
                MNASBlock.norm
                ReLU()
                Convolution2D(second, kernel: 1, bias: false)
                MNASBlock.norm
                for (channels, kernel, stride, expansion, count) in stages {
                    Sequential {
                        for block in 0..<count {
                            MNASBlock(
                                channels: .channels(Double(channels) * width), kernel: kernel,
                                stride: block == 0 ? stride : 1, expansion: expansion)
                        }
                    }
                }
                Convolution2D(1280, kernel: 1, bias: false)
                MNASBlock.norm
                ReLU()
            }.named("layers")
            GlobalAveragePool2D().named("avgpool")
            Sequential {
                Dropout(dropout)
                Dense(classes)
            }.named("classifier")
        }
    }
}

/// torchvision's inverted residual of MnasNet. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct MNASBlock: Layer {
    var channels, kernel, stride, expansion: Int

    static var norm: BatchNorm { BatchNorm(momentum: 0.0003) }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let wide = inputs * expansion
        let branch = Sequential {
            Convolution2D(wide, kernel: 1, bias: false)
            Self.norm
            ReLU()
            Convolution2D(
                wide, kernel: kernel, stride: stride, padding: kernel / 2, groups: wide, bias: false)
            Self.norm
            ReLU()
            Convolution2D(channels, kernel: 1, bias: false)
            Self.norm
        }
        let value = try scope.apply(branch, to: input, name: "layers")
        return stride == 1 && inputs == channels ? try scope.add(value, input) : value
    }
}
