import ResinGraph
import ResinTensor

extension Graph {
    /// Moves element-wise work into the node that produces its input, where nothing else reads that input:
    ///
    /// - convolution → batch norm with running statistics becomes one node;
    /// - an activation joins the convolution, batch norm, pooling or addition before it;
    /// - an addition joins the convolution, its gradient, the batch norm or the slice that produces one of what it
    ///   adds: the last of these, for then the other is there;
    /// - the gradient of an activation joins the node that produces the gradient it takes; that of max pooling reads the
    ///   pooling's output for its operand, so that what was pooled need not be kept.
    ///
    /// Comes after differentiation: an activation whose gradient reads its output is fused, for the fused node still
    /// gives that; one whose gradient reads its input has two readers there, and stays.
    ///
    /// - Parameter leastExponentialChannels: see `GraphRewrites`.
    package func fused(
        leastExponentialChannels: Int = GraphRewrites().leastExponentialChannels
    ) -> Graph {
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
        /// What computed a value that one node reads.
        func producer(of value: ValueID) -> Int? {
            guard consumerCounts[value.index] == 1, let index = producers[value],
                graph.nodes[index].outputs[0] == value
            else { return nil }
            return index
        }
        for index in graph.nodes.indices {
            let node = graph.nodes[index]
            let isSum = node.op.body.asEpilogue?.adds == true
            let earlier = node.inputs.prefix(isSum ? 2 : 1)
                .compactMap { input in producer(of: input).map { (input, $0) } }
                .sorted { $0.1 > $1.1 }
            for (input, place) in earlier {
                let before = graph.nodes[place]
                // What stands in front of a view is moved behind what else the joined node reads, and the view after it.
                let isView = before.op.body.isView && node.op.body.asEpilogue != nil
                guard let first = isView ? producer(of: before.inputs[0]) : place,
                    !isView || node.inputs.allSatisfy({ $0 == input || producers[$0] ?? -1 < place }),
                    !graph.hasNarrowExponential(graph.nodes[first], node, leastExponentialChannels),
                    var fused = graph.nodes[first].absorbing(
                        node, behind: input, pooling: pooling(of: graph.nodes[first]))
                else { continue }
                // The fused node stands where the later one stood, so that all it reads is computed.
                if isView {
                    fused.outputs[0] = before.inputs[0]
                    graph.nodes[index] = before
                    graph.nodes[index].outputs[0] = node.outputs[0]
                    graph.nodes[place] = fused
                    for output in fused.outputs { producers[output] = place }
                } else {
                    graph.nodes[index] = fused
                }
                removed.insert(first)
                break
            }
            for output in graph.nodes[index].outputs { producers[output] = index }
        }
        graph.nodes = graph.nodes.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
        return graph
    }
}

extension Node {
    /// This node with `next`'s work, which reads `output` of it, at its end, or nil where there is no such fusion.
    fileprivate func absorbing(_ next: Node, behind output: ValueID, pooling: Node?) -> Node? {
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
            guard let pooling, pooling.op.body.epilogue == .none, next.inputs[1] == pooling.inputs[0] else {
                return nil
            }
            fused.inputs.append(pooling.outputs[0])
        } else {
            fused.inputs += next.inputs.filter { $0 != output }
        }
        fused.outputs[0] = next.outputs[0]
        return fused
    }
}

extension Graph {
    /// Whether `next` would have a node compute exponentials for fewer channels than are worth it.
    fileprivate func hasNarrowExponential(_ node: Node, _ next: Node, _ leastChannels: Int) -> Bool {
        guard case .activation(let activation) = next.op else { return false }
        return switch node.op {
        case .convolution2D, .groupedConvolution2D, .maxPool2D, .averagePool2D, .adaptiveAveragePool2D:
            activation.takesExponential && shape(of: node.outputs[0]).channels < leastChannels
        default: false
        }
    }
}
