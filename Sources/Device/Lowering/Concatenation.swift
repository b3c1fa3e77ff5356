import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerConcatenation() throws {
        let output = node.outputs[0]
        var first = 0
        for input in node.inputs {
            let count = graph.shape(of: input).channels
            try copyChannels(0..<count, of: input, to: output, from: first)
            first += count
        }
    }

    mutating func lower(_ op: Op.ChannelSlice) throws {
        try copyChannels(op.channels, of: node.inputs[0], to: node.outputs[0], from: 0)
    }

    private mutating func copyChannels(
        _ channels: Range<Int>, of source: ValueID, to target: ValueID, from first: Int
    ) throws {
        let (from, to) = (graph.shape(of: source), graph.shape(of: target))
        let workers = traits.prefersLongWorkItems ? 1 : divide(channels.count, by: traits.lanes)
        let chunk =
            traits.prefersLongWorkItems ? max(1, traits.chunkVectors * traits.lanes / channels.count) : 1
        try launch(
            "copy_channels", in: "channels", global: [workers, divide(from.pixels, by: chunk)],
            [
                .value(source), .value(target), .int(from.pixels), .int(channels.count), .int(from.channels),
                .int(channels.lowerBound), .int(to.channels), .int(first), .int(chunk),
            ])
    }
}
