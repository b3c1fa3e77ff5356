import ResinGraph
import ResinTensor

/// Squeeze-and-excitation (Hu, Shen and Sun, "Squeeze-and-excitation networks", CVPR 2018, §3), torchvision's
/// `SqueezeExcitation`: each channel of an image is scaled by a gate that is computed from the means of all of them,
///
///     x · gate(fc2(activation(fc1(mean of x))))
///
/// with 1×1 convolutions `fc1`, to `squeeze` channels, and `fc2`, back again. C×H×W → C×H×W.
public struct SqueezeExcitation: Layer {
    public var squeeze: Int
    public var activation: any Layer
    public var gate: any Layer

    public init(squeeze: Int, activation: any Layer = ReLU(), gate: any Layer = Sigmoid()) {
        precondition(squeeze > 0, "a squeeze has at least one channel")
        self.squeeze = squeeze
        self.activation = activation
        self.gate = gate
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "squeeze-and-excitation")
        let image = scope.shape(of: input)
        let pixel = Op.Unflatten(
            shape: Shape(images: image.images, height: 1, width: 1, channels: image.channels))
        let means = try scope.apply(GlobalAveragePool2D(), to: input, name: "avgpool")
        var value = try scope.apply(.unflatten(pixel), to: [means])[0]
        value = try scope.apply(Convolution2D(squeeze, kernel: 1), to: value, name: "fc1")
        value = try scope.apply(activation, to: value, name: "activation")
        value = try scope.apply(Convolution2D(image.channels, kernel: 1), to: value, name: "fc2")
        value = try scope.apply(gate, to: value, name: "scale_activation")
        return try scope.apply(.channelScaling(Op.ChannelScaling()), to: [input, value])[0]
    }
}

/// Each channel times a number that is learnt and starts small, so that a residual branch begins with little effect
/// (Touvron et al., "Going deeper with image transformers", ICCV 2021, §2): ConvNeXt's layer scale. Keeps the shape.
///
/// Parameter: of the layer's own name, which is `layer_scale` in torchvision; in files `[C, 1, 1]`.
public struct LayerScale: Layer {
    public var initialValue: Float

    public init(initialValue: Float = 1e-6) { self.initialValue = initialValue }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "layer scale", "apply it")
        let factors = scope.addParameter(
            "", .channels(scope.shape(of: input).channels), role: .constant(initialValue))
        return try scope.apply(.channelScaling(Op.ChannelScaling()), to: [input, factors])[0]
    }
}

/// x above zero, else slope · x with a slope that is learnt, a channel's own or one for all (He et al., "Delving deep into
/// rectifiers", ICCV 2015, §2.1): PyTorch's `PReLU`, whose default is one. Keeps the shape. Parameter: `weight` `[C]` or
/// `[1]`.
public struct PReLU: Layer {
    public var isShared: Bool
    public var initialSlope: Float

    /// - Parameter isShared: whether all channels have one slope.
    public init(isShared: Bool = false, initialSlope: Float = 0.25) {
        self.isShared = isShared
        self.initialSlope = initialSlope
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        if !isShared { try scope.requireChannels(input, for: "PReLU", "apply it") }
        let count = isShared ? 1 : scope.shape(of: input).channels
        let slopes = scope.addParameter("weight", .vector(count), role: .constant(initialSlope))
        return try scope.apply(.parametricReLU, to: [input, slopes])[0]
    }
}
