import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerGrouped(_ op: Op.BatchNorm) throws {
        let chunks = GroupedChunks(graph.shape(of: node.inputs[0]), traits)
        let (x, scale, shift) = (node.inputs[0], node.inputs[1], node.inputs[2])
        let (y, mean, inverse) = (node.outputs[0], node.outputs[1], node.outputs[2])
        try reduce("batch_norm_statistics_grouped", chunks, [.value(x), .workspace])
        try combine(
            "batch_norm_combine_grouped", chunks,
            [.workspace, .value(mean), .value(inverse), .value(node.inputs[3]), .value(node.inputs[4])],
            [.float(op.epsilon), .float(op.momentum)])
        try eachPixel(
            "batch_norm_normalise", chunks,
            [.value(x), .value(scale), .value(shift), .value(mean), .value(inverse), .value(y)],
            [.int(Int(op.epilogue.code))])
    }

    mutating func lowerGrouped(_ op: Op.BatchNormInference) throws {
        try eachPixel(
            "batch_norm_inference", GroupedChunks(graph.shape(of: node.inputs[0]), traits),
            node.inputs.map(Argument.value) + [.value(node.outputs[0])],
            [.int(Int(op.epilogue.code)), .float(op.epsilon)])
    }

    mutating func lowerBatchNormGradientGrouped() throws {
        let chunks = GroupedChunks(graph.shape(of: node.inputs[0]), traits)
        let (dy, x, scale) = (node.inputs[0], node.inputs[1], node.inputs[2])
        let (mean, inverse) = (node.inputs[3], node.inputs[4])
        let (dx, dscale, dshift) = (node.outputs[0], node.outputs[1], node.outputs[2])
        try reduce(
            "batch_norm_gradient_sums_grouped", chunks,
            [.value(dy), .value(x), .value(mean), .value(inverse), .workspace])
        try combine(
            "batch_norm_gradient_combine_grouped", chunks, [.workspace, .value(dscale), .value(dshift)], [])
        try eachPixel(
            "batch_norm_gradient", chunks,
            [
                .value(dy), .value(x), .value(scale), .value(mean), .value(inverse), .value(dscale),
                .value(dshift), .value(dx),
            ], [])
    }

    /// A group for each chunk and run of channels.
    private mutating func reduce(_ name: String, _ chunks: GroupedChunks, _ arguments: [Argument]) throws {
        let group = chunks.group
        try launch(
            name, in: "batch_norm_grouped", defining: group.definitions,
            global: [group.width(channels: chunks.channels, traits), group.rows * chunks.count],
            local: group.local, arguments + chunks.arguments)
    }

    /// Few channels a group, so that as many work-items as possible share the chunks.
    private mutating func combine(
        _ name: String, _ chunks: GroupedChunks, _ arguments: [Argument], _ constants: [Argument]
    ) throws {
        let group = ReductionGroup(channels: chunks.channels, mostColumns: 8, traits)
        try launch(
            name, in: "batch_norm_grouped", defining: group.definitions,
            global: [group.width(channels: chunks.channels, traits), group.rows], local: group.local,
            arguments + chunks.arguments + constants)
    }

    /// The channels' coefficients are read once for so many pixels.
    private static let pixelsAnItem = 8

    private mutating func eachPixel(
        _ name: String, _ chunks: GroupedChunks, _ arguments: [Argument], _ constants: [Argument]
    ) throws {
        try launch(
            name, in: "batch_norm",
            global: [
                divide(chunks.channels, by: traits.lanes), divide(chunks.pixels, by: Self.pixelsAnItem),
            ],
            arguments + [.int(chunks.pixels), .int(chunks.channels), .int(Self.pixelsAnItem)] + constants)
    }
}
