import ResinGraph
import ResinTensor

extension Blueprint {
    static let nin = Blueprint(
        "nin", description: "Network in network: 1×1 convolutions and a global average for a classifier",
        paper: "Lin, Chen, Yan: Network in network, ICLR 2014",
        defaultInput: ImageShape(channels: 1, side: 224),
        options: [.dropout, .finalReLU, .ones, .thirdWidth, .head]
    ) { input, classes, options in
        Network.nin(
            input: input, classes: classes, dropout: options.dropout ?? 0.5,
            hasFinalReLU: options.hasFinalReLU, ones: options.ones ?? 2,
            thirdWidth: options.thirdWidth ?? 384, head: options.head ?? .average)
    }
}

extension Network {
    /// Network in network (Lin et al., ICLR 2014) with the channels of "Dive into deep learning", §8.3; the
    /// weights have the names they have there in PyTorch. Inputs from 67×67 pixels on fit.
    ///
    /// - Parameters:
    ///   - hasFinalReLU: false leaves out the ReLU before the global pooling, behind which a class can die; the
    ///     weights keep their names.
    ///   - ones: number of 1×1 convolutions in a block.
    ///   - thirdWidth: channels of the third block.
    ///   - head: how each class's channel becomes one number.
    public static func nin(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10, dropout: Float = 0.5,
        hasFinalReLU: Bool = true, ones: Int = 2, thirdWidth: Int = 384,
        head: NetworkOptions.Head = .average
    ) -> Network {
        Network("nin", input: input, classes: classes) {
            ninBlock(96, kernel: 11, stride: 4, ones: ones)
            MaxPool2D(kernel: 3, stride: 2)
            ninBlock(256, kernel: 5, padding: 2, ones: ones)
            MaxPool2D(kernel: 3, stride: 2)
            ninBlock(thirdWidth, kernel: 3, padding: 1, ones: ones)
            MaxPool2D(kernel: 3, stride: 2)
            Dropout(dropout)
            ninBlock(classes, kernel: 3, padding: 1, ones: ones, hasFinalReLU: hasFinalReLU)
            switch head {
            case .average: GlobalAveragePool2D()
            case .max: GlobalMaxPool2D()
            }
        }
    }

    /// A convolution and a small perceptron at every pixel: 1×1 convolutions, two in the paper (§3.1).
    private static func ninBlock(
        _ channels: Int, kernel: Int, stride: Int = 1, padding: Int = 0, ones: Int, hasFinalReLU: Bool = true
    ) -> Sequential {
        Sequential {
            Convolution2D(channels, kernel: kernel, stride: stride, padding: padding)
            for _ in 0..<ones {
                ReLU()
                Convolution2D(channels, kernel: 1)
            }
            if hasFinalReLU { ReLU() }
        }
    }
}
