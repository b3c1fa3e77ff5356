import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerConcatenation() throws {
        let output = node.outputs[0]
        var first = 0
        for input in node.inputs {
            let count = graph.shape(of: input).channels
            // Others were written where they belong.
            if plan.channelViews[input] == nil {
                try copyChannels(0..<count, of: input, to: output, from: first)
            }
            first += count
        }
    }

    mutating func lower(_ op: Op.ChannelSlice) throws {
        try copyChannels(
            op.channels, of: node.inputs[0], to: node.outputs[0], from: 0,
            mask: op.epilogue == .reluMask ? node.inputs[1] : nil)
    }

    private mutating func copyChannels(
        _ channels: Range<Int>, of source: ValueID, to target: ValueID, from first: Int, mask: ValueID? = nil
    ) throws {
        let (from, to) = (graph.shape(of: source), graph.shape(of: target))
        let workers = traits.prefersLongWorkItems ? 1 : divide(channels.count, by: traits.lanes)
        let chunk =
            traits.prefersLongWorkItems ? max(1, traits.chunkVectors * traits.lanes / channels.count) : 1
        let maskLayout = mask.map(pixelLayout(of:)) ?? (stride: 0, first: 0)
        try launch(
            "copy_channels", in: "channels", global: [workers, divide(from.pixels, by: chunk)],
            [
                .value(source), mask.map(Argument.value) ?? .zeros, .value(target), .int(from.pixels),
                .int(channels.count), .int(from.channels),
                .int(channels.lowerBound), .int(to.channels), .int(first),
                .int(mask == nil ? 0 : 1), .int(maskLayout.stride), .int(maskLayout.first), .int(chunk),
            ])
    }
}
