import ResinTensor

/// One node's turn in reverse-mode differentiation: what an operator's gradient rule sees and may do.
package struct BackwardPass {
    package let node: Node
    /// The gradient of the loss with respect to the node's first output.
    package let outputGradient: ValueID
    package fileprivate(set) var graph: Graph
    fileprivate var inputGradients: [ValueID?]
    fileprivate let wanted: [Bool]

    /// Whether anything trained lies behind this input.
    package func wantsGradient(ofInput index: Int) -> Bool { wanted[index] }

    package func shape(ofInput index: Int) -> Shape { graph.shape(of: node.inputs[index]) }

    package mutating func apply(_ op: Op, to inputs: [ValueID]) throws -> [ValueID] {
        try graph.apply(op, to: inputs, name: node.name, pass: .backward)
    }

    package mutating func setGradient(ofInput index: Int, to value: ValueID) {
        precondition(graph.shape(of: value).count == shape(ofInput: index).count)
        inputGradients[index] = value
    }
}

extension Graph {
    /// Adds the nodes that compute the gradient of a loss with respect to every trained parameter: backward is graph,
    /// not a mode, so gradients are planned, fused, tested and profiled like everything else.
    ///
    /// - Parameter loss: the output of a `Loss`; the gradient is that of its mean.
    package mutating func differentiate(_ loss: ValueID) throws {
        guard let end = nodes.lastIndex(where: { $0.outputs.first == loss }),
            let op = nodes[end].op.body as? any Loss
        else { preconditionFailure("value \(loss.index) is no loss") }
        var trained = Set(values.indices.filter { isTrained(values[$0]) }.map(ValueID.init))
        for node in nodes where node.inputs.contains(where: trained.contains) {
            trained.formUnion(node.outputs)
        }
        let seed = try apply(
            op.gradientSeed, to: nodes[end].inputs, name: nodes[end].name, pass: .backward)[0]
        var gradients = [nodes[end].inputs[0]: seed]
        for node in nodes[..<end].reversed() {
            // Nodes that only record something have no output, and so no gradient.
            guard let output = node.outputs.first, let outputGradient = gradients[output],
                node.inputs.contains(where: trained.contains)
            else { continue }
            var backward = BackwardPass(
                node: node, outputGradient: outputGradient, graph: self,
                inputGradients: Array(repeating: nil, count: node.inputs.count),
                wanted: node.inputs.map(trained.contains))
            self = Graph()  // hands over the storage instead of copying it
            try node.op.body.differentiate(&backward)
            self = backward.graph
            for (input, gradient) in zip(node.inputs, backward.inputGradients) {
                guard let gradient else { continue }
                if case .parameter(let index) = self[input].source {
                    precondition(gradients[input] == nil, "\(parameters[index].name) is used twice")
                    precondition(
                        self[gradient].source == .node,
                        "\(parameters[index].name) has the gradient of another parameter, not its own")
                    setSource(of: gradient, to: .gradient(index))
                    gradients[input] = gradient
                } else if let other = gradients[input] {
                    gradients[input] = try apply(
                        .add(Op.Add()), to: [other, gradient], name: node.name, pass: .backward)[0]
                } else {
                    gradients[input] = gradient
                }
            }
        }
        dropUnreadIndices()
    }

    /// Max pooling notes which places won for its gradient alone, which pooling before the first trained layer has not.
    private mutating func dropUnreadIndices() {
        let read = Set(nodes.flatMap(\.inputs)).union(results)
        for index in nodes.indices where nodes[index].outputs.count == 2 {
            guard case .maxPool2D(var pooling) = nodes[index].op, !read.contains(nodes[index].outputs[1])
            else {
                continue
            }
            pooling.givesIndices = false
            nodes[index].op = .maxPool2D(pooling)
            nodes[index].outputs.removeLast()
        }
    }
}

extension Graph {
    private func isTrained(_ value: Value) -> Bool {
        if case .parameter(let index) = value.source { parameters[index].isTrained } else { false }
    }
}
