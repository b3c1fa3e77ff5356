import ResinGraph
import ResinPlan
import ResinTensor

extension Op.MovingAverage: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let count = lowering.inputShape(0).count
        let vectors = lowering.traits.chunkVectors
        let (buffers, sizes) = (
            [lowering.input(0), lowering.input(1)],
            [Launch.Argument.int(count), .int(vectors)]
        )
        let global = [divide(count, by: vectors * lowering.traits.lanes)]
        switch action {
        case .update(let decay):
            lowering.launch(
                "update_average", in: .optimizer, global: global,
                buffers + [.uniforms, .float(Float(1 - decay))] + sizes)
        case .exchange: lowering.launch("exchange", in: .optimizer, global: global, buffers + sizes)
        }
    }
}
