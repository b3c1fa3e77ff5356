import ResinGraph
import ResinTensor

extension Blueprint {
    static let inceptionMNIST = Blueprint(
        "inception-mnist", description: "Two convolutions, each followed by an Inception block, for 28×28",
        paper: "after Szegedy et al.: Rethinking the Inception architecture for computer vision, CVPR 2016",
        defaultInput: ImageShape(channels: 1, side: 28)
    ) { input, classes, _ in .inceptionMNIST(input: input, classes: classes) }
}

extension Network {
    /// A course's small network of two Inception blocks, under the names of its PyTorch module. Inputs from
    /// 16×16 pixels on fit.
    public static func inceptionMNIST(
        input: ImageShape = ImageShape(channels: 1, side: 28), classes: Int = 10
    ) -> Network {
        Network("inception-mnist", input: input, classes: classes) {
            for (index, channels) in [(1, 10), (2, 20)] {
                Convolution2D(channels, kernel: 5).named("conv\(index)")
                MaxPool2D(kernel: 2).named("mp\(index)")
                ReLU().named("relu\(index)")
                InceptionA().named("incep\(index)")
            }
            Flatten().named("flatten")
            Dense(classes).named("fc")
        }
    }
}

/// Four paths after Figure 5 of Szegedy et al., "Rethinking the Inception architecture for computer vision"
/// (CVPR 2016): 1×1; 1×1 and 5×5; 1×1 and two 3×3; average pooling, its padding counted, and 1×1. There is no
/// ReLU inside. C×H×W → 88×H×W.
struct InceptionA: Layer {
    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let paths = [
            Sequential { Convolution2D(16, kernel: 1).named("branch1x1") },
            Sequential {
                Convolution2D(16, kernel: 1).named("branch5x5_1")
                Convolution2D(24, kernel: 5, padding: 2).named("branch5x5_2")
            },
            Sequential {
                Convolution2D(16, kernel: 1).named("branch3x3_1")
                Convolution2D(24, kernel: 3, padding: 1).named("branch3x3_2")
                Convolution2D(24, kernel: 3, padding: 1).named("branch3x3_3")
            },
            Sequential {
                AveragePool2D(kernel: 3, stride: 1, padding: 1).named("pool")
                Convolution2D(24, kernel: 1).named("branch_pool")
            },
        ]
        // Applied in place, not as children: a path has no name in PyTorch's module.
        var outputs: [ValueID] = []
        for path in paths { outputs.append(try path.apply(to: input, in: &scope)) }
        return try scope.concatenate(outputs)
    }
}
