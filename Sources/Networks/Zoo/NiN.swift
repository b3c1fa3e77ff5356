import ResinGraph
import ResinTensor

extension Blueprint {
    static let nin = Blueprint(
        "nin", description: "Network in network: 1×1 convolutions and a global average for a classifier",
        paper: "Lin, Chen, Yan: Network in network, ICLR 2014",
        defaultInput: ImageShape(channels: 1, side: 224)
    ) { input, classes, options in
        Network.nin(
            input: input, classes: classes, dropout: options.dropout ?? 0.5,
            hasFinalReLU: options.hasFinalReLU)
    }
}

extension Network {
    /// Network in network (Lin et al., ICLR 2014) with the channels of "Dive into deep learning", §8.3; the
    /// weights have the names they have there in PyTorch. Inputs from 67×67 pixels on fit.
    ///
    /// - Parameter hasFinalReLU: false leaves out the ReLU before the global average, behind which a class
    ///   can die; the weights keep their names.
    public static func nin(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10, dropout: Float = 0.5,
        hasFinalReLU: Bool = true
    ) -> Network {
        Network("nin", input: input, classes: classes) {
            ninBlock(96, kernel: 11, stride: 4)
            MaxPool2D(kernel: 3, stride: 2)
            ninBlock(256, kernel: 5, padding: 2)
            MaxPool2D(kernel: 3, stride: 2)
            ninBlock(384, kernel: 3, padding: 1)
            MaxPool2D(kernel: 3, stride: 2)
            Dropout(dropout)
            ninBlock(classes, kernel: 3, padding: 1, hasFinalReLU: hasFinalReLU)
            GlobalAveragePool2D()
        }
    }

    /// A convolution and a small perceptron at every pixel: two 1×1 convolutions (§3.1).
    private static func ninBlock(
        _ channels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, hasFinalReLU: Bool = true
    ) -> Sequential {
        Sequential {
            Convolution2D(channels, kernel: kernel, stride: stride, padding: padding)
            ReLU()
            Convolution2D(channels, kernel: 1)
            ReLU()
            Convolution2D(channels, kernel: 1)
            if hasFinalReLU { ReLU() }
        }
    }
}
