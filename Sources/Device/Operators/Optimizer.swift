import ResinGraph
import ResinPlan
import ResinTensor

extension Op.Optimizer: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let (node, traits) = (lowering.node, lowering.traits)
        func argument(_ operand: Operand) -> Launch.Argument {
            place(of: operand).map { .value(node.inputs[$0]) } ?? .zeros
        }
        func flag(_ operand: Operand) -> Launch.Argument { .int(place(of: operand) == nil ? 0 : 1) }
        let count = lowering.inputShape(place(of: .parameters)!).count
        let (w, gradients) = (argument(.parameters), argument(.gradients))
        let (metrics, lossScale) = (argument(.metrics), argument(.lossScale))
        let conditions = [.uniforms, metrics, lossScale, flag(.metrics), flag(.lossScale)]
        let chunks: [Launch.Argument] = [.int(count), .int(traits.chunkVectors)]
        let global = [divide(count, by: traits.chunkVectors * traits.lanes)]
        if place(of: .lossScale) != nil {
            lowering.launch(
                "check_gradients", in: .optimizer, global: global, [gradients, lossScale] + chunks)
        }
        switch rule {
        case .sgd(let momentum, let nesterov, let weightDecay):
            lowering.launch(
                "sgd", in: .optimizer, global: global,
                [w, gradients, argument(.state(0))] + conditions
                    + [.float(momentum), .float(weightDecay), .int(nesterov ? 1 : 0)] + chunks)
        case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
            lowering.launch(
                "adam", in: .optimizer, global: global,
                [w, gradients, argument(.state(0)), argument(.state(1))] + conditions
                    + [.float(beta1), .float(beta2), .float(epsilon), .float(weightDecay)]
                    + [.int(isDecoupled ? 1 : 0)] + chunks)
        }
        if let statistics = place(of: .statistics) {
            let count = lowering.inputShape(statistics).count
            lowering.launch(
                "keep_statistics", in: .optimizer,
                global: [divide(count, by: traits.chunkVectors * traits.lanes)],
                [
                    argument(.statistics), argument(.keptStatistics), .uniforms, metrics, .int(count),
                    .int(traits.chunkVectors),
                ])
        }
        if place(of: .lossScale) != nil {
            lowering.launch(
                "adjust_loss_scale", in: .optimizer, global: [1],
                [
                    lossScale, .uniforms, metrics, .float(LossScale.growthInterval),
                    .float(LossScale.largest),
                ])
        }
    }
}
