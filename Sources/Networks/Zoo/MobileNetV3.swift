import ResinGraph
import ResinTensor

extension Blueprint {
    static let mobileNetV3Small = mobileNetV3("mobilenet_v3_small", MobileStage.small, last: 1024)
    static let mobileNetV3Large = mobileNetV3("mobilenet_v3_large", MobileStage.large, last: 1280)

    private static func mobileNetV3(_ name: String, _ stages: [MobileStage], last: Int) -> Blueprint {
        Blueprint(
            name,
            description:
                "\(stages.count) inverted residuals found by search, with hard swish and squeeze and excitation",
            paper: "Howard et al.: Searching for MobileNetV3, ICCV 2019",
            defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout, .width],
            variants: [.torchvision]
        ) { input, classes, options in
            let width = options.width ?? 1
            return .mobileNetV3(
                name, stages.map { $0.scaled(by: width) }, first: .channels(16 * width),
                last: .channels(Double(last) * width), input: input, classes: classes,
                dropout: options.dropout ?? 0.2)
        }
    }
}

/// One block of MobileNetV3 (Tables 1 and 2).
private struct MobileStage {
    var kernel, expanded, channels: Int
    var squeezes, isHard: Bool
    var stride: Int

    init(_ kernel: Int, _ expanded: Int, _ channels: Int, squeezes: Bool, isHard: Bool, _ stride: Int) {
        (self.kernel, self.expanded, self.channels) = (kernel, expanded, channels)
        (self.squeezes, self.isHard, self.stride) = (squeezes, isHard, stride)
    }

    /// With so many times the channels.
    func scaled(by width: Double) -> MobileStage {
        var stage = self
        (stage.expanded, stage.channels) =
            (.channels(Double(expanded) * width), .channels(Double(channels) * width))
        return stage
    }

    static let large: [MobileStage] = [
        .init(3, 16, 16, squeezes: false, isHard: false, 1),
        .init(3, 64, 24, squeezes: false, isHard: false, 2),
        .init(3, 72, 24, squeezes: false, isHard: false, 1),
        .init(5, 72, 40, squeezes: true, isHard: false, 2),
        .init(5, 120, 40, squeezes: true, isHard: false, 1),
        .init(5, 120, 40, squeezes: true, isHard: false, 1),
        .init(3, 240, 80, squeezes: false, isHard: true, 2),
        .init(3, 200, 80, squeezes: false, isHard: true, 1),
        .init(3, 184, 80, squeezes: false, isHard: true, 1),
        .init(3, 184, 80, squeezes: false, isHard: true, 1),
        .init(3, 480, 112, squeezes: true, isHard: true, 1),
        .init(3, 672, 112, squeezes: true, isHard: true, 1),
        .init(5, 672, 160, squeezes: true, isHard: true, 2),
        .init(5, 960, 160, squeezes: true, isHard: true, 1),
        .init(5, 960, 160, squeezes: true, isHard: true, 1),
    ]

    static let small: [MobileStage] = [
        .init(3, 16, 16, squeezes: true, isHard: false, 2),
        .init(3, 72, 24, squeezes: false, isHard: false, 2),
        .init(3, 88, 24, squeezes: false, isHard: false, 1),
        .init(5, 96, 40, squeezes: true, isHard: true, 2),
        .init(5, 240, 40, squeezes: true, isHard: true, 1),
        .init(5, 240, 40, squeezes: true, isHard: true, 1),
        .init(5, 120, 48, squeezes: true, isHard: true, 1),
        .init(5, 144, 48, squeezes: true, isHard: true, 1),
        .init(5, 288, 96, squeezes: true, isHard: true, 2),
        .init(5, 576, 96, squeezes: true, isHard: true, 1),
        .init(5, 576, 96, squeezes: true, isHard: true, 1),
    ]
}

extension Network {
    /// MobileNetV3 (Howard et al., ICCV 2019) in torchvision's form, under torchvision's names. Any input fits.
    ///
    /// - Parameters:
    ///   - first: channels of the first convolution.
    ///   - last: features of the layer before the classifier.
    fileprivate static func mobileNetV3(
        _ name: String, _ stages: [MobileStage], first: Int, last: Int, input: ImageShape, classes: Int,
        dropout: Float
    ) -> Network {
        Network(name, input: input, classes: classes) {
            Sequential {
                ConvolutionNormActivation(first, kernel: 3, stride: 2, norm: MobileBlock.norm, HardSwish())
                for stage in stages { MobileBlock(stage: stage) }
                ConvolutionNormActivation(
                    6 * stages.last!.channels, norm: MobileBlock.norm, HardSwish())
            }.named("features")
            GlobalAveragePool2D().named("avgpool")
            Sequential {
                Dense(last)
                HardSwish()
                Dropout(dropout)
                Dense(classes)
            }.named("classifier")
        }
    }
}

/// torchvision's inverted residual of MobileNetV3. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct MobileBlock: Layer {
    var stage: MobileStage

    static var norm: BatchNorm { BatchNorm(epsilon: 1e-3, momentum: 0.01) }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let activation: any Layer = stage.isHard ? HardSwish() : ReLU()
        let branch = Sequential {
            if stage.expanded != inputs {
                ConvolutionNormActivation(stage.expanded, norm: Self.norm, activation)
            }
            ConvolutionNormActivation(
                stage.expanded, kernel: stage.kernel, stride: stage.stride, groups: stage.expanded,
                norm: Self.norm, activation)
            if stage.squeezes {
                SqueezeExcitation(squeeze: .channels(Double(stage.expanded / 4)), gate: HardSigmoid())
            }
            ConvolutionNormActivation(stage.channels, norm: Self.norm, nil)
        }
        let value = try scope.apply(branch, to: input, name: "block")
        return stage.stride == 1 && inputs == stage.channels ? try scope.add(value, input) : value
    }
}
