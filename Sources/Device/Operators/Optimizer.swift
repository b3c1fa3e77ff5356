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
        let statisticCount = place(of: .statistics).map { lowering.inputShape($0).count } ?? 0
        func chunks(_ count: Int) -> Int { divide(count, by: traits.chunkVectors * traits.lanes) }
        if place(of: .lossScale) != nil {
            lowering.launch(
                "check_gradients", in: .optimizer, global: [chunks(count)],
                [gradients, lossScale, .int(count), .int(traits.chunkVectors)])
        }
        // The parameters' chunks, then the statistics'.
        let global = [chunks(count) + chunks(statisticCount)]
        let shares = [
            argument(.statistics), argument(.keptStatistics), .int(count), .int(statisticCount),
            .int(traits.chunkVectors),
        ]
        switch rule {
        case .sgd(let momentum, let nesterov, let weightDecay):
            lowering.launch(
                "sgd", in: .optimizer, global: global,
                [w, gradients, argument(.state(0))] + conditions
                    + [.float(momentum), .float(weightDecay), .int(nesterov ? 1 : 0)] + shares)
        case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
            lowering.launch(
                "adam", in: .optimizer, global: global,
                [w, gradients, argument(.state(0)), argument(.state(1))] + conditions
                    + [.float(beta1), .float(beta2), .float(epsilon), .float(weightDecay)]
                    + [.int(isDecoupled ? 1 : 0)] + shares)
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
