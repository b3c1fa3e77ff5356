import ResinGraph
import ResinTensor

/// max(x, 0), element by element; any shape.
public struct ReLU: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.relu, to: [input])[0]
    }
}

/// σ(x) = 1 / (1 + exp(−x)), element by element; any shape.
public struct Sigmoid: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.sigmoid, to: [input])[0]
    }
}

/// min(max(x, 0), 6), element by element; any shape.
public struct ReLU6: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.relu6), to: [input])[0]
    }
}

/// x · relu6(x + 3) / 6, element by element; any shape.
public struct HardSwish: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.hardSwish), to: [input])[0]
    }
}

/// x · σ(x), element by element; any shape.
public struct SiLU: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.silu), to: [input])[0]
    }
}

/// tanh(x), element by element; any shape.
public struct Tanh: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.tanh), to: [input])[0]
    }
}

/// relu6(x + 3) / 6, element by element; any shape.
public struct HardSigmoid: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.hardSigmoid), to: [input])[0]
    }
}

/// x · Φ(x) with the normal distribution Φ, element by element; any shape.
public struct GELU: Layer {
    /// Whether Φ is approximated by tanh, PyTorch's `approximate="tanh"`.
    public var usesTanh: Bool

    public init(usesTanh: Bool = false) { self.usesTanh = usesTanh }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(usesTanh ? .geluTanh : .gelu), to: [input])[0]
    }
}

/// ln(1 + exp(x)), element by element; any shape.
public struct Softplus: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.softplus), to: [input])[0]
    }
}

/// max(x, 0) + slope · min(x, 0), element by element; any shape.
public struct LeakyReLU: Layer {
    public var slope: Float

    public init(slope: Float = 0.01) { self.slope = slope }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.leakyReLU(slope: slope)), to: [input])[0]
    }
}

/// x above zero, else alpha · (exp(x) − 1), element by element; any shape.
public struct ELU: Layer {
    public var alpha: Float

    public init(alpha: Float = 1) { self.alpha = alpha }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.activation(.elu(alpha: alpha)), to: [input])[0]
    }
}

/// factor · x, element by element; any shape.
public struct Scale: Layer {
    public var factor: Float

    public init(by factor: Float) { self.factor = factor }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.scale(Op.Scale(by: factor)), to: [input])[0]
    }
}

/// In training, zeroes each element with the given probability and scales the others by
/// 1 / (1 − probability) (Srivastava et al., JMLR 2014); any shape. In inference it does nothing.
public struct Dropout: Layer {
    public var probability: Float

    /// - Parameter probability: in 0 ..< 1.
    public init(_ probability: Float) {
        precondition(probability >= 0 && probability < 1, "dropout's probability lies in 0 ..< 1")
        self.probability = probability
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let number = scope.makeDropoutNumber()
        guard scope.mode == .training && probability > 0 else { return input }
        return try scope.apply(.dropout(Op.Dropout(probability: probability, node: number)), to: [input])[0]
    }
}

/// In training, zeroes whole images with the given probability and scales the others by 1 / (1 − probability): the
/// residual branch of a block, just before it is added (Huang et al., "Deep networks with stochastic depth", ECCV 2016;
/// torchvision's `StochasticDepth` of mode "row"); any shape. In inference it does nothing.
public struct StochasticDepth: Layer {
    public var probability: Float

    /// - Parameter probability: in 0 ..< 1.
    public init(_ probability: Float) {
        precondition(probability >= 0 && probability < 1, "stochastic depth's probability lies in 0 ..< 1")
        self.probability = probability
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let number = scope.makeDropoutNumber()
        guard scope.mode == .training && probability > 0 else { return input }
        let op = Op.StochasticDepth(probability: probability, node: number)
        return try scope.apply(.stochasticDepth(op), to: [input])[0]
    }
}

/// C×H×W → F = C·H·W features, in PyTorch's order as far as anyone outside the device can tell; features
/// pass unchanged.
public struct Flatten: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let image = scope.shape(of: input)
        guard image.rank == 4 else { return input }
        let features = try scope.apply(.flatten, to: [input])[0]
        scope.noteFlattened(image, as: features)
        return features
    }
}
