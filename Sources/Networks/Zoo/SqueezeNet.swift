import ResinGraph
import ResinTensor

extension Blueprint {
    static let squeezeNet10 = squeezeNet("squeezenet1_0", "version 1.0")
    static let squeezeNet11 = squeezeNet("squeezenet1_1", "version 1.1: 2.4 times fewer multiply-adds")

    private static func squeezeNet(_ name: String, _ version: String) -> Blueprint {
        Blueprint(
            name, description: "Eight fire modules, \(version)",
            paper: "Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016",
            defaultInput: ImageShape(channels: 3, side: 224), options: [.dropout], variants: [.torchvision]
        ) { input, classes, options in
            .squeezeNet(
                name, isFirst: name == "squeezenet1_0", input: input, classes: classes,
                dropout: options.dropout ?? 0.5)
        }
    }
}

extension Network {
    /// SqueezeNet (Iandola et al., 2016, Table 1, without bypasses) in torchvision's form, under its names. Inputs from 21×21
    /// pixels (version 1.0) or 17×17 on fit.
    ///
    /// - Parameter isFirst: version 1.0; 1.1 has a smaller first filter and pools sooner.
    static func squeezeNet(
        _ name: String, isFirst: Bool, input: ImageShape, classes: Int, dropout: Float
    ) -> Network {
        // Squeezed channels of the fire modules between two poolings; each half of a module widens them by four.
        let stages =
            isFirst ? [[16, 16, 32], [32, 48, 48, 64], [64]] : [[16, 16], [32, 32], [48, 48, 64, 64]]
        return Network(name, input: input, classes: classes) {
            Sequential {
                Convolution2D(isFirst ? 96 : 64, kernel: isFirst ? 7 : 3, stride: 2)
                ReLU()
                for stage in stages {
                    MaxPool2D(kernel: 3, stride: 2, roundsUp: true)
                    for squeeze in stage { Fire(squeeze: squeeze, expand: 4 * squeeze) }
                }
            }.named("features")
            Sequential {
                Dropout(dropout)
                Convolution2D(classes, kernel: 1)
                ReLU()
                GlobalAveragePool2D()
            }.named("classifier")
        }
    }
}

/// SqueezeNet's fire module: a 1×1 convolution to few channels, then 1×1 and 3×3 ones side by side.
/// C×H×W → 2·expand×H×W.
private struct Fire: Layer {
    var squeeze, expand: Int

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let narrow = try Sequential {
            Convolution2D(squeeze, kernel: 1).named("squeeze")
            ReLU().named("squeeze_activation")
        }.apply(to: input, in: &scope)
        let halves = try [1, 3].map { kernel in
            try Sequential {
                Convolution2D(expand, kernel: kernel, padding: kernel / 2).named("expand\(kernel)x\(kernel)")
                ReLU().named("expand\(kernel)x\(kernel)_activation")
            }.apply(to: narrow, in: &scope)
        }
        return try scope.concatenate(halves)
    }
}
