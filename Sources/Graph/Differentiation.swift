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

    /// So many zeros.
    package mutating func zeros(_ count: Int) -> ValueID {
        graph.makeValue(TensorType([count]), source: .region(.zeros))
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
        let parameters = Set(values.indices.filter { isTrained(values[$0]) }.map(ValueID.init))
        let seed = try apply(
            op.gradientSeed, to: nodes[end].inputs, name: nodes[end].name, pass: .backward)[0]
        _ = try propagate([nodes[end].inputs[0]: seed], to: parameters, before: end)
        dropUnreadIndices()
    }

    /// Adds the nodes that compute the gradient of Σ seed · output with respect to one of the values that the output is
    /// computed from. The weights' are not computed.
    ///
    /// - Parameter seed: like the output.
    /// - Returns: nil where the output does not depend on the value.
    package mutating func gradient(
        of output: ValueID, seed: ValueID, withRespectTo value: ValueID
    ) throws -> ValueID? {
        rememberMaxima(behind: value)
        return try propagate([output: seed], to: [value], before: nodes.endIndex)[value]
    }

    /// Has max pooling keep which place won, as its gradient needs it, where prediction does without.
    private mutating func rememberMaxima(behind value: ValueID) {
        let reached = dependants(of: [value])
        for index in nodes.indices where nodes[index].inputs.contains(where: reached.contains) {
            guard case .maxPool2D(var op) = nodes[index].op, !op.givesIndices else { continue }
            op.givesIndices = true
            nodes[index].op = .maxPool2D(op)
            let type = TensorType(shape(of: nodes[index].outputs[0]), .uint8)
            nodes[index].outputs.append(makeValue(type, source: .node))
        }
    }

    /// The values, and all that are computed from them.
    private func dependants(of values: Set<ValueID>) -> Set<ValueID> {
        nodes.reduce(into: values) { values, node in
            if node.inputs.contains(where: values.contains) { values.formUnion(node.outputs) }
        }
    }

    /// Goes back from what the gradients are known of to `wanted`, a parameter's gradient becoming its region's.
    ///
    /// - Returns: all gradients, by what they are of.
    private mutating func propagate(
        _ known: [ValueID: ValueID], to wanted: Set<ValueID>, before end: Int
    ) throws -> [ValueID: ValueID] {
        let trained = dependants(of: wanted)
        var gradients = known
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
        return gradients
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
