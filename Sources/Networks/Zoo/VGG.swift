import ResinGraph
import ResinTensor

extension Blueprint {
    /// VGG-11 to VGG-19, and torchvision's forms with batch norm.
    static let vggs: [Blueprint] = [
        ("vgg11", [1, 1, 2, 2, 2]), ("vgg13", [2, 2, 2, 2, 2]), ("vgg16", [2, 2, 3, 3, 3]),
        ("vgg19", [2, 2, 4, 4, 4]),
    ].flatMap { (name: String, convolutions: [Int]) in
        [vgg(name, convolutions: convolutions), normalisedVGG(name + "_bn", convolutions: convolutions)]
    }

    private static let vggPaper =
        "Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition, ICLR 2015"

    private static func normalisedVGG(_ name: String, convolutions: [Int]) -> Blueprint {
        let layers = convolutions.reduce(3, +)
        return Blueprint(
            name, description: "\(layers) layers with weights, batch norm behind each convolution",
            paper: vggPaper, defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout],
            variants: [.torchvision]
        ) { input, classes, options in
            .torchvisionVGG(
                name, convolutions: convolutions, isNormalised: true, input: input, classes: classes,
                dropout: options.dropout ?? 0.5)
        }
    }

    private static func vgg(_ name: String, convolutions: [Int]) -> Blueprint {
        let layers = convolutions.reduce(3, +)
        return Blueprint(
            name,
            description: "\(layers) layers with weights: blocks of 3×3 convolutions, then three dense ones",
            paper: vggPaper,
            defaultInput: ImageShape(channels: 1, side: 224), options: [.dropout],
            variants: [.book, .torchvision]
        ) { input, classes, options in
            let dropout = options.dropout ?? 0.5
            return switch options.variant ?? .book {
            case .book:
                .vgg(
                    name, convolutions: convolutions, input: input, classes: classes, dropout: dropout)
            case .torchvision:
                .torchvisionVGG(
                    name, convolutions: convolutions, input: input, classes: classes, dropout: dropout)
            }
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
            for block in blocks(convolutions) { Sequential(block) }
            Flatten()
            wideClassifier(classes, dropout)
        }
    }

    /// torchvision's form: the same layers under torchvision's names. Inputs of 32 pixels and more fit: what is left of
    /// them is averaged to 7×7.
    ///
    /// - Parameter isNormalised: whether a batch norm follows each convolution.
    static func torchvisionVGG(
        _ name: String, convolutions: [Int], isNormalised: Bool = false, input: ImageShape, classes: Int,
        dropout: Float
    ) -> Network {
        Network(name, input: input, classes: classes) {
            Sequential(blocks(convolutions, isNormalised: isNormalised).flatMap { $0 }).named("features")
            AdaptiveAveragePool2D(Extent(7)).named("avgpool")
            Flatten().named("flatten")
            Sequential(wideClassifier(classes, dropout)).named("classifier")
        }
    }

    private static func blocks(_ convolutions: [Int], isNormalised: Bool = false) -> [[any Layer]] {
        zip(convolutions, [64, 128, 256, 512, 512]).map { count, channels in
            (0..<count).flatMap { _ -> [any Layer] in
                [Convolution2D(channels, kernel: 3, padding: 1)] + (isNormalised ? [BatchNorm()] : []) + [
                    ReLU()
                ]
            } + [MaxPool2D(kernel: 2)]
        }
    }
}
