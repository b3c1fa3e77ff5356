import ResinGraph
import ResinTensor

extension Blueprint {
    static let resNet18 = resNet("resnet18", blocks: [2, 2, 2, 2])
    static let resNet34 = resNet("resnet34", blocks: [3, 4, 6, 3])
    static let resNet50 = bottlenecked(
        "resnet50", "Residual network of 50 layers: shortcuts around bottlenecks", blocks: [3, 4, 6, 3])
    static let resNet101 = bottlenecked(
        "resnet101", "Residual network of 101 layers: shortcuts around bottlenecks", blocks: [3, 4, 23, 3])
    static let resNet152 = bottlenecked(
        "resnet152", "Residual network of 152 layers: shortcuts around bottlenecks", blocks: [3, 8, 36, 3])
    static let wideResNet50 = bottlenecked(
        "wide_resnet50_2", "ResNet-50 whose bottlenecks' 3×3 convolutions have twice the channels",
        paper: "Zagoruyko, Komodakis: Wide residual networks, BMVC 2016", blocks: [3, 4, 6, 3]
    ) { Bottleneck($0, inner: 2 * $0, stride: $1) }

    static let resNeXt50 = bottlenecked(
        "resnext50_32x4d", "ResNet-50 whose 3×3 convolutions are in 32 groups of 4 channels and more",
        paper: "Xie et al.: Aggregated residual transformations for deep neural networks, CVPR 2017",
        blocks: [3, 4, 6, 3]
    ) { Bottleneck($0, inner: 2 * $0, groups: 32, stride: $1) }

    /// - Parameter block: of so many channels and such a stride.
    static func bottlenecked(
        _ name: String, _ description: String, paper: String = residualPaper, blocks: [Int],
        block: @escaping @Sendable (_ channels: Int, _ stride: Int) -> Bottleneck = {
            Bottleneck($0, stride: $1)
        }
    ) -> Blueprint {
        Blueprint(
            name, description: description, paper: paper, defaultInput: ImageShape(channels: 3, side: 224),
            variants: [.torchvision]
        ) { input, classes, _ in
            .torchvisionResNet(name, blocks: blocks, input: input, classes: classes) { block($0, $1) }
        }
    }

    static let residualPaper =
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
                .torchvisionResNet(name, blocks: blocks, input: input, classes: classes) {
                    BasicBlock($0, stride: $1)
                }
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
    ///
    /// - Parameter block: of so many channels and such a stride.
    static func torchvisionResNet(
        _ name: String, blocks: [Int], input: ImageShape, classes: Int,
        block: (_ channels: Int, _ stride: Int) -> any Layer
    ) -> Network {
        Network(name, input: input, classes: classes) {
            Convolution2D(64, kernel: 7, stride: 2, padding: 3, bias: false).named("conv1")
            BatchNorm().named("bn1")
            ReLU().named("relu")
            MaxPool2D(kernel: 3, stride: 2, padding: 1).named("maxpool")
            for (stage, count) in blocks.enumerated() {
                Sequential {
                    for number in 0..<count { block(64 << stage, stage > 0 && number == 0 ? 2 : 1) }
                }.named("layer\(stage + 1)")
            }
            GlobalAveragePool2D().named("avgpool")
            Dense(classes).named("fc")
        }
    }
}
