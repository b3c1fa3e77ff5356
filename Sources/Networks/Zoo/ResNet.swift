import ResinGraph
import ResinTensor

extension Blueprint {
    static let resNet18 = resNet("resnet18", blocks: [2, 2, 2, 2])
    static let resNet34 = resNet("resnet34", blocks: [3, 4, 6, 3])
    static let resNet50 = Blueprint(
        "resnet50", description: "Residual network of 50 layers: shortcuts around bottlenecks",
        paper: residualPaper, defaultInput: ImageShape(channels: 3, side: 224), variants: [.torchvision]
    ) { input, classes, _ in
        .torchvisionResNet(
            "resnet50", blocks: [3, 4, 6, 3], bottlenecks: true, input: input, classes: classes)
    }

    private static let residualPaper =
        "He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016"

    private static func resNet(_ name: String, blocks: [Int]) -> Blueprint {
        let layers = 2 * blocks.reduce(1, +)
        return Blueprint(
            name, description: "Residual network of \(layers) layers: shortcuts around pairs of convolutions",
            paper: residualPaper, defaultInput: ImageShape(channels: 1, side: 224),
            variants: [.book, .torchvision]
        ) { input, classes, options in
            switch options.variant ?? .book {
            case .book: .bookResNet(name, blocks: blocks, input: input, classes: classes)
            case .torchvision:
                .torchvisionResNet(name, blocks: blocks, bottlenecks: false, input: input, classes: classes)
            }
        }
    }
}

extension Network {
    /// ResNet-18 (He et al., CVPR 2016, Table 1) as in "Dive into deep learning", §8.6: the convolutions
    /// have biases, and the weights the names they have there in PyTorch. Any input fits.
    public static func resNet18(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10
    ) -> Network {
        bookResNet("resnet18", blocks: [2, 2, 2, 2], input: input, classes: classes)
    }

    /// The book's form with any number of blocks a stage.
    static func bookResNet(_ name: String, blocks: [Int], input: ImageShape, classes: Int) -> Network {
        Network(name, input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3)
                BatchNorm()
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            for (stage, count) in blocks.enumerated() {
                Sequential {
                    for block in 0..<count {
                        let narrows = stage > 0 && block == 0
                        Residual(64 << stage, stride: narrows ? 2 : 1, usesProjection: narrows)
                    }
                }
            }
            GlobalAveragePool2D()
            Flatten()
            Dense(classes)
        }
    }

    /// torchvision's form: no biases, batch norm on the shortcuts' convolutions, torchvision's names. Any input
    /// fits.
    static func torchvisionResNet(
        _ name: String, blocks: [Int], bottlenecks: Bool, input: ImageShape, classes: Int
    ) -> Network {
        Network(name, input: input, classes: classes) {
            Convolution2D(64, kernel: 7, stride: 2, padding: 3, bias: false).named("conv1")
            BatchNorm().named("bn1")
            ReLU().named("relu")
            MaxPool2D(kernel: 3, stride: 2, padding: 1).named("maxpool")
            for (stage, count) in blocks.enumerated() {
                Sequential {
                    for block in 0..<count {
                        let stride = stage > 0 && block == 0 ? 2 : 1
                        if bottlenecks {
                            Bottleneck(64 << stage, stride: stride)
                        } else {
                            BasicBlock(64 << stage, stride: stride)
                        }
                    }
                }.named("layer\(stage + 1)")
            }
            GlobalAveragePool2D().named("avgpool")
            Dense(classes).named("fc")
        }
    }
}
