import ResinGraph
import ResinTensor

extension Blueprint {
    static let regNets: [Blueprint] = [
        regNet(
            "regnet_y_400mf", widths: [48, 104, 208, 440], depths: [1, 3, 6, 6], group: 8, squeezes: true),
        regNet("regnet_x_400mf", widths: [32, 64, 160, 400], depths: [1, 2, 7, 12], group: 16),
        regNet(
            "regnet_y_1_6gf", widths: [48, 120, 336, 888], depths: [2, 6, 17, 2], group: 24, squeezes: true),
    ]

    private static func regNet(
        _ name: String, widths: [Int], depths: [Int], group: Int, squeezes: Bool = false
    ) -> Blueprint {
        Blueprint(
            name,
            description:
                "Four stages of bottlenecks in groups of \(group) channels\(squeezes ? ", squeeze and excitation" : "")",
            paper: "Radosavovic et al.: Designing network design spaces, CVPR 2020",
            defaultInput: ImageShape(channels: 3, side: 224), variants: [.torchvision]
        ) { input, classes, _ in
            .regNet(
                name, widths: widths, depths: depths, group: group, squeezes: squeezes, input: input,
                classes: classes)
        }
    }
}

extension Network {
    /// RegNet (Radosavovic et al., CVPR 2020) in torchvision's form, under torchvision's names. Any input fits.
    ///
    /// - Parameters:
    ///   - widths: channels of each stage.
    ///   - depths: blocks of each stage.
    ///   - group: channels of a group; an image's last stage has a whole number of them.
    static func regNet(
        _ name: String, widths: [Int], depths: [Int], group: Int, squeezes: Bool, input: ImageShape,
        classes: Int
    ) -> Network {
        Network(name, input: input, classes: classes) {
            ConvolutionNormActivation(32, kernel: 3, stride: 2, ReLU()).named("stem")
            Sequential {
                for (stage, (width, depth)) in zip(widths, depths).enumerated() {
                    Sequential {
                        for block in 0..<depth {
                            RegBlock(
                                channels: width, groups: width / group, stride: block == 0 ? 2 : 1,
                                squeezes: squeezes
                            ).named("block\(stage + 1)-\(block)")
                        }
                    }.named("block\(stage + 1)")
                }
            }.named("trunk_output")
            GlobalAveragePool2D().named("avgpool")
            Dense(classes).named("fc")
        }
    }
}

/// relu(shortcut + f): 1×1, 3×3 in groups, squeeze and excitation if any, 1×1. C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
private struct RegBlock: Layer {
    var channels, groups, stride: Int
    var squeezes: Bool

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = scope.shape(of: input).channels
        let branch = Sequential {
            ConvolutionNormActivation(channels, ReLU()).named("a")
            ConvolutionNormActivation(channels, kernel: 3, stride: stride, groups: groups, ReLU()).named("b")
            // A quarter of the block's inputs, rounded to even as Python does.
            if squeezes {
                SqueezeExcitation(squeeze: Int((0.25 * Double(inputs)).rounded(.toNearestOrEven))).named("se")
            }
            ConvolutionNormActivation(channels, nil).named("c")
        }
        let isChanged = inputs != channels || stride != 1
        let shortcut =
            isChanged
            ? try scope.apply(
                ConvolutionNormActivation(channels, stride: stride, nil), to: input, name: "proj") : input
        let sum = try scope.add(scope.apply(branch, to: input, name: "f"), shortcut)
        return try scope.apply(ReLU(), to: sum, name: "activation")
    }
}
