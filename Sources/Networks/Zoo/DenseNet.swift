import ResinTensor

extension Blueprint {
    private static let densePaper =
        "Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks, CVPR 2017"

    static let denseNet = Blueprint(
        "densenet", description: "Four dense blocks of four layers, growth 32",
        paper: densePaper, defaultInput: ImageShape(channels: 1, side: 224)
    ) { input, classes, _ in .denseNet(input: input, classes: classes) }

    static let denseNet121 = denseNet("densenet121", blocks: [6, 12, 24, 16])
    static let denseNet161 = denseNet("densenet161", blocks: [6, 12, 36, 24], growth: 48)
    static let denseNet169 = denseNet("densenet169", blocks: [6, 12, 32, 32])
    static let denseNet201 = denseNet("densenet201", blocks: [6, 12, 48, 32])

    private static func denseNet(_ name: String, blocks: [Int], growth: Int = 32) -> Blueprint {
        // The stem's convolution, two a layer of a block, a transition's between blocks, and the classifier.
        let layers = 1 + 2 * blocks.reduce(0, +) + 3 + 1
        return Blueprint(
            name,
            description: "Densely connected network of \(layers) layers, growth \(growth), with bottlenecks",
            paper: densePaper, defaultInput: ImageShape(channels: 3, side: 224), variants: [.torchvision]
        ) { input, classes, _ in
            .torchvisionDenseNet(name, blocks: blocks, growth: growth, input: input, classes: classes)
        }
    }
}

extension Network {
    /// The small DenseNet of "Dive into deep learning", §8.7; the weights have the names they have there in
    /// PyTorch. Inputs from 29×29 pixels on fit.
    public static func denseNet(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10
    ) -> Network {
        Network("densenet", input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3)
                BatchNorm()
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            // What the transitions leave: 64 + 4 · 32 = 192, halved, and so on.
            for halved in [96, 112, 120, nil] {
                Sequential {
                    DenseBlock {
                        for _ in 0..<4 {
                            Sequential {
                                BatchNorm()
                                ReLU()
                                Convolution2D(32, kernel: 3, padding: 1)
                            }
                        }
                    }.named("net")
                }
                if let halved {
                    Sequential {
                        BatchNorm()
                        ReLU()
                        Convolution2D(halved, kernel: 1)
                        AveragePool2D(kernel: 2)
                    }
                }
            }
            BatchNorm()
            ReLU()
            GlobalAveragePool2D()
            Flatten()
            Dense(classes)
        }
    }

    /// DenseNet-121 in torchvision's form, under torchvision's names. Inputs from 29×29 pixels on fit.
    public static func denseNet121(
        input: ImageShape = ImageShape(channels: 3, side: 224), classes: Int = 10
    ) -> Network {
        torchvisionDenseNet(
            "densenet121", blocks: [6, 12, 24, 16], growth: 32, input: input, classes: classes)
    }

    /// DenseNet-BC (Huang et al., CVPR 2017, Table 1: compression ½) in torchvision's form, under torchvision's names. Inputs from
    /// 29×29 pixels on fit.
    ///
    /// - Parameter blocks: the layers of each dense block.
    static func torchvisionDenseNet(
        _ name: String, blocks: [Int], growth: Int, input: ImageShape, classes: Int
    ) -> Network {
        // Channels behind the transition after each block but the last.
        var halved: [Int] = []
        for count in blocks.dropLast() { halved.append(((halved.last ?? 2 * growth) + count * growth) / 2) }
        return Network(name, input: input, classes: classes) {
            Sequential {
                Convolution2D(2 * growth, kernel: 7, stride: 2, padding: 3, bias: false).named("conv0")
                BatchNorm().named("norm0")
                ReLU().named("relu0")
                MaxPool2D(kernel: 3, stride: 2, padding: 1).named("pool0")
                for (index, count) in blocks.enumerated() {
                    DenseBlock {
                        for layer in 1...count { denseLayer(growth).named("denselayer\(layer)") }
                    }.named("denseblock\(index + 1)")
                    if index < halved.count { transition(halved[index]).named("transition\(index + 1)") }
                }
                BatchNorm().named("norm5")
            }.named("features")
            ReLU().named("relu")
            GlobalAveragePool2D().named("avgpool")
            Dense(classes).named("classifier")
        }
    }

    /// A 1×1 convolution to four times the growth, then a 3×3, each behind batch norm and ReLU.
    private static func denseLayer(_ growth: Int) -> Sequential {
        Sequential {
            BatchNorm().named("norm1")
            ReLU().named("relu1")
            Convolution2D(4 * growth, kernel: 1, bias: false).named("conv1")
            BatchNorm().named("norm2")
            ReLU().named("relu2")
            Convolution2D(growth, kernel: 3, padding: 1, bias: false).named("conv2")
        }
    }

    private static func transition(_ channels: Int) -> Sequential {
        Sequential {
            BatchNorm().named("norm")
            ReLU().named("relu")
            Convolution2D(channels, kernel: 1, bias: false).named("conv")
            AveragePool2D(kernel: 2).named("pool")
        }
    }
}
