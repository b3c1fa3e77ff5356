import ResinGraph
import ResinPlan
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

    /// The convolution's bias, or what a folded batch norm makes of it, in the last part of the workspace.
    mutating func offset(_ op: Op.Convolution2D) throws -> ConvolutionOffset {
        let bias: Argument? = op.hasBias ? .value(node.inputs[2]) : nil
        guard let epsilon = op.foldedNormEpsilon else {
            return bias.map { ConvolutionOffset(argument: $0, kind: 1) } ?? .none
        }
        let byteCount = Self.foldedByteCount(op)
        let folded = Argument.workspacePart(offset: workspace.count - byteCount, byteCount: byteCount)
        try launch(
            "batch_norm_fold", in: "batch_norm", global: [divide(op.outputChannels, by: traits.lanes)],
            [bias ?? .zeros] + node.inputs[op.foldedNormInputs].map(Argument.value)
                + [folded, .int(op.outputChannels), .int(op.hasBias ? 1 : 0), .float(epsilon)])
        return ConvolutionOffset(argument: folded, kind: 2)
    }

    /// Of the offsets and factors of a folded batch norm, in whole units of alignment.
    static func foldedByteCount(_ op: Op.Convolution2D) -> Int {
        op.foldedNormEpsilon == nil
            ? 0 : (8 * op.outputChannels).roundedUp(toMultipleOf: FlatLayout.alignment)
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
