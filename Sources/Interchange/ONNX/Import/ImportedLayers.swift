import ResinGraph
import ResinNetworks
import ResinTensor

/// A model of another program as layers: what each node of it became, in order. Values have numbers; 0 is the images.
struct ImportedLayers: Layer {
    struct Step: Sendable {
        var name: String
        var inputs: [Int]
        var output: Int
        var kind: Kind
    }

    enum Kind: Sendable {
        case layer(any Layer)
        case add, multiply, concatenate
        /// An image times a factor an image and channel.
        case scaleChannels
    }

    var steps: [Step]
    /// The logits' number.
    var output: Int

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var values = [0: input]
        for step in steps {
            let inputs = step.inputs.map { values[$0]! }
            values[step.output] =
                switch step.kind {
                case .layer(let layer): try scope.apply(layer, to: inputs[0], name: step.name)
                case .add: try scope.add(inputs[0], inputs[1], name: step.name)
                case .multiply: try scope.multiply(inputs[0], inputs[1], name: step.name)
                case .concatenate: try scope.concatenate(inputs, name: step.name)
                case .scaleChannels:
                    try scope.apply(ScaledChannels(factors: inputs[1]), to: inputs[0], name: step.name)
                }
        }
        return values[output]!
    }

    /// Without the steps whose results nothing reads.
    func withoutUnused() -> ImportedLayers {
        var read: Set = [output]
        var kept: [Step] = []
        for step in steps.reversed() where read.contains(step.output) {
            read.formUnion(step.inputs)
            kept.append(step)
        }
        return ImportedLayers(steps: kept.reversed(), output: output)
    }
}

/// Each channel of an image times a factor, `[N, C]` or `[N, 1, 1, C]`.
private struct ScaledChannels: Layer {
    var factors: ValueID

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.apply(.channelScaling(Op.ChannelScaling()), to: [input, factors])[0]
    }
}

/// Features as an image of one pixel.
struct UnflattenedPixel: Layer {
    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let shape = scope.shape(of: input)
        let pixel = Shape(images: shape.images, height: 1, width: 1, channels: shape.channels)
        return try scope.apply(.unflatten(Op.Unflatten(shape: pixel)), to: [input])[0]
    }
}

/// Some of the channels.
struct SlicedChannels: Layer {
    var channels: Range<Int>

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "slice", "take channels")
        return try scope.apply(.channelSlice(Op.ChannelSlice(channels)), to: [input])[0]
    }
}

/// Each channel times a factor, and a shift behind it: a convolution of 1×1 in as many groups as channels, so that both are
/// trained. Parameters: `weight` `[C, 1, 1, 1]`, `bias` `[C]`.
struct ChannelAffine: Layer {
    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "factors and shifts", "apply them")
        let shape = scope.shape(of: input)
        let convolution = Convolution2D(shape.channels, kernel: 1, groups: shape.channels)
        if shape.rank == 4 { return try convolution.apply(to: input, in: &scope) }
        let pixel = try UnflattenedPixel().apply(to: input, in: &scope)
        return try Flatten().apply(to: convolution.apply(to: pixel, in: &scope), in: &scope)
    }
}
