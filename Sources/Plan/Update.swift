import ResinGraph
import ResinTensor

extension Graph {
    /// Adds the update of everything that is trained.
    ///
    /// - Parameters:
    ///   - parameters: how the flat buffers are laid out.
    ///   - clipNorm: what the gradients' norm may be.
    ///   - rates: each parameter's, where they are not all alike.
    ///   - others: what the optimizer is given beside parameters, gradients and states.
    package mutating func applyOptimizer(
        _ rule: Op.Optimizer.Rule, of parameters: FlatLayout, clipNorm: Float? = nil,
        rates: [Op.Optimizer.Rates]? = nil, _ others: [(Op.Optimizer.Operand, ValueID)] = []
    ) throws {
        let type = TensorType([parameters.count])
        let flat: [(Op.Optimizer.Operand, Region)] =
            [(.parameters, .parameters), (.gradients, .gradients)]
            + (0..<rule.stateCount).map { (.state($0), .optimizerState($0)) }
        let operands = flat.map { ($0, addRegion($1, type)) } + others
        let alike = Op.Optimizer.Rates(factor: 1, weightDecay: rule.weightDecay)
        let slices = parameters.ranges.enumerated().filter { !$1.isEmpty }.map { index, range in
            Op.Optimizer.Slice(first: range.lowerBound, rates: rates?[index] ?? alike)
        }.sorted { $0.first < $1.first }
        let op = Op.Optimizer(
            rule, operands: operands.map(\.0), clipNorm: clipNorm,
            slices: rates != nil || rule.looksAtTensors ? slices : [])
        try apply(.optimizer(op), to: operands.map(\.1), name: "optimizer", pass: .update)
    }
}
