import ResinGraph
import ResinTensor

extension Blueprint {
    static let shuffleNetV2 = Blueprint(
        "shufflenet_v2_x1_0", description: "Sixteen units of two halves whose channels are shuffled",
        paper:
            "Ma et al.: ShuffleNet V2: practical guidelines for efficient CNN architecture design, ECCV 2018",
        defaultInput: ImageShape(channels: 3, side: 224), options: [.width], variants: [.torchvision]
    ) { input, classes, options in
        try .shuffleNetV2(width: options.width ?? 1, input: input, classes: classes)
    }
}

extension Network {
    /// ShuffleNetV2 (Ma et al., ECCV 2018, Table 5) in torchvision's form, under torchvision's names. Any input fits.
    ///
    /// - Throws: `ResinError(.usage)` for a width that the paper's table does not have.
    static func shuffleNetV2(width: Double, input: ImageShape, classes: Int) throws -> Network {
        let widths: [Double: (stages: [Int], last: Int)] = [
            0.5: ([48, 96, 192], 1024), 1: ([116, 232, 464], 1024), 1.5: ([176, 352, 704], 1024),
            2: ([244, 488, 976], 2048),
        ]
        guard let (stages, last) = widths[width] else {
            throw ResinError(
                .usage, "--width is \(width); it must be 0.5, 1, 1.5 or 2 for shufflenet_v2_x1_0")
        }
        return Network("shufflenet_v2_x1_0", input: input, classes: classes) {
            ConvolutionNormActivation(24, kernel: 3, stride: 2, ReLU()).named("conv1")
            MaxPool2D(kernel: 3, stride: 2, padding: 1).named("maxpool")
            for (index, count) in [4, 8, 4].enumerated() {
                Sequential {
                    for unit in 0..<count {
                        ShuffleUnit(channels: stages[index], stride: unit == 0 ? 2 : 1)
                    }
                }.named("stage\(index + 2)")
            }
            ConvolutionNormActivation(last, ReLU()).named("conv5")
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
