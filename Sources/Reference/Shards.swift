import ResinGraph

extension Op.RegionSum: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let (source, target) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        for index in target.indices {
            target[index] = factor * (adds ? source[index] + target[index] : source[index])
        }
    }
}

extension Op.ShardMetrics: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let metrics = invocation.inputs[0].floats
        let columns = Metric.allCases.count
        for column in 0..<columns {
            metrics[Int(invocation.uniforms.slot) * columns + column] = (firstRow..<firstRow + count).reduce(
                0
            ) {
                $0 + metrics[$1 * columns + column]
            }
        }
    }
}
