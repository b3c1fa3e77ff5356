import ResinGraph
import ResinTensor

extension Graph {
    /// Adds the update of everything that is trained.
    ///
    /// - Parameters:
    ///   - parameters: how the flat buffers are laid out.
    ///   - others: what the optimizer is given beside parameters, gradients and states.
    package mutating func applyOptimizer(
        _ rule: Op.Optimizer.Rule, of parameters: FlatLayout,
        _ others: [(Op.Optimizer.Operand, ValueID)] = []
    ) throws {
        let type = TensorType([parameters.count])
        let flat: [(Op.Optimizer.Operand, Region)] =
            [(.parameters, .parameters), (.gradients, .gradients)]
            + (0..<rule.stateCount).map { (.state($0), .optimizerState($0)) }
        let operands = flat.map { ($0, addRegion($1, type)) } + others
        let op = Op.Optimizer(rule, operands: operands.map(\.0))
        try apply(.optimizer(op), to: operands.map(\.1), name: "optimizer", pass: .update)
    }
}
