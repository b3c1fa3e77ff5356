import ResinGraph
import ResinTensor

extension Blueprint {
    static let googLeNet = Blueprint(
        "googlenet", description: "Nine Inception blocks behind a stem; no auxiliary heads",
        paper: "Szegedy et al.: Going deeper with convolutions, CVPR 2015",
        defaultInput: ImageShape(channels: 1, side: 224), options: [.dropout],
        variants: [.book, .torchvision]
    ) { input, classes, options in
        switch options.variant ?? .book {
        case .book:
            guard options.dropout == nil else {
                throw ResinError(
                    .usage,
                    "the book's googlenet has no dropout; leave out --dropout, or use --variant torchvision")
            }
            return .googLeNet(input: input, classes: classes)
        case .torchvision:
            return .torchvisionGoogLeNet(input: input, classes: classes, dropout: options.dropout ?? 0.2)
        }
    }
}

extension Network {
    /// GoogLeNet (Szegedy et al., CVPR 2015, Table 1) in the form of "Dive into deep learning", §8.4, without
    /// the auxiliary heads; the weights have the names they have there in PyTorch. Any input fits.
    public static func googLeNet(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10
    ) -> Network {
        Network("googlenet", input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3)
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Convolution2D(64, kernel: 1)
                ReLU()
                Convolution2D(192, kernel: 3, padding: 1)
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(64, (96, 128), (16, 32), 32)
                Inception(128, (128, 192), (32, 96), 64)
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(192, (96, 208), (16, 48), 64)
                Inception(160, (112, 224), (24, 64), 64)
                Inception(128, (128, 256), (24, 64), 64)
                Inception(112, (144, 288), (32, 64), 64)
                Inception(256, (160, 320), (32, 128), 128)
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(256, (160, 320), (32, 128), 128)
                Inception(384, (192, 384), (48, 128), 128)
                GlobalAveragePool2D()
                Flatten()
            }
            Dense(classes)
        }
    }

    /// torchvision's GoogLeNet without its auxiliary heads, under torchvision's names: batch norm behind every
    /// convolution, 3×3 where the paper has 5×5, and poolings whose sizes are rounded up. Inputs from 15×15 pixels on
    /// fit. Its published weights are for images normalised with mean 0.5 and deviation 0.5.
    static func torchvisionGoogLeNet(input: ImageShape, classes: Int, dropout: Float) -> Network {
        func pool(_ kernel: Int) -> MaxPool2D { MaxPool2D(kernel: kernel, stride: 2, roundsUp: true) }
        typealias Block = NormalisedInception
        return Network("googlenet", input: input, classes: classes) {
            NormalisedConvolution(64, kernel: 7, stride: 2).named("conv1")
            pool(3).named("maxpool1")
            NormalisedConvolution(64, kernel: 1).named("conv2")
            NormalisedConvolution(192, kernel: 3).named("conv3")
            pool(3).named("maxpool2")
            Block(64, (96, 128), (16, 32), 32).named("inception3a")
            Block(128, (128, 192), (32, 96), 64).named("inception3b")
            pool(3).named("maxpool3")
            Block(192, (96, 208), (16, 48), 64).named("inception4a")
            Block(160, (112, 224), (24, 64), 64).named("inception4b")
            Block(128, (128, 256), (24, 64), 64).named("inception4c")
            Block(112, (144, 288), (32, 64), 64).named("inception4d")
            Block(256, (160, 320), (32, 128), 128).named("inception4e")
            pool(2).named("maxpool4")
            Block(256, (160, 320), (32, 128), 128).named("inception5a")
            Block(384, (192, 384), (48, 128), 128).named("inception5b")
            GlobalAveragePool2D().named("avgpool")
            Dropout(dropout).named("dropout")
            Dense(classes).named("fc")
        }
    }
}

/// torchvision's Inception block; its parameters are those of `Inception`.
/// C×H×W → (first + second.1 + third.1 + fourth)×H×W.
private struct NormalisedInception: Layer {
    var branches: Branches

    init(_ first: Int, _ second: (Int, Int), _ third: (Int, Int), _ fourth: Int) {
        branches = Branches {
            NormalisedConvolution(first, kernel: 1).named("branch1")
            for (name, (narrow, wide)) in [("branch2", second), ("branch3", third)] {
                Sequential {
                    NormalisedConvolution(narrow, kernel: 1)
                    NormalisedConvolution(wide, kernel: 3)
                }.named(name)
            }
            Sequential {
                MaxPool2D(kernel: 3, stride: 1, padding: 1)
                NormalisedConvolution(fourth, kernel: 1)
            }.named("branch4")
        }
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try branches.apply(to: input, in: &scope)
    }
}
