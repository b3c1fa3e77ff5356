import ResinGraph
import ResinTensor

extension Blueprint {
    static let resNet18 = Blueprint(
        "resnet18", description: "Residual network of 18 layers: shortcuts around pairs of convolutions",
        paper: "He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016",
        defaultInput: ImageShape(channels: 1, side: 224)
    ) { input, classes, options in
        guard options.dropout == nil else {
            throw ResinError(.usage, "resnet18 has no dropout layer whose probability could be set")
        }
        guard options.hasFinalReLU else {
            throw ResinError(.usage, "leaving out the final ReLU is for nin; resnet18 ends in a dense layer")
        }
        return Network.resNet18(input: input, classes: classes)
    }
}

extension Network {
    /// ResNet-18 (He et al., CVPR 2016, Table 1) as in "Dive into deep learning", §8.6: the convolutions
    /// have biases, and the weights the names they have there in PyTorch. Any input fits.
    public static func resNet18(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10
    ) -> Network {
        Network("resnet18", input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3)
                BatchNorm()
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Residual(64)
                Residual(64)
            }
            for channels in [128, 256, 512] {
                Sequential {
                    Residual(channels, stride: 2, usesProjection: true)
                    Residual(channels)
                }
            }
            GlobalAveragePool2D()
            Flatten()
            Dense(classes)
        }
    }
}
