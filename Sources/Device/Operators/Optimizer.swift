import ResinGraph
import ResinPlan
import ResinTensor

extension Op.Optimizer: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let (node, traits) = (lowering.node, lowering.traits)
        let count = lowering.plan.parameterLayout.count
        let inputs = Inputs(count: node.inputs.count)
        func argument(_ input: Int?) -> Launch.Argument { input.map { .value(node.inputs[$0]) } ?? .zeros }
        let metrics = argument(inputs.metrics)
        let lossScale = argument(inputs.lossScale)
        let conditions: [Launch.Argument] = [
            .uniforms, metrics, lossScale, .int(inputs.metrics == nil ? 0 : 1),
            .int(inputs.lossScale == nil ? 0 : 1),
        ]
        let chunks: [Launch.Argument] = [.int(count), .int(traits.chunkVectors)]
        let global = [divide(count, by: traits.chunkVectors * traits.lanes)]
        if inputs.lossScale != nil {
            lowering.launch(
                "check_gradients", in: .optimizer, global: global, [.region(.gradients), lossScale] + chunks)
        }
        switch self {
        case .sgd(let momentum, let nesterov, let weightDecay):
            let velocity: Launch.Argument = momentum == 0 ? .zeros : .region(.optimizerState(0))
            lowering.launch(
                "sgd", in: .optimizer, global: global,
                [.region(.parameters), .region(.gradients), velocity] + conditions
                    + [.float(momentum), .float(weightDecay), .int(nesterov ? 1 : 0)] + chunks)
        case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
            let moments: [Launch.Argument] = [.region(.optimizerState(0)), .region(.optimizerState(1))]
            lowering.launch(
                "adam", in: .optimizer, global: global,
                [.region(.parameters), .region(.gradients)] + moments + conditions
                    + [.float(beta1), .float(beta2), .float(epsilon), .float(weightDecay)]
                    + [.int(isDecoupled ? 1 : 0)] + chunks)
        }
        if let statistics = inputs.statistics {
            let count = lowering.graph.shape(of: node.inputs[statistics]).count
            lowering.launch(
                "keep_statistics", in: .optimizer,
                global: [divide(count, by: traits.chunkVectors * traits.lanes)],
                [
                    argument(statistics), argument(inputs.keptStatistics), .uniforms, metrics, .int(count),
                    .int(traits.chunkVectors),
                ])
        }
        if inputs.lossScale != nil {
            lowering.launch(
                "adjust_loss_scale", in: .optimizer, global: [1],
                [
                    lossScale, .uniforms, metrics, .float(LossScale.growthInterval),
                    .float(LossScale.largest),
                ])
        }
    }
}
