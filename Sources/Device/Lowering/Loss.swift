import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lower(_ op: Op.SoftmaxCrossEntropy) throws {
        let logits = graph.shape(of: node.inputs[0])
        try launch(
            "softmax_cross_entropy", in: "loss", global: [logits.images],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]), .uniforms,
                .int(logits.channels), .float(op.labelSmoothing),
            ])
    }

    mutating func lower(_ op: Op.SoftmaxCrossEntropyGradient) throws {
        let logits = graph.shape(of: node.inputs[0])
        try launch(
            "softmax_cross_entropy_gradient", in: "loss", global: [logits.images],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]), .uniforms,
                .int(logits.channels), .float(op.labelSmoothing),
            ] + lossScale)
    }

    /// The third input of the loss's gradient, and whether there is one.
    var lossScale: [Argument] {
        node.inputs.count > 2 ? [.value(node.inputs[2]), .int(1)] : [.zeros, .int(0)]
    }

    mutating func lowerRecordMetrics() throws {
        try launch(
            "record_metrics", in: "loss", global: [1],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .uniforms,
                .int(graph.shape(of: node.inputs[0]).images),
            ])
    }

    mutating func lower(_ op: Op.ChannelActivity) throws {
        let chunks = ChannelChunks(graph.shape(of: node.inputs[0]), traits)
        try launch(
            "channel_activity", in: "loss",
            global: [divide(chunks.channels, by: traits.lanes), chunks.count],
            [.value(node.inputs[0]), .value(node.inputs[1]), .int(op.offset)] + chunks.arguments)
    }
}
