import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.SoftmaxCrossEntropy: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.crossEntropy(
            self, labels: lowering.input(1), samples: mixes ? lowering.input(2) : nil,
            weights: weighs ? lowering.input(2) : nil, rows: lowering.output(0))
    }
}

extension Op.SoftmaxCrossEntropyGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.crossEntropy(
            loss, labels: lowering.input(1), samples: mixes ? lowering.input(2) : nil,
            weights: weighs ? lowering.input(2) : nil, gradient: lowering.output(0),
            lossScale: scaleInput(of: lowering.node.inputs.count).map(lowering.input))
    }
}

extension Op.RecordMetrics: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.recordMetrics(
            of: lowering.input(0), images: lowering.inputShape(0).images, in: lowering.input(1))
    }
}

extension Op.LossStep: DeviceOperator {
    /// The rows that are summed are scratch memory.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        let images = graph.shape(of: node.inputs[0]).images
        return DeviceForm(workspaceByteCount: Metric.rowByteCount * images) { lowering in
            let recordsAtOnce = traits.kind == .gpu && traits.fence != nil
            let metrics = lowering.input(metricsInput)
            lowering.crossEntropy(
                loss, labels: readsSamples ? nil : lowering.input(1),
                order: readsSamples ? nil : lowering.input(2),
                samples: readsSamples ? lowering.input(1) : nil,
                weights: weightsInput.map(lowering.input), rows: .workspace,
                gradient: givesGradient ? lowering.output(0) : nil,
                lossScale: scaleInput(of: node.inputs.count).map(lowering.input),
                metrics: recordsAtOnce ? metrics : nil)
            if !recordsAtOnce {
                lowering.recordMetrics(of: .workspace, images: images, in: metrics)
            }
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
    /// A work-item for each image of the first input, the logits, or on a GPU a group; few classes do with a small one.
    ///
    /// - Parameters:
    ///   - labels: nil where they are the samples'.
    ///   - order: where labels are those of the whole data set.
    ///   - metrics: where the last group sums the rows.
    fileprivate mutating func crossEntropy(
        _ loss: Op.SoftmaxCrossEntropy, labels: Argument?, order: Argument? = nil, samples: Argument?,
        weights: Argument?, rows: Argument? = nil, gradient: Argument? = nil, lossScale: Argument? = nil,
        metrics: Argument? = nil
    ) {
        let logits = inputShape(0)
        var settings = LossSettings()
        (settings.classes, settings.smoothing) = (Int32(logits.channels), loss.labelSmoothing)
        settings.picksLabels = labels == nil ? 2 : order == nil ? 0 : 1
        (settings.mixes, settings.isScaled) = (loss.mixes ? 1 : 0, lossScale == nil ? 0 : 1)
        (settings.givesRows, settings.givesGradient) = (rows == nil ? 0 : 1, gradient == nil ? 0 : 1)
        settings.records = metrics == nil ? 0 : 1
        settings.weighs = weights == nil ? 0 : 1
        let arguments: [Argument] = [
            input(0), labels ?? .zeros, order ?? .zeros, rows ?? .zeros, gradient ?? .zeros, .uniforms,
            lossScale ?? .zeros, samples ?? .zeros, weights ?? .zeros,
        ]
        switch traits.kind {
        case .cpu:
            launch(
                "softmax_cross_entropy", in: .loss, global: [logits.images],
                arguments + [.geometry(settings)])
        case .gpu:
            let rows = min(logits.channels > 64 ? 256 : 32, traits.groupWorkItems)
            launch(
                "softmax_cross_entropy_reduction", in: .lossReduction, defining: lossGroup(rows),
                global: [1, rows * logits.images], local: [1, rows],
                arguments + [
                    metrics ?? .zeros, metrics == nil ? .zeros : .counters(1), .geometry(settings),
                ])
        }
    }

    fileprivate mutating func recordMetrics(of rows: Argument, images: Int, in metrics: Argument) {
        let arguments: [Argument] = [rows, metrics, .uniforms, .int(images)]
        switch traits.kind {
        case .cpu: launch("record_metrics", in: .loss, global: [1], arguments)
        case .gpu:
            let rows = traits.groupWorkItems
            launch(
                "record_metrics_reduction", in: .lossReduction, defining: lossGroup(rows),
                global: [1, rows], local: [1, rows], arguments)
        }
    }

    private func lossGroup(_ rows: Int) -> [(String, Int)] {
        [("GROUP_X", 1), ("GROUP_Y", rows), ("METRIC_SHARES", traits.groupWorkItems)]
    }
}
