import ResinGraph
import ResinTensor

/// A piece of a network: it says which operators stand between its input and its output, and which
/// parameters they have.
///
/// A layer is a description without weights, so the same value used twice makes two layers with weights of
/// their own. A layer of one's own is composed of others, each with the name that its weights have in a
/// file:
///
///     struct Bottleneck: Layer {
///         var channels: Int
///
///         func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
///             let narrow = try scope.apply(Convolution2D(channels, kernel: 1), to: input, name: "conv1")
///             return try scope.apply(ReLU(), to: narrow, name: "relu")
///         }
///     }
public protocol Layer: Sendable {
    /// Adds the layer's parameters and operators behind `input` and returns the layer's output.
    ///
    /// - Throws: `ResinError(.usage)` that names the layer when the input does not fit it.
    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID
}

/// Layers one after another. As in PyTorch, the children are called "0", "1", …, those without parameters
/// included: the weights of `Sequential { Sequential { Convolution2D(8, kernel: 3); ReLU() } }` are
/// `0.0.weight` and `0.0.bias`.
public struct Sequential: Layer {
    public var layers: [any Layer]

    public init(_ layers: [any Layer]) { self.layers = layers }

    public init(@LayerBuilder _ layers: () -> [any Layer]) { self.layers = layers() }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var value = input
        for (index, layer) in layers.enumerated() {
            value = try scope.apply(layer, to: value, name: "\(index)")
        }
        return value
    }
}

/// Lists layers, with `if`, `switch`, `for` and whole arrays among them. A layer that a condition leaves out
/// takes no index.
@resultBuilder
public enum LayerBuilder {
    public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
    public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
    public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
    public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
    public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
    public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
    public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap { $0 } }
    public static func buildLimitedAvailability(_ part: [any Layer]) -> [any Layer] { part }
}
