import ResinGraph

/// A layer that has a name of its own where its parent would have counted: how `Sequential` gives its children
/// the names of a PyTorch module's members.
public struct Named: Layer {
    public var name: String
    public var layer: any Layer

    /// `NetworkScope.apply` takes the name; this is only for a layer that is applied without its help.
    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try layer.apply(to: input, in: &scope)
    }
}

extension Layer {
    /// The layer under this name, one component of its dotted name, instead of its index:
    /// `Convolution2D(64, kernel: 3).named("conv1")` has the weights `conv1.weight`.
    public func named(_ name: String) -> Named {
        precondition(!name.isEmpty && !name.contains("."), "a layer's name is one component, not '\(name)'")
        return Named(name: name, layer: self)
    }
}
