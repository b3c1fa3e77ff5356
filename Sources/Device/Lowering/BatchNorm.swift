import ResinGraph
import ResinTensor

/// How the pixels of a reduction by channel are cut into chunks: small enough for a core's nearest caches.
struct ChannelChunks: Hashable {
    var pixels: Int
    var channels: Int
    /// Pixels a chunk.
    var size: Int

    init(_ shape: Shape, _ traits: DeviceTraits) {
        pixels = shape.pixels
        channels = shape.channels
        size = min(max((16 << 10) / channels, 16), 1024)
    }

    var count: Int { divide(pixels, by: size) }
    /// Two values a channel and chunk.
    var partialByteCount: Int { 4 * 2 * count * channels }
    var arguments: [Lowering.Argument] { [.int(pixels), .int(channels), .int(size)] }
}

extension Lowering {
    mutating func lower(_ op: Op.BatchNorm) throws {
        let chunks = ChannelChunks(graph.shape(of: node.inputs[0]), traits)
        let (x, scale, shift) = (node.inputs[0], node.inputs[1], node.inputs[2])
        let (y, mean, inverse) = (node.outputs[0], node.outputs[1], node.outputs[2])
        try launch(
            "batch_norm_statistics", in: "batch_norm", global: byChunk(chunks),
            [.value(x), .workspace] + chunks.arguments)
        try launch(
            "batch_norm_combine", in: "batch_norm", global: byChannel(chunks),
            [.workspace, .value(mean), .value(inverse), .value(node.inputs[3]), .value(node.inputs[4])]
                + chunks.arguments + [.float(op.epsilon), .float(op.momentum)])
        try launch(
            "batch_norm_normalise", in: "batch_norm", global: byChunk(chunks),
            [.value(x), .value(scale), .value(shift), .value(mean), .value(inverse), .value(y)]
                + chunks.arguments + [.int(Int(op.epilogue.code))])
    }

    mutating func lower(_ op: Op.BatchNormInference) throws {
        let chunks = ChannelChunks(graph.shape(of: node.inputs[0]), traits)
        try launch(
            "batch_norm_inference", in: "batch_norm", global: byChunk(chunks),
            node.inputs.map(Argument.value) + [.value(node.outputs[0])] + chunks.arguments
                + [.int(Int(op.epilogue.code)), .float(op.epsilon)])
    }

    mutating func lowerBatchNormGradient() throws {
        let chunks = ChannelChunks(graph.shape(of: node.inputs[0]), traits)
        let (dy, x, scale) = (node.inputs[0], node.inputs[1], node.inputs[2])
        let (mean, inverse) = (node.inputs[3], node.inputs[4])
        let (dx, dscale, dshift) = (node.outputs[0], node.outputs[1], node.outputs[2])
        try launch(
            "batch_norm_gradient_sums", in: "batch_norm", global: byChunk(chunks),
            [.value(dy), .value(x), .value(mean), .value(inverse), .workspace] + chunks.arguments)
        try launch(
            "batch_norm_gradient_combine", in: "batch_norm", global: byChannel(chunks),
            [.workspace, .value(dscale), .value(dshift)] + chunks.arguments)
        try launch(
            "batch_norm_gradient", in: "batch_norm", global: byChunk(chunks),
            [
                .value(dy), .value(x), .value(scale), .value(mean), .value(inverse), .value(dscale),
                .value(dshift), .value(dx),
            ] + chunks.arguments)
    }

    private func byChunk(_ chunks: ChannelChunks) -> [Int] {
        [channelWorkers(Shape([chunks.pixels, chunks.channels])), chunks.count]
    }

    private func byChannel(_ chunks: ChannelChunks) -> [Int] { [divide(chunks.channels, by: traits.lanes)] }
}
