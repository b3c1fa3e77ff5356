import ResinGraph
import ResinTensor

extension Blueprint {
    static let googLeNet = Blueprint(
        "googlenet", description: "Nine Inception blocks behind a stem; no auxiliary heads",
        paper: "Szegedy et al.: Going deeper with convolutions, CVPR 2015",
        defaultInput: ImageShape(channels: 1, side: 224)
    ) { input, classes, _ in .googLeNet(input: input, classes: classes) }
}

extension Network {
    /// GoogLeNet (Szegedy et al., CVPR 2015, Table 1) in the form of "Dive into deep learning", §8.4, without
    /// the auxiliary heads; the weights have the names they have there in PyTorch. Any input fits.
    public static func googLeNet(
        input: ImageShape = ImageShape(channels: 1, side: 224), classes: Int = 10
    ) -> Network {
        Network("googlenet", input: input, classes: classes) {
            Sequential {
                Convolution2D(64, kernel: 7, stride: 2, padding: 3)
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Convolution2D(64, kernel: 1)
                ReLU()
                Convolution2D(192, kernel: 3, padding: 1)
                ReLU()
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(64, (96, 128), (16, 32), 32)
                Inception(128, (128, 192), (32, 96), 64)
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(192, (96, 208), (16, 48), 64)
                Inception(160, (112, 224), (24, 64), 64)
                Inception(128, (128, 256), (24, 64), 64)
                Inception(112, (144, 288), (32, 64), 64)
                Inception(256, (160, 320), (32, 128), 128)
                MaxPool2D(kernel: 3, stride: 2, padding: 1)
            }
            Sequential {
                Inception(256, (160, 320), (32, 128), 128)
                Inception(384, (192, 384), (48, 128), 128)
                GlobalAveragePool2D()
                Flatten()
            }
            Dense(classes)
        }
    }
}
