import ResinGraph

/// Where a value lies among another's channels: an input of a concatenation that is written where it will be read.
package struct ChannelView: Hashable, Sendable {
    package var whole: ValueID
    /// Its first channel there.
    package var first: Int

    package init(whole: ValueID, first: Int) {
        self.whole = whole
        self.first = first
    }
}

extension Graph {
    /// The inputs of concatenations that need no copy: their producer can write among other channels, and nothing reads
    /// them but the concatenation and the slices of its gradient that they mask.
    func channelViews(_ forms: [any NodeForm]) -> [ValueID: ChannelView] {
        var producers: [ValueID: Int] = [:]
        var readers: [ValueID: [Node]] = [:]
        for (index, node) in nodes.enumerated() {
            if let output = node.outputs.first { producers[output] = index }
            for input in node.inputs { readers[input, default: []].append(node) }
        }
        var views: [ValueID: ChannelView] = [:]
        for node in nodes where node.op == .concatenation {
            var first = 0
            for input in node.inputs {
                let others = readers[input, default: []].filter { $0.outputs != node.outputs }
                if let producer = producers[input], forms[producer].writesChannelViews,
                    !results.contains(input),
                    node.inputs.filter({ $0 == input }).count == 1,
                    others.allSatisfy({ $0.isSlice(maskedBy: input) })
                {
                    views[input] = ChannelView(whole: node.outputs[0], first: first)
                }
                first += shape(of: input).channels
            }
        }
        return views
    }
}

extension Node {
    fileprivate func isSlice(maskedBy value: ValueID) -> Bool {
        guard case .channelSlice(let slice) = op else { return false }
        return slice.epilogue.readsOperand && !inputs.dropLast().contains(value)
    }
}
