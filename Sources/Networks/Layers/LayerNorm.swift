import ResinGraph
import ResinTensor

/// Layer normalisation over each pixel's channels (Ba, Kiros and Hinton, "Layer normalization", 2016): torchvision's
/// `LayerNorm2d` on images, PyTorch's `LayerNorm(C)` on features; keeps the shape.
///
/// Parameters: `weight` (scale) and `bias` (shift) `[C]`.
public struct LayerNorm: Layer {
    public var epsilon: Float

    public init(epsilon: Float = 1e-5) { self.epsilon = epsilon }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = [input] + (try scope.normParameters(of: input, for: "layer norm"))
        return try scope.apply(.layerNorm(Op.LayerNorm(epsilon: epsilon)), to: inputs)[0]
    }
}

/// exp(x) / Σ exp(x) over each pixel's channels, or the features; keeps the shape. A network's last layer gives logits: it
/// needs none.
public struct Softmax: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.softmax, to: [input])[0]
    }
}

/// Group normalisation (Wu and He, "Group normalization", ECCV 2018): each image's channels are of `groups` groups, each
/// normalised over its channels and all pixels; PyTorch's `GroupNorm`. Keeps the shape; the channels are a multiple of the
/// groups.
///
/// Parameters: `weight` (scale) and `bias` (shift) `[C]`.
public struct GroupNorm: Layer {
    public var groups: Int
    public var epsilon: Float

    public init(groups: Int, epsilon: Float = 1e-5) {
        precondition(groups > 0, "channels are of at least one group")
        self.groups = groups
        self.epsilon = epsilon
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let inputs = [input] + (try scope.normParameters(of: input, for: "group norm"))
        return try scope.apply(.groupNorm(Op.GroupNorm(groups: groups, epsilon: epsilon)), to: inputs)[0]
    }
}

/// Each value by what its neighbours among the channels are (Krizhevsky, Sutskever and Hinton, "ImageNet classification
/// with deep convolutional neural networks", NIPS 2012, §3.3), PyTorch's `LocalResponseNorm`:
///
///     y[c] = x[c] / (k + alpha · mean of x² over size channels around c)^beta
///
/// Keeps the shape.
public struct LocalResponseNorm: Layer {
    public var size: Int
    public var alpha, beta, k: Float

    /// - Parameter k: above zero.
    public init(size: Int, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1) {
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "local response norm", "normalise")
        let op = Op.LocalResponseNorm(size: size, alpha: alpha, beta: beta, k: k)
        return try scope.apply(.localResponseNorm(op), to: [input])[0]
    }
}

extension NetworkScope {
    /// Scale and shift of a norm that keeps no statistics.
    fileprivate mutating func normParameters(of input: ValueID, for layer: String) throws -> [ValueID] {
        try requireChannels(input, for: layer, "normalise")
        let channels = shape(of: input).channels
        return [
            addParameter("weight", .vector(channels), role: .scale),
            addParameter("bias", .vector(channels), role: .shift),
        ]
    }
}
