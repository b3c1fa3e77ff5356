import ResinGraph
import ResinTensor

/// Layers side by side that share the channels: each gets its own part of them, and what they give is put one after
/// another.
///
///     Split([16, 48]) {
///         Identity()
///         Convolution2D(48, kernel: 3, padding: 1)
///     }
///
/// C×H×W → (C₁ + C₂ + …)×H′×W′: the parts have C channels together, and height and width after every layer have to be
/// the same. The children are called "0", "1", … unless they are `named`.
public struct Split: Layer {
    public var counts: [Int]
    public var branches: [any Layer]

    /// - Parameter counts: the channels of each part.
    public init(_ counts: [Int], @LayerBuilder _ branches: () -> [any Layer]) {
        self.counts = counts
        self.branches = branches()
        precondition(counts.count == self.branches.count, "a layer for each part of the channels")
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var values: [ValueID] = []
        for (index, part) in try scope.split(input, into: counts).enumerated() {
            values.append(try scope.apply(branches[index], to: part, name: "\(index)"))
        }
        return try scope.concatenate(values)
    }
}

/// Its input, unchanged; any shape.
public struct Identity: Layer {
    public init() {}

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID { input }
}

/// The channels of `groups` groups taken in turn, so that what later groups see comes from all of these (Zhang et al.,
/// "ShuffleNet", CVPR 2018, §3.1), PyTorch's `ChannelShuffle`; keeps the shape. The channels are a multiple of the groups.
public struct ChannelShuffle: Layer {
    public var groups: Int

    public init(groups: Int) {
        precondition(groups > 0, "channels are of at least one group")
        self.groups = groups
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "channel shuffle", "shuffle")
        return try scope.apply(.channelShuffle(Op.ChannelShuffle(groups: groups)), to: [input])[0]
    }
}
