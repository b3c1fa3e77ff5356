import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.BinaryCrossEntropy: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.binaryCrossEntropy(self, rows: lowering.output(0))
    }
}

extension Op.BinaryCrossEntropyGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.binaryCrossEntropy(
            loss, gradient: lowering.output(0),
            lossScale: scaleInput(of: lowering.node.inputs.count).map(lowering.input))
    }
}

extension Lowering {
    /// A group for each image of the first input, the logits.
    fileprivate mutating func binaryCrossEntropy(
        _ loss: Op.BinaryCrossEntropy, rows: Argument? = nil, gradient: Argument? = nil,
        lossScale: Argument? = nil
    ) {
        let logits = inputShape(0)
        var settings = BinaryLossSettings()
        settings.loss.classes = Int32(logits.channels)
        (settings.loss.mixes, settings.loss.weighs) = (loss.mixes ? 1 : 0, loss.weighs ? 1 : 0)
        (settings.loss.givesRows, settings.loss.givesGradient) = (
            rows == nil ? 0 : 1, gradient == nil ? 0 : 1
        )
        settings.loss.isScaled = lossScale == nil ? 0 : 1
        settings.setWords = Int32(LabelSetBits.wordCount(classes: logits.channels))
        (settings.gamma, settings.alpha) = (loss.focal?.gamma ?? 0, loss.focal?.alpha ?? -1)
        let size =
            switch traits.kind {
            case .cpu: 1
            case .gpu: min(logits.channels > 64 ? 256 : 32, traits.groupWorkItems)
            }
        launch(
            "binary_cross_entropy", in: .binaryLoss, defining: [("GROUP_X", 1), ("GROUP_Y", size)],
            global: [1, size * logits.images], local: [1, size],
            [
                input(0), input(1), input(2), rows ?? .zeros, gradient ?? .zeros, .uniforms,
                lossScale ?? .zeros, loss.samplesInput.map(input) ?? .zeros,
                loss.weightsInput.map(input) ?? .zeros, .geometry(settings),
            ])
    }
}
