import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    mutating func batchNorm() throws -> Activation {
        try node.require("spatial", 1)
        try node.require("training_mode", 0)
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        guard input.arrangement.dimension(ofChannels: channels) == 1 else {
            throw ModelFlaw("the second dimension of \(input.arrangement.described) is not the channels")
        }
        var weights: [(String, [Int], [Float])] = []
        for (index, name) in ["weight", "bias", "running_mean", "running_var"].enumerated() {
            weights.append((name, [channels], try vector(try constant(index + 1), channels, name)))
        }
        let epsilon = try node.float("epsilon", default: 1e-5)
        // ONNX's is the share of the old statistics.
        let momentum = 1 - (try node.float("momentum", default: 0.9))
        return try add(
            BatchNorm(epsilon: epsilon, momentum: momentum), to: input.number, giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1), weights: weights)
    }

    mutating func layerNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        let axis = try input.arrangement.index(try node.int("axis", default: -1))
        guard axis == input.arrangement.rank - 1, input.arrangement.dimension(ofChannels: channels) == axis
        else {
            throw ModelFlaw("known is one axis, the last, that of the channels")
        }
        let scale = try vector(try constant(1), channels, "scale")
        let shift = try optionalConstant(2).map { try vector($0, channels, "shift") }
        return try add(
            LayerNorm(epsilon: try node.float("epsilon", default: 1e-5)), to: input.number,
            giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1),
            weights: [
                ("weight", [channels], scale),
                ("bias", [channels], shift ?? [Float](repeating: 0, count: channels)),
            ])
    }

    /// Over what is in the second dimension a group of the channels, or one of them.
    mutating func instanceNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let (arrangement, own) = (input.arrangement, input.shape.arrangement)
        let channels = input.shape.channels
        let groups = arrangement.sizes.count > 1 ? arrangement.sizes[1] : 0
        guard groups > 0, channels % groups == 0, arrangement.dimensions[0] == own.dimensions[0],
            arrangement.factors(1..<arrangement.rank) == own.factors(1..<own.rank),
            groups == 1 || arrangement.dimensions[1].allSatisfy({ $0.axis == .channels })
        else { throw ModelFlaw("the second dimension of \(arrangement.described) is no group of channels") }
        let scale = try vector(try constant(1), groups, "scale")
        let shift = try vector(try constant(2), groups, "shift")
        return try groupNorm(input, groups, scale, shift)
    }

    /// Scale and shift were a number a group before opset 21.
    mutating func groupNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        guard let groups = try node.int("num_groups"), groups > 0, channels % groups == 0,
            input.arrangement.dimension(ofChannels: channels) == 1
        else { throw ModelFlaw("the channels of \(input.arrangement.described) are not its num_groups") }
        let count = opset < 21 ? groups : channels
        return try groupNorm(
            input, groups, try vector(try constant(1), count, "scale"),
            try vector(try constant(2), count, "shift"))
    }

    private mutating func groupNorm(
        _ input: Activation, _ groups: Int, _ scale: [Float], _ shift: [Float]
    ) throws -> Activation {
        let channels = input.shape.channels
        func spread(_ values: [Float]) -> [Float] {
            (0..<channels).map { values[$0 / (channels / values.count)] }
        }
        let epsilon = try node.float("epsilon", default: 1e-5)
        return try add(
            GroupNorm(groups: groups, epsilon: epsilon), to: input.number, giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1),
            weights: [("weight", [channels], spread(scale)), ("bias", [channels], spread(shift))])
    }

    mutating func localResponseNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        guard input.arrangement.dimension(ofChannels: input.shape.channels) == 1 else {
            throw ModelFlaw("the second dimension of \(input.arrangement.described) is not the channels")
        }
        let (size, k) = (try node.int("size", default: 0), try node.float("bias", default: 1))
        guard (1...1 << 16).contains(size), k > 0 else {
            throw ModelFlaw("its size is \(size) and its bias \(k); both have to be above 0")
        }
        return try add(
            LocalResponseNorm(
                size: size, alpha: try node.float("alpha", default: 1e-4),
                beta: try node.float("beta", default: 0.75), k: k), to: input)
    }
}
