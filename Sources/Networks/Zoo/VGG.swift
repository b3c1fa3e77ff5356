import ResinTensor

extension Blueprint {
    static let vgg11 = vgg("vgg11", convolutions: [1, 1, 2, 2, 2])
    static let vgg16 = vgg("vgg16", convolutions: [2, 2, 3, 3, 3])

    private static func vgg(_ name: String, convolutions: [Int]) -> Blueprint {
        let layers = convolutions.reduce(3, +)
        return Blueprint(
            name,
            description: "\(layers) layers with weights: blocks of 3×3 convolutions, then three dense ones",
            paper: "Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition, "
                + "ICLR 2015",
            defaultInput: ImageShape(channels: 1, side: 224), options: [.dropout]
        ) { input, classes, options in
            .vgg(
                name, convolutions: convolutions, input: input, classes: classes,
                dropout: options.dropout ?? 0.5)
        }
    }
}

extension Network {
    /// VGG (Simonyan and Zisserman, ICLR 2015, Table 1) in the form of "Dive into deep learning", §8.2; the
    /// weights have the names they have there in PyTorch. Inputs from 32×32 pixels on fit.
    ///
    /// - Parameter convolutions: how many 3×3 convolutions each of the five blocks has: 1, 1, 2, 2, 2 for VGG-11.
    public static func vgg(
        _ name: String = "vgg", convolutions: [Int],
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10, dropout: Float = 0.5
    ) -> Network {
        Network(name, input: input, classes: classes) {
            for (count, channels) in zip(convolutions, [64, 128, 256, 512, 512]) {
                Sequential {
                    for _ in 0..<count {
                        Convolution2D(channels, kernel: 3, padding: 1)
                        ReLU()
                    }
                    MaxPool2D(kernel: 2)
                }
            }
            wideClassifier(classes, dropout)
        }
    }
}
