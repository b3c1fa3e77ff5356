import ResinGraph

/// Where a value lies among another's channels: an input of a concatenation that is written where it will be read, or a
/// part of a concatenation's gradient that is read where it was written.
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
    /// them but the concatenation and the slices of its gradient that they mask. And the parts of a concatenation's gradient
    /// where none of them needs a copy: all that reads them can read among other channels.
    func channelViews(_ forms: [any NodeForm]) -> [ValueID: ChannelView] {
        var producers: [ValueID: Int] = [:]
        var readers: [ValueID: [Node]] = [:]
        var uses: [ValueID: [(form: any NodeForm, input: Int)]] = [:]
        for (index, node) in nodes.enumerated() {
            if let output = node.outputs.first { producers[output] = index }
            for (place, input) in node.inputs.enumerated() {
                readers[input, default: []].append(node)
                uses[input, default: []].append((forms[index], place))
            }
        }
        var views: [ValueID: ChannelView] = [:]
        /// Whether a value is in the arena, which views are placed in: not a parameter under another shape.
        func isInArena(_ value: ValueID) -> Bool {
            guard let producer = producers[value].map({ nodes[$0] }) else { return false }
            return !producer.op.body.isView || isInArena(producer.inputs[0])
        }
        for node in nodes {
            guard case .channelSplit(let split) = node.op, isInArena(node.inputs[0]),
                !node.outputs.contains(where: results.contains)
            else { continue }
            let channels = shape(of: node.inputs[0]).channels
            let firsts = split.counts.reduce(into: [0]) { $0.append($0.last! + $1) }
            let areRead = zip(node.outputs, firsts).allSatisfy { output, first in
                uses[output, default: []].allSatisfy { form, input in
                    form.viewWidth(ofInput: input).map { channels % $0 == 0 && first % $0 == 0 } ?? false
                }
            }
            guard areRead else { continue }
            for (output, first) in zip(node.outputs, firsts) {
                views[output] = ChannelView(whole: node.inputs[0], first: first)
            }
        }
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
