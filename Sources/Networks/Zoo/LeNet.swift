import ResinTensor

extension Blueprint {
    static let leNet = Blueprint(
        "lenet", description: "Two convolutions with sigmoids and average pooling, then three dense layers",
        paper: "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, "
            + "Proc. IEEE 1998",
        defaultInput: ImageShape(channels: 1, side: 28)
    ) { input, classes, _ in .leNet(input: input, classes: classes) }
}

extension Network {
    /// LeNet-5 in the form of "Dive into deep learning", §7.6; the weights have the names they have there in
    /// PyTorch. Inputs from 12×12 pixels on fit.
    public static func leNet(
        input: ImageShape = ImageShape(channels: 1, side: 28), classes: Int = 10
    ) -> Network {
        Network("lenet", input: input, classes: classes) {
            Convolution2D(6, kernel: 5, padding: 2)
            Sigmoid()
            AveragePool2D(kernel: 2)
            Convolution2D(16, kernel: 5)
            Sigmoid()
            AveragePool2D(kernel: 2)
            Flatten()
            Dense(120)
            Sigmoid()
            Dense(84)
            Sigmoid()
            Dense(classes)
        }
    }
}
