import ResinTensor

extension Blueprint {
    private static let densePaper =
        "Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks, CVPR 2017"

    static let denseNet = Blueprint(
        "densenet", description: "Four dense blocks of four layers, growth 32",
        paper: densePaper, defaultInput: ImageShape(channels: 1, side: 224)
    ) { input, classes, _ in .denseNet(input: input, classes: classes) }

    static let denseNet121 = Blueprint(
        "densenet121", description: "Densely connected network of 121 layers, growth 32, with bottlenecks",
        paper: densePaper, defaultInput: ImageShape(channels: 3, side: 224), variants: [.torchvision]
    ) { input, classes, _ in .denseNet121(input: input, classes: classes) }
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

    /// DenseNet-121 (Huang et al., CVPR 2017, Table 1: DenseNet-BC with growth 32 and compression ½) in
    /// torchvision's form, under torchvision's names. Inputs from 29×29 pixels on fit.
    public static func denseNet121(
        input: ImageShape = ImageShape(channels: 3, side: 224), classes: Int = 10
    ) -> Network {
        let growth = 32
        return Network("densenet121", input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3, bias: false).named("conv0")
                BatchNorm().named("norm0")
                ReLU().named("relu0")
                MaxPool2D(kernel: 3, stride: 2, padding: 1).named("pool0")
                // Layers of a block, and the channels after the transition behind it.
                for (index, (count, halved)) in [(6, 128), (12, 256), (24, 512), (16, nil)].enumerated() {
                    DenseBlock {
                        for layer in 1...count { denseLayer(growth).named("denselayer\(layer)") }
                    }.named("denseblock\(index + 1)")
                    if let halved { transition(halved).named("transition\(index + 1)") }
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
