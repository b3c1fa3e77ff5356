import ResinGraph
import ResinTensor

extension Graph {
    /// Gradients of neighbouring slices of one value, which their sum would pad with zeros, put side by side instead: the
    /// sum is their concatenation, or where other channels are left, padded once.
    func joiningPads() -> Graph {
        var graph = self
        var producers: [ValueID: Int] = [:]
        var readerCounts: [ValueID: Int] = [:]
        for node in nodes { for input in node.inputs { readerCounts[input, default: 0] += 1 } }
        for result in results { readerCounts[result, default: 0] += 1 }
        var removed = Set<Int>()
        for index in nodes.indices {
            let pads = graph.nodes[index].inputs.compactMap { input -> (place: Int, pad: Op.ChannelPad)? in
                guard readerCounts[input] == 1, let place = producers[input],
                    case .channelPad(let pad) = graph.nodes[place].op, pad.epilogue == .none
                else { return nil }
                return (place, pad)
            }.sorted { $0.pad.channels.lowerBound < $1.pad.channels.lowerBound }
            if graph.nodes[index].op == .add(Op.Add()), pads.count == 2,
                pads[0].pad.channels.upperBound == pads[1].pad.channels.lowerBound
            {
                let pad = Op.ChannelPad(
                    pads[0].pad.channels.lowerBound..<pads[1].pad.channels.upperBound, of: pads[0].pad.count)
                let parts = pads.map { graph.nodes[$0.place].inputs[0] }
                if pad.channels.count == pad.count {
                    graph.nodes[index].op = .concatenation
                    graph.nodes[index].inputs = parts
                    removed.formUnion(pads.map(\.place))
                } else {
                    // In the place of the later pad.
                    let last = max(pads[0].place, pads[1].place)
                    let shape = Shape(graph.shape(of: parts[0]).extents.dropLast() + [pad.channels.count])
                    let joint = graph.makeValue(
                        TensorType(shape, graph[parts[0]].type.elementType), source: .node)
                    graph.nodes[last].op = .concatenation
                    graph.nodes[last].inputs = parts
                    graph.nodes[last].outputs = [joint]
                    graph.nodes[index].op = .channelPad(pad)
                    graph.nodes[index].inputs = [joint]
                    removed.insert(min(pads[0].place, pads[1].place))
                }
            }
            for output in graph.nodes[index].outputs { producers[output] = index }
        }
        graph.nodes = graph.nodes.indices.filter { !removed.contains($0) }.map { graph.nodes[$0] }
        return graph
    }
}
