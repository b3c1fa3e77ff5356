import Foundation
import ResinGraph
import ResinTensor

extension Blueprint {
    /// B0 to B3, and the second version's S.
    static let efficientNets: [Blueprint] =
        [
            efficientNet("efficientnet_b0", width: 1, depth: 1, dropout: 0.2),
            efficientNet("efficientnet_b1", width: 1, depth: 1.1, dropout: 0.2),
            efficientNet("efficientnet_b2", width: 1.1, depth: 1.2, dropout: 0.3),
            efficientNet("efficientnet_b3", width: 1.2, depth: 1.4, dropout: 0.3),
            Blueprint(
                "efficientnet_v2_s",
                description: "Inverted residuals, the first ones fused: quicker to train",
                paper: "Tan, Le: EfficientNetV2: smaller models and faster training, ICML 2021",
                defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout, .stochasticDepth],
                variants: [.torchvision]
            ) { input, classes, options in
                .efficientNet(
                    "efficientnet_v2_s", stem: 24, stages: EfficientStage.version2S, last: 1280,
                    norm: BatchNorm(epsilon: 1e-3), input: input, classes: classes,
                    dropout: options.dropout ?? 0.2, dropped: options.stochasticDepth ?? 0.2)
            },
        ]

    private static func efficientNet(
        _ name: String, width: Double, depth: Double, dropout: Float
    ) -> Blueprint {
        Blueprint(
            name,
            description: "Inverted residuals with squeeze and excitation, width \(width), depth \(depth)",
            paper:
                "Tan, Le: EfficientNet: rethinking model scaling for convolutional neural networks, ICML 2019",
            defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout, .stochasticDepth],
            variants: [.torchvision]
        ) { input, classes, options in
            let stages = EfficientStage.version1(width: width, depth: depth)
            return .efficientNet(
                name, stem: .channels(32 * width), stages: stages, last: 4 * stages.last!.channels,
                norm: BatchNorm(), input: input, classes: classes, dropout: options.dropout ?? dropout,
                dropped: options.stochasticDepth ?? 0.2)
        }
    }
}

/// Blocks of one kind, the first of which has the stride.
private struct EfficientStage {
    var isFused = false
    var expansion, kernel, stride, channels, count: Int

    /// EfficientNet-B0's (Table 1), with so many times the channels and the blocks.
    static func version1(width: Double, depth: Double) -> [EfficientStage] {
        [
            (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
            (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
        ].map { expansion, kernel, stride, channels, count in
            EfficientStage(
                expansion: expansion, kernel: kernel, stride: stride,
                channels: .channels(Double(channels) * width),
                count: Int((Double(count) * depth).rounded(.up)))
        }
    }

    /// EfficientNetV2-S's (Table 4).
    static let version2S = [
        EfficientStage(isFused: true, expansion: 1, kernel: 3, stride: 1, channels: 24, count: 2),
        EfficientStage(isFused: true, expansion: 4, kernel: 3, stride: 2, channels: 48, count: 4),
        EfficientStage(isFused: true, expansion: 4, kernel: 3, stride: 2, channels: 64, count: 4),
        EfficientStage(expansion: 4, kernel: 3, stride: 2, channels: 128, count: 6),
        EfficientStage(expansion: 6, kernel: 3, stride: 1, channels: 160, count: 9),
        EfficientStage(expansion: 6, kernel: 3, stride: 2, channels: 256, count: 15),
    ]
}

extension Network {
    /// EfficientNet in torchvision's form, under torchvision's names. Any input fits. Residual branches are dropped with a
    /// probability that rises to `dropped` (Huang et al., ECCV 2016).
    fileprivate static func efficientNet(
        _ name: String, stem: Int, stages: [EfficientStage], last: Int, norm: BatchNorm, input: ImageShape,
        classes: Int, dropout: Float, dropped: Float
    ) -> Network {
        let total = stages.reduce(0) { $0 + $1.count }
        return Network(name, input: input, classes: classes) {
            Sequential {
                ConvolutionNormActivation(stem, kernel: 3, stride: 2, norm: norm, SiLU())
                for (index, stage) in stages.enumerated() {
                    let before = stages[..<index].reduce(0) { $0 + $1.count }
                    Sequential {
                        for block in 0..<stage.count {
                            EfficientBlock(
                                stage: stage, stride: block == 0 ? stage.stride : 1, norm: norm,
                                dropped: dropped * Float(before + block) / Float(total))
                        }
                    }
                }
                ConvolutionNormActivation(last, norm: norm, SiLU())
            }.named("features")
            GlobalAveragePool2D().named("avgpool")
            Sequential {
                Dropout(dropout)
                Dense(classes)
            }.named("classifier")
        }
    }
}

/// torchvision's `MBConv`, and `FusedMBConv` where the expansion and the depthwise convolution are one.
/// C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct EfficientBlock: Layer {
    var stage: EfficientStage
    var stride: Int
    var norm: BatchNorm
    /// Probability that an image goes without the branch.
    var dropped: Float

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let branch = stage.isFused ? fused(inputs) : separated(inputs)
        let value = try scope.apply(branch, to: input, name: "block")
        guard stride == 1, inputs == stage.channels else { return value }
        return try scope.add(
            scope.apply(StochasticDepth(dropped), to: value, name: "stochastic_depth"), input)
    }

    private func separated(_ inputs: Int) -> Sequential {
        let wide = inputs * stage.expansion
        return Sequential {
            if stage.expansion > 1 { ConvolutionNormActivation(wide, norm: norm, SiLU()) }
            ConvolutionNormActivation(
                wide, kernel: stage.kernel, stride: stride, groups: wide, norm: norm, SiLU())
            SqueezeExcitation(squeeze: max(1, inputs / 4), activation: SiLU())
            ConvolutionNormActivation(stage.channels, norm: norm, nil)
        }
    }

    private func fused(_ inputs: Int) -> Sequential {
        let wide = inputs * stage.expansion
        return Sequential {
            if stage.expansion > 1 {
                ConvolutionNormActivation(wide, kernel: stage.kernel, stride: stride, norm: norm, SiLU())
                ConvolutionNormActivation(stage.channels, norm: norm, nil)
            } else {
                ConvolutionNormActivation(
                    stage.channels, kernel: stage.kernel, stride: stride, norm: norm, SiLU())
            }
        }
    }
}
