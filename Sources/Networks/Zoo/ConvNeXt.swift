import ResinGraph
import ResinTensor

extension Blueprint {
    static let convNeXtTiny = Blueprint(
        "convnext_tiny", description: "Eighteen blocks of depthwise 7×7 convolutions, layer norm and GELU",
        paper: "Liu et al.: A ConvNet for the 2020s, CVPR 2022",
        defaultInput: ImageShape(channels: 3, side: 224), options: [.stochasticDepth],
        variants: [.torchvision]
    ) { input, classes, options in
        .convNeXtTiny(input: input, classes: classes, dropped: options.stochasticDepth ?? 0.1)
    }
}

extension Network {
    /// ConvNeXt-T (Liu et al., CVPR 2022, Table 9) in torchvision's form, under torchvision's names. Inputs from 32×32 pixels on
    /// fit. Residual branches are dropped with a probability that rises to `dropped`.
    static func convNeXtTiny(input: ImageShape, classes: Int, dropped: Float) -> Network {
        let stages = [(96, 3), (192, 3), (384, 9), (768, 3)]
        let total = stages.reduce(0) { $0 + $1.1 }
        return Network("convnext_tiny", input: input, classes: classes) {
            Sequential {
                Sequential {
                    Convolution2D(96, kernel: 4, stride: 4)
                    ConvNeXtBlock.norm
                }
                for (index, (channels, count)) in stages.enumerated() {
                    let before = stages[..<index].reduce(0) { $0 + $1.1 }
                    Sequential {
                        for block in 0..<count {
                            ConvNeXtBlock(dropped: dropped * Float(before + block) / Float(total - 1))
                        }
                    }
                    if index + 1 < stages.count {
                        Sequential {
                            ConvNeXtBlock.norm
                            Convolution2D(2 * channels, kernel: 2, stride: 2)
                        }
                    }
                }
            }.named("features")
            GlobalAveragePool2D().named("avgpool")
            Sequential {
                ConvNeXtBlock.norm
                Flatten()
                Dense(classes)
            }.named("classifier")
        }
    }
}

/// A depthwise 7×7 convolution, then a layer of four times the channels over each pixel; keeps the shape.
private struct ConvNeXtBlock: Layer {
    /// Probability that an image goes without the branch.
    var dropped: Float

    static var norm: LayerNorm { LayerNorm(epsilon: 1e-6) }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let channels = scope.shape(of: input).channels
        let branch = Sequential {
            Convolution2D(channels, kernel: 7, padding: 3, groups: channels).named("0")
            Self.norm.named("2")
            PixelDense(4 * channels).named("3")
            GELU().named("4")
            PixelDense(channels).named("5")
        }
        let value = try scope.apply(branch, to: input, name: "block")
        let scaled = try scope.apply(LayerScale(), to: value, name: "layer_scale")
        return try scope.add(
            scope.apply(StochasticDepth(dropped), to: scaled, name: "stochastic_depth"), input)
    }
}
