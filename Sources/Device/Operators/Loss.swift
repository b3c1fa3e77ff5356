import ResinGraph
import ResinPlan
import ResinTensor

extension Op.SoftmaxCrossEntropy: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachImage("softmax_cross_entropy", labelSmoothing: labelSmoothing)
    }
}

extension Op.SoftmaxCrossEntropyGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        // The third input, and whether there is one.
        let lossScale: [Launch.Argument] =
            lowering.node.inputs.count > 2 ? [lowering.input(2), .int(1)] : [.zeros, .int(0)]
        lowering.eachImage("softmax_cross_entropy_gradient", labelSmoothing: labelSmoothing, lossScale)
    }
}

extension Op.RecordMetrics: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let arguments: [Launch.Argument] = [
            lowering.input(0), lowering.input(1), .uniforms, .int(lowering.inputShape(0).images),
        ]
        switch lowering.traits.kind {
        case .cpu: lowering.launch("record_metrics", in: .loss, global: [1], arguments)
        case .gpu:
            let rows = lowering.traits.groupWorkItems
            lowering.launch(
                "record_metrics_reduction", in: .lossReduction,
                defining: [("GROUP_X", 1), ("GROUP_Y", rows)],
                global: [1, rows], local: [1, rows], arguments)
        }
    }
}

extension Op.ChannelActivity: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let chunks = ChannelChunks(lowering.inputShape(0), lowering.traits)
        lowering.launch(
            "channel_activity", in: .loss,
            global: [divide(chunks.channels, by: lowering.traits.lanes), chunks.count],
            [lowering.input(0), lowering.input(1), .int(offset)] + chunks.arguments)
    }
}

extension Lowering {
    /// A work-item for each image, or on a GPU a group; few classes do with a small one.
    fileprivate mutating func eachImage(
        _ kernel: String, labelSmoothing: Float, _ more: [Argument] = []
    ) {
        let logits = inputShape(0)
        let arguments: [Argument] =
            [input(0), input(1), output(0), .uniforms, .int(logits.channels), .float(labelSmoothing)] + more
        switch traits.kind {
        case .cpu: launch(kernel, in: .loss, global: [logits.images], arguments)
        case .gpu:
            let rows = min(logits.channels > 64 ? 256 : 32, traits.groupWorkItems)
            launch(
                kernel + "_reduction", in: .lossReduction, defining: [("GROUP_X", 1), ("GROUP_Y", rows)],
                global: [1, rows * logits.images], local: [1, rows], arguments)
        }
    }
}
