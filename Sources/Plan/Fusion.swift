import ResinGraph
import ResinTensor

extension Graph {
    /// Moves element-wise work into the node that produces its input, where nothing else reads that input:
    ///
    /// - convolution → batch norm with running statistics becomes one node;
    /// - convolution → activation, batch norm → activation, addition → activation become one node each;
    /// - the gradient of an activation joins the convolution, pooling, addition or slice that produces the gradient it
    ///   takes; that of max pooling reads the pooling's output for its operand, so that what was pooled need not be kept.
    ///
    /// Comes after differentiation: an activation whose gradient reads its output is fused, for the fused node still
    /// gives that; one whose gradient reads its input has two readers there, and stays.
    package func fused() -> Graph {
        var graph = self
        var consumerCounts = [Int](repeating: 0, count: values.count)
        for node in nodes { for input in node.inputs { consumerCounts[input.index] += 1 } }
        for result in results { consumerCounts[result.index] += 1 }

        var producers: [ValueID: Int] = [:]
        var removed = Set<Int>()
        /// The pooling whose gradient a node is.
        func pooling(of node: Node) -> Node? {
            guard case .maxPool2DGradient = node.op else { return nil }
            return producers[node.inputs[1]].map { graph.nodes[$0] }
        }
        for index in graph.nodes.indices {
            let node = graph.nodes[index]
            if let input = node.inputs.first, consumerCounts[input.index] == 1,
                let producer = producers[input],
                graph.nodes[producer].outputs[0] == input,
                let fused = graph.nodes[producer].absorbing(node, pooling: pooling(of: graph.nodes[producer]))
            {
                // The fused node stands where the later one stood, so that all it reads is computed.
                graph.nodes[index] = fused
                removed.insert(producer)
            }
            for output in graph.nodes[index].outputs { producers[output] = index }
        }
        graph.nodes = graph.nodes.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
        return graph
    }
}

extension Node {
    /// This node with `next`'s work at its end, or nil where there is no such fusion.
    fileprivate func absorbing(_ next: Node, pooling: Node?) -> Node? {
        let fusedOp: Op?
        if case .batchNormInference(let norm) = next.op {
            fusedOp = op.body.folding(norm)
        } else {
            fusedOp = next.op.body.asEpilogue.flatMap(op.body.with)
        }
        guard let fusedOp else { return nil }
        var fused = self
        fused.op = fusedOp
        if case .maxPool2DGradient = op {
            guard let pooling, next.inputs[1] == pooling.inputs[0] else { return nil }
            fused.inputs.append(pooling.outputs[0])
        } else {
            fused.inputs += next.inputs.dropFirst()
        }
        fused.outputs[0] = next.outputs[0]
        return fused
    }
}
