import ResinGraph
import ResinPlan
import ResinTensor

extension Op.RegionSum: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let count = lowering.inputShape(1).count
        lowering.launch(
            "region_sum", in: .optimizer,
            global: [divide(count, by: lowering.traits.chunkVectors * lowering.traits.lanes)],
            [
                lowering.input(0), lowering.input(1), .int(adds ? 1 : 0), .float(factor), .int(count),
                .int(lowering.traits.chunkVectors),
            ])
    }
}

extension Op.ShardMetrics: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.launch(
            "shard_metrics", in: .optimizer, global: [1],
            [lowering.input(0), .uniforms, .int(firstRow), .int(count)])
    }
}
