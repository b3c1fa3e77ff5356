import ResinGraph
import ResinTensor

/// Where a value lies during a step.
package enum Placement: Hashable, Sendable {
    /// At a byte offset in the arena, which all plans of an executor share.
    case arena(offset: Int)
    /// At a byte offset in a buffer that outlives the step.
    case region(Region, offset: Int)

    /// So many bytes further on.
    package static func + (place: Placement, byteCount: Int) -> Placement {
        switch place {
        case .arena(let offset): .arena(offset: offset + byteCount)
        case .region(let region, let offset): .region(region, offset: offset + byteCount)
        }
    }
}

/// A graph made ready to run: fused, every value placed, every byte known before the first launch.
package struct Plan: Sendable {
    package let graph: Graph
    /// How each node is made, as the executor chose.
    package let forms: [any NodeForm]
    /// Where each value lies; nil for a value that fusion left unused.
    package let placements: [Placement?]
    /// Scratch memory in the arena, by node, as the executor asked for it.
    package let workspaces: [Int: Range<Int>]
    /// Whether that lies in `Region.keptWorkspaces` instead, where nothing else does: what is made of the weights alone is
    /// then there at the next step.
    package let keepsWorkspaces: Bool
    /// What is prepared before the first node that has any, by node: one piece of the arena, one after another.
    package let prepared: [Int: Range<Int>]
    package let arenaByteCount: Int
    /// The arena may be as many allocations of this size as it takes; and what lies in one piece at least.
    package let pieceByteCount: Int
    package let largestBlockByteCount: Int
    /// Values that lie among another's channels, where that one is placed.
    package let channelViews: [ValueID: ChannelView]
    package let parameterLayout: FlatLayout
    /// Of the gradients, and of the optimizer's states.
    package let gradientLayout: FlatLayout
    package let statisticLayout: FlatLayout

    package subscript(id: ValueID) -> Placement {
        guard let placement = placements[id.index] else {
            preconditionFailure("value \(id.index) is not part of the plan")
        }
        return placement
    }

    /// Where a part of a node's scratch memory lies.
    package func workspace(of node: Int, offset: Int) -> Placement {
        let start = workspaces[node]!.lowerBound + offset
        return keepsWorkspaces ? .region(.keptWorkspaces, offset: start) : .arena(offset: start)
    }

    /// - Parameters:
    ///   - rewrites: what the executor wants made of the graph.
    ///   - allocationByteCount: what one allocation may have.
    ///   - keepsWorkspaces: for a graph whose weights stay as they are.
    ///   - form: the executor's form of a node of the fused graph.
    package init(
        _ source: Graph, _ rewrites: GraphRewrites = GraphRewrites(), allocationByteCount: Int = .max,
        keepsWorkspaces: Bool = false,
        form: (Node, Graph) -> any NodeForm = { _, _ in PlainForm() }
    ) {
        let graph = source.rewritten(rewrites)
        graph.checkInvariants()
        let forms = graph.nodes.map { form($0, graph) }
        self.forms = forms
        self.graph = graph
        parameterLayout = FlatLayout(parametersOf: graph)
        gradientLayout = FlatLayout(gradientsOf: graph)
        statisticLayout = FlatLayout(statisticsOf: graph)

        channelViews = graph.channelViews(forms)
        // When nodes have their turn: those that are made together at the same time, as if they were one.
        let turns = forms.indices.reduce(into: [Int]()) { turns, index in
            turns.append(index > 0 && forms[index - 1].joinsNext ? turns[index - 1] : index)
        }
        var liveness = Liveness(graph, channelViews, turns: turns)
        var workspaceBlocks: [Int: Int] = [:]
        self.keepsWorkspaces = keepsWorkspaces
        for (index, form) in forms.enumerated() where form.workspaceByteCount > 0 && !keepsWorkspaces {
            workspaceBlocks[index] = liveness.addBlock(form.workspaceByteCount, turns[index]...turns[index])
        }
        let preparing = forms.indices.filter { forms[$0].preparedByteCount > 0 }
        let preparedLayout = FlatLayout(counts: preparing.map { forms[$0].preparedByteCount / 4 })
        let preparedBlock = preparing.last.map {
            liveness.addBlock(preparedLayout.byteCount, turns[preparing[0]]...turns[$0])
        }
        pieceByteCount = FlatLayout.wholePieces(allocationByteCount)
        let arena = ArenaLayout(liveness.blocks, pieceByteCount: pieceByteCount)
        largestBlockByteCount = liveness.blocks.map(\.byteCount).max() ?? 0
        arenaByteCount = arena.byteCount
        workspaces =
            keepsWorkspaces
            ? Self.keptWorkspaces(of: forms)
            : workspaceBlocks.mapValues {
                arena.offsets[$0]..<arena.offsets[$0] + liveness.blocks[$0].byteCount
            }
        prepared = Dictionary(
            uniqueKeysWithValues: preparing.enumerated().map { place, node in
                let start = arena.offsets[preparedBlock!] + preparedLayout.byteOffset(place)
                return (node, start..<start + forms[node].preparedByteCount)
            })
        let parameterLayout = parameterLayout
        let statisticLayout = statisticLayout
        var placements: [Placement?] = graph.values.enumerated().map { index, value in
            switch value.source {
            case .node: liveness.blockOfValue[index].map { .arena(offset: arena.offsets[$0]) }
            case .parameter(let index): .region(.parameters, offset: parameterLayout.byteOffset(index))
            case .gradient(let index): .region(.gradients, offset: parameterLayout.byteOffset(index))
            case .statistic(let index): .region(.statistics, offset: statisticLayout.byteOffset(index))
            case .region(let region): .region(region, offset: 0)
            }
        }
        for node in graph.nodes where node.op.body.isView && placements[node.outputs[0].index] == nil {
            placements[node.outputs[0].index] = placements[node.inputs[0].index]
        }
        self.placements = placements
    }
}

extension Plan {
    /// One behind the other.
    private static func keptWorkspaces(of forms: [any NodeForm]) -> [Int: Range<Int>] {
        let nodes = forms.indices.filter { forms[$0].workspaceByteCount > 0 }
        let layout = FlatLayout(counts: nodes.map { (forms[$0].workspaceByteCount + 3) / 4 })
        return Dictionary(
            uniqueKeysWithValues: nodes.enumerated().map { place, node in
                let start = layout.byteOffset(place)
                return (node, start..<start + forms[node].workspaceByteCount)
            })
    }

    /// What its steps read and write that outlives them, and how large it has to be.
    package var regionByteCounts: [Region: Int] {
        var result: [Region: Int] = [:]
        for value in graph.values {
            switch value.source {
            case .node: break
            case .parameter: result[.parameters] = parameterLayout.byteCount
            case .gradient: result[.gradients] = gradientLayout.byteCount
            case .statistic: result[.statistics] = statisticLayout.byteCount
            case .region(let region): result[region] = max(result[region] ?? 0, value.type.byteCount)
            }
        }
        if keepsWorkspaces, let end = workspaces.values.map(\.upperBound).max() {
            result[.keptWorkspaces] = end
        }
        return result
    }
}

/// Several tensors one after another in one float32 buffer. Each starts at a multiple of `alignment`, which
/// suits every device's rule for sub-buffers; the gaps hold zeros.
package struct FlatLayout: Hashable, Sendable {
    /// Bytes; NVIDIA's drivers ask for 512, PoCL for 128.
    package static let alignment = 512

    /// Each tensor's place, in floats.
    package let ranges: [Range<Int>]
    /// In floats, gaps included.
    package let count: Int

    package init(counts: [Int]) { self.init(counts: counts, order: Array(counts.indices)) }

    /// - Parameter order: in which the tensors lie.
    private init(counts: [Int], order: [Int]) {
        var next = 0
        var ranges = [Range<Int>](repeating: 0..<0, count: counts.count)
        for index in order {
            ranges[index] = next..<next + counts[index]
            next = (next + counts[index]).roundedUp(toMultipleOf: Self.alignment / 4)
        }
        self.ranges = ranges
        count = max(next, Self.alignment / 4)
    }

    /// Trained parameters lie before the others, so that their gradients lie at the same places.
    package init(parametersOf graph: Graph) {
        let (trained, others) = graph.parameters.partitioned
        self.init(
            counts: graph.parameters.map(\.layout.count), order: trained + others)
    }

    /// Of the trained parameters; that of another is empty.
    package init(gradientsOf graph: Graph) {
        let (trained, others) = graph.parameters.partitioned
        self.init(
            counts: graph.parameters.map { $0.isTrained ? $0.layout.count : 0 }, order: trained + others)
    }

    package init(statisticsOf graph: Graph) { self.init(counts: graph.statistics.map(\.count)) }

    /// As much of so many bytes as tensors can use.
    package static func wholePieces(_ byteCount: Int) -> Int { byteCount / alignment * alignment }

    package var byteCount: Int { 4 * count }
    package func byteOffset(_ index: Int) -> Int { 4 * ranges[index].lowerBound }
}

extension [Parameter] {
    /// Indices of those that are trained, and of the others.
    fileprivate var partitioned: (trained: [Int], others: [Int]) {
        (indices.filter { self[$0].isTrained }, indices.filter { !self[$0].isTrained })
    }
}

extension Int {
    package func roundedUp(toMultipleOf step: Int) -> Int { (self + step - 1) / step * step }
}
