import ResinGraph
import ResinTensor

extension Blueprint {
    static let residualMNIST = Blueprint(
        "residual-mnist", description: "Two convolutions, each followed by a residual block, for 28×28",
        paper: "after He, Zhang, Ren, Sun: Identity mappings in deep residual networks, ECCV 2016",
        defaultInput: ImageShape(channels: 1, side: 28), options: [.shortcut]
    ) { input, classes, options in
        .residualMNIST(input: input, classes: classes, shortcut: options.shortcut ?? .identity)
    }
}

extension Network {
    /// A course's small network of two residual blocks without batch norm, under the names of its PyTorch
    /// module. Inputs from 16×16 pixels on fit.
    public static func residualMNIST(
        input: ImageShape = ImageShape(channels: 1, side: 28), classes: Int = 10,
        shortcut: NetworkOptions.Shortcut = .identity
    ) -> Network {
        Network("residual-mnist", input: input, classes: classes) {
            for (index, channels) in [(1, 16), (2, 32)] {
                Convolution2D(channels, kernel: 5).named("conv\(index)")
                ReLU().named("relu\(index)")
                MaxPool2D(kernel: 2).named("mp\(index)")
                PlainResidual(shortcut).named("rblock\(index)")
            }
            Flatten().named("flatten")
            Dense(classes).named("fc")
        }
    }
}

/// relu(x + F(x)) with F two 3×3 convolutions and a ReLU between, or another shortcut; keeps the shape.
struct PlainResidual: Layer {
    var shortcut: NetworkOptions.Shortcut

    init(_ shortcut: NetworkOptions.Shortcut) { self.shortcut = shortcut }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let channels = scope.shape(of: input).channels
        let residual = try Sequential {
            Convolution2D(channels, kernel: 3, padding: 1).named("conv1")
            ReLU().named("relu1")
            Convolution2D(channels, kernel: 3, padding: 1).named("conv2")
        }.apply(to: input, in: &scope)
        var value: ValueID
        switch shortcut {
        case .identity: value = try scope.add(input, residual)
        case .constantScaling:
            value = try scope.add(input, residual)
            value = try scope.apply(Scale(by: 0.5), to: value, name: "scale")
        case .convolution:
            let projected = try scope.apply(Convolution2D(channels, kernel: 1), to: input, name: "conv3")
            value = try scope.add(projected, residual)
        }
        return try scope.apply(ReLU(), to: value, name: "relu2")
    }
}
