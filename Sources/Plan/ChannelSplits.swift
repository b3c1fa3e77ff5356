import ResinGraph

extension Graph {
    /// The slices that a concatenation's gradient is cut into, as one node that reads it once.
    ///
    /// Where each is then masked by the gradient of the activation that its input of the concatenation ended in, the
    /// whole is masked by the whole, first: that can join what makes the gradient. Not where a slice is but added to
    /// another value, which it can join itself.
    func splittingAtOnce() -> Graph {
        var graph = self
        var readers: [ValueID: [Int]] = [:]
        for (index, node) in nodes.enumerated() {
            for input in Set(node.inputs) { readers[input, default: []].append(index) }
        }
        var removed = Set<Int>()
        for first in nodes.indices {
            guard case .channelSlice = nodes[first].op, let slices = readers[nodes[first].inputs[0]],
                slices.count > 1, slices.first == first,
                let parts = partition(of: nodes[first].inputs[0], slices)
            else { continue }
            let whole = nodes[first].inputs[0]
            let uses = parts.map { readers[$0.output, default: []] }
            if uses.contains(where: { $0.count == 1 && isAddition(nodes[$0[0]]) }) { continue }
            let masks = zip(parts, uses).map { part, uses in
                uses.count == 1 && !results.contains(part.output)
                    ? mask(nodes[uses[0]], of: part.output) : nil
            }
            var split = nodes[first]
            split.op = .channelSplit(Op.ChannelSplit(parts.map(\.count)))
            split.outputs = parts.map(\.output)
            removed.formUnion(slices)
            if let joint = jointMask(masks) {
                let masked = graph.makeValue(self[whole].type, source: .node)
                graph.nodes[first].op = .activationGradient(joint.activation)
                graph.nodes[first].inputs = [whole, joint.operand]
                graph.nodes[first].outputs = [masked]
                split.inputs = [masked]
                split.outputs = uses.map { nodes[$0[0]].outputs[0] }
                graph.nodes[slices[1]] = split
                removed.formUnion(uses.map { $0[0] })
                removed.subtract([first, slices[1]])
            } else if masks.allSatisfy({ $0 == nil }) {
                graph.nodes[first] = split
                removed.remove(first)
            } else {
                removed.subtract(slices)
            }
        }
        graph.nodes = graph.nodes.indices.filter { !removed.contains($0) }.map { graph.nodes[$0] }
        return graph
    }

    /// The slices' outputs and channels in their order, where they are plain slices of `whole` that leave nothing out.
    private func partition(of whole: ValueID, _ slices: [Int]) -> [(output: ValueID, count: Int)]? {
        let parts = slices.compactMap { index -> (Range<Int>, ValueID)? in
            guard case .channelSlice(let slice) = nodes[index].op, slice.epilogue == .none else { return nil }
            return (slice.channels, nodes[index].outputs[0])
        }.sorted { $0.0.lowerBound < $1.0.lowerBound }
        let bounds = [0] + parts.map(\.0.upperBound)
        guard parts.count == slices.count, zip(bounds, parts).allSatisfy({ $0 == $1.0.lowerBound }),
            bounds.last == shape(of: whole).channels
        else { return nil }
        return parts.map { ($1, $0.count) }
    }

    private func isAddition(_ node: Node) -> Bool {
        if case .add = node.op { true } else { false }
    }

    private typealias Mask = (activation: Activation, operand: ValueID)

    private func mask(_ node: Node, of value: ValueID) -> Mask? {
        guard case .activationGradient(let activation) = node.op, node.inputs[0] == value else { return nil }
        return (activation, node.inputs[1])
    }

    /// The masks as one, of the concatenation that their operands are the inputs of.
    private func jointMask(_ masks: [Mask?]) -> Mask? {
        let operands = masks.map { $0?.operand }
        guard let activation = masks[0]?.activation, masks.allSatisfy({ $0?.activation == activation }),
            let whole = nodes.first(where: { $0.op == .concatenation && $0.inputs == operands })
        else { return nil }
        return (activation, whole.outputs[0])
    }
}
