import ResinTensor

extension Blueprint {
    static let alexNet = Blueprint(
        "alexnet", description: "Five convolutions and three dense layers, with ReLUs and dropout",
        paper: "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural "
            + "networks, NIPS 2012",
        defaultInput: ImageShape(channels: 1, side: 224), options: [.dropout]
    ) { input, classes, options in
        .alexNet(input: input, classes: classes, dropout: options.dropout ?? 0.5)
    }
}

extension Network {
    /// AlexNet in one column, in the form of "Dive into deep learning", §8.1: the weights have the names they
    /// have there in PyTorch, and no response is normalised. Inputs from 65×65 pixels on fit.
    public static func alexNet(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10, dropout: Float = 0.5
    ) -> Network {
        Network("alexnet", input: input, classes: classes) {
            Convolution2D(96, kernel: 11, stride: 4, padding: 1)
            ReLU()
            MaxPool2D(kernel: 3, stride: 2)
            Convolution2D(256, kernel: 5, padding: 2)
            ReLU()
            MaxPool2D(kernel: 3, stride: 2)
            for channels in [384, 384, 256] {
                Convolution2D(channels, kernel: 3, padding: 1)
                ReLU()
            }
            MaxPool2D(kernel: 3, stride: 2)
            wideClassifier(classes, dropout)
        }
    }

    /// The two wide dense layers and the last one of AlexNet and VGG.
    static func wideClassifier(_ classes: Int, _ dropout: Float) -> [any Layer] {
        [
            Flatten(), Dense(4096), ReLU(), Dropout(dropout), Dense(4096), ReLU(), Dropout(dropout),
            Dense(classes),
        ]
    }
}
