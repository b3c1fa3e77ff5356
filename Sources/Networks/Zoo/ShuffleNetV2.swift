import ResinGraph
import ResinTensor

extension Blueprint {
    static let shuffleNetV2 = Blueprint(
        "shufflenet_v2_x1_0", description: "Sixteen units of two halves whose channels are shuffled",
        paper:
            "Ma et al.: ShuffleNet V2: practical guidelines for efficient CNN architecture design, ECCV 2018",
        defaultInput: ImageShape(channels: 3, side: 224), variants: [.torchvision]
    ) { input, classes, _ in .shuffleNetV2(input: input, classes: classes) }
}

extension Network {
    /// ShuffleNetV2 1× (Ma et al., ECCV 2018, Table 5) in torchvision's form, under torchvision's names. Any input fits.
    static func shuffleNetV2(input: ImageShape, classes: Int) -> Network {
        Network("shufflenet_v2_x1_0", input: input, classes: classes) {
            ConvolutionNormActivation(24, kernel: 3, stride: 2, ReLU()).named("conv1")
            MaxPool2D(kernel: 3, stride: 2, padding: 1).named("maxpool")
            for (name, count, channels) in [("stage2", 4, 116), ("stage3", 8, 232), ("stage4", 4, 464)] {
                Sequential {
                    for unit in 0..<count { ShuffleUnit(channels: channels, stride: unit == 0 ? 2 : 1) }
                }.named(name)
            }
            ConvolutionNormActivation(1024, ReLU()).named("conv5")
            GlobalAveragePool2D().named("avgpool")
            Dense(classes).named("fc")
        }
    }
}

/// Half of the channels as they are and half convolved, or at stride 2 all of them convolved in two ways; then shuffled.
/// C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct ShuffleUnit: Layer {
    var channels, stride: Int

    private func depthwise(_ channels: Int) -> Convolution2D {
        Convolution2D(channels, kernel: 3, stride: stride, padding: 1, groups: channels, bias: false)
    }

    /// Of so many channels to half of the unit's.
    private func branch2(of inputs: Int) -> Sequential {
        let half = channels / 2
        return Sequential {
            Convolution2D(half, kernel: 1, bias: false)
            BatchNorm()
            ReLU()
            depthwise(half)
            BatchNorm()
            Convolution2D(half, kernel: 1, bias: false)
            BatchNorm()
            ReLU()
        }
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let parts: any Layer =
            if stride == 1 {
                Split([inputs / 2, inputs / 2]) {
                    Identity().named("branch1")
                    branch2(of: inputs / 2).named("branch2")
                }
            } else {
                Branches {
                    Sequential {
                        depthwise(inputs)
                        BatchNorm()
                        Convolution2D(channels / 2, kernel: 1, bias: false)
                        BatchNorm()
                        ReLU()
                    }.named("branch1")
                    branch2(of: inputs).named("branch2")
                }
            }
        // In place: the branches are the unit's own children.
        let joined = try parts.apply(to: input, in: &scope)
        return try scope.apply(ChannelShuffle(groups: 2), to: joined, name: "shuffle")
    }
}
