import ResinGraph

extension Graph {
    /// Labels, loss, the loss's gradient and the metrics as one node, where the graph has them; it stands where the
    /// gradient stood, or the loss in a graph that is not trained.
    func joiningLoss() -> Graph {
        guard let end = nodes.lastIndex(where: { $0.op == .recordMetrics }),
            let loss = nodes.lastIndex(where: { $0.outputs.first == nodes[end].inputs[0] }),
            case .softmaxCrossEntropy(let op) = nodes[loss].op,
            let labels = nodes.lastIndex(where: { $0.outputs.first == nodes[loss].inputs[1] }),
            [.labelInput, .sampleLabels].contains(nodes[labels].op)
        else { return self }
        let readsSamples = nodes[labels].op == .sampleLabels
        // The samples that say what is mixed are those that the labels come from.
        if op.mixes && !(readsSamples && nodes[loss].inputs[2] == nodes[labels].inputs[0]) { return self }
        let gradient = nodes.firstIndex { $0.op == op.gradientSeed && $0.inputs == nodes[loss].inputs }
        let own = [labels, loss, end] + (gradient.map { [$0] } ?? [])
        let outputs = [nodes[labels].outputs[0], nodes[loss].outputs[0]]
        guard !results.contains(where: outputs.contains),
            outputs.allSatisfy({ consumers(of: $0).allSatisfy(own.contains) })
        else { return self }
        var graph = self
        var node = nodes[loss]
        node.op = .lossStep(
            Op.LossStep(op, givesGradient: gradient != nil, readsSamples: readsSamples))
        // The labels' last input is the images, for their number; the loss's, if any, are its weights and its scale, which
        // come last.
        node.inputs =
            [node.inputs[0]] + nodes[labels].inputs.dropLast() + [nodes[end].inputs[1]]
            + node.inputs.dropFirst(op.mixes ? 3 : 2)
        node.outputs = gradient.map { nodes[$0].outputs } ?? []
        graph.nodes[gradient ?? loss] = node
        graph.nodes = graph.nodes.indices.filter { $0 == gradient ?? loss || !own.contains($0) }
            .map { graph.nodes[$0] }
        return graph
    }
}
