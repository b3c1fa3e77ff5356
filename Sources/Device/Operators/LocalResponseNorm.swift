import ResinGraph
import ResinPlan
import ResinTensor

extension Op.LocalResponseNorm: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.normaliseLocally(self, "local_response_norm", [lowering.input(0), lowering.output(0)])
    }
}

extension Op.LocalResponseNormGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.normaliseLocally(
            forward, "local_response_norm_gradient",
            [lowering.input(0), lowering.input(1), lowering.output(0)])
    }
}

extension Lowering {
    fileprivate mutating func normaliseLocally(
        _ op: Op.LocalResponseNorm, _ kernel: String, _ arguments: [Argument]
    ) {
        let shape = inputShape(0)
        let chunk = traits.kind == .cpu ? ChannelChunks(shape, traits).size : 1
        launch(
            kernel, in: .localResponseNorm,
            global: [traits.channelWorkers(shape), divide(shape.pixels, by: chunk)],
            arguments + [
                .int(shape.pixels), .int(shape.channels), .int(chunk), .int(op.size), .float(op.k),
                .float(op.alpha), .float(op.beta),
            ])
    }
}
