import ResinGraph
import ResinTensor

/// Layers side by side: each gets the same input, and the channels of what they give are put one after another.
///
///     Branches {
///         Convolution2D(64, kernel: 1)
///         Sequential {
///             MaxPool2D(kernel: 3, stride: 1, padding: 1)
///             Convolution2D(32, kernel: 1)
///         }
///     }
///
/// C×H×W → (C₁ + C₂ + …)×H′×W′: height and width after every branch have to be the same. The children are called
/// "0", "1", … unless they are `named`.
public struct Branches: Layer {
    public var branches: [any Layer]

    public init(@LayerBuilder _ branches: () -> [any Layer]) {
        self.branches = branches()
        precondition(!self.branches.isEmpty, "branches are at least one")
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var values: [ValueID] = []
        for (index, branch) in branches.enumerated() {
            values.append(try scope.apply(branch, to: input, name: "\(index)"))
        }
        return try scope.concatenate(values)
    }
}

/// Layers of which each sees the block's input and what all layers before it gave, channel after channel, and
/// adds its own channels to them: Huang et al., "Densely connected convolutional networks" (CVPR 2017), §3.
///
/// C×H×W → (C + n · growth)×H×W for n layers that each give `growth` channels and keep height and width.
public struct DenseBlock: Layer {
    public var layers: [any Layer]

    public init(@LayerBuilder _ layers: () -> [any Layer]) { self.layers = layers() }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var value = input
        for (index, layer) in layers.enumerated() {
            let added = try scope.apply(layer, to: value, name: "\(index)")
            value = try scope.concatenate([value, added])
        }
        return value
    }
}
