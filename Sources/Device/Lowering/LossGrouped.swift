import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerGrouped(_ op: Op.SoftmaxCrossEntropy) throws {
        try eachImage("softmax_cross_entropy_grouped", labelSmoothing: op.labelSmoothing)
    }

    mutating func lowerGrouped(_ op: Op.SoftmaxCrossEntropyGradient) throws {
        try eachImage("softmax_cross_entropy_gradient_grouped", labelSmoothing: op.labelSmoothing, lossScale)
    }

    /// A group for each image; few classes do with a small one.
    private mutating func eachImage(
        _ name: String, labelSmoothing: Float, _ more: [Argument] = []
    ) throws {
        let logits = graph.shape(of: node.inputs[0])
        let rows = min(logits.channels > 64 ? 256 : 32, traits.groupWorkItems)
        try launch(
            name, in: "loss_grouped", defining: [("GROUP_X", 1), ("GROUP_Y", rows)],
            global: [1, rows * logits.images], local: [1, rows],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]), .uniforms,
                .int(logits.channels), .float(labelSmoothing),
            ] + more)
    }

    mutating func lowerRecordMetricsGrouped() throws {
        let rows = traits.groupWorkItems
        try launch(
            "record_metrics_grouped", in: "loss_grouped", defining: [("GROUP_X", 1), ("GROUP_Y", rows)],
            global: [1, rows], local: [1, rows],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .uniforms,
                .int(graph.shape(of: node.inputs[0]).images),
            ])
    }
}
