import ResinGraph
import ResinPlan
import ResinTensor

extension Lowering {
    mutating func lower(_ op: Op.Optimizer) throws {
        let count = plan.parameterLayout.count
        // The metrics region as an input means: leave out steps whose loss is not finite; and the statistics'
        // regions: keep these out of them, too.
        let skips = Argument.int(node.inputs.isEmpty ? 0 : 1)
        let metrics: Argument = node.inputs.isEmpty ? .zeros : .value(node.inputs[0])
        let global = [divide(count, by: traits.chunkVectors * traits.lanes)]
        switch op {
        case .sgd(let momentum, let nesterov, let weightDecay):
            try launch(
                "sgd", in: "optimizer", global: global,
                [
                    .region(.parameters), .region(.gradients),
                    momentum == 0 ? .zeros : .region(.optimizerState(0)), .uniforms, metrics,
                    .float(momentum), .float(weightDecay), .int(nesterov ? 1 : 0), skips, .int(count),
                    .int(traits.chunkVectors),
                ])
        case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
            try launch(
                "adam", in: "optimizer", global: global,
                [
                    .region(.parameters), .region(.gradients), .region(.optimizerState(0)),
                    .region(.optimizerState(1)), .uniforms, metrics, .float(beta1), .float(beta2),
                    .float(epsilon), .float(weightDecay), .int(isDecoupled ? 1 : 0), skips, .int(count),
                    .int(traits.chunkVectors),
                ])
        }
        guard node.inputs.count > 1 else { return }
        let statistics = graph.shape(of: node.inputs[1]).count
        try launch(
            "keep_statistics", in: "optimizer",
            global: [divide(statistics, by: traits.chunkVectors * traits.lanes)],
            [
                .value(node.inputs[1]), .value(node.inputs[2]), .uniforms, metrics, .int(statistics),
                .int(traits.chunkVectors),
            ])
    }
}
