import ResinGraph
import ResinTensor

/// A piece of the arena and the nodes between which it must not be given to anyone else.
package struct Block: Hashable, Sendable {
    package var byteCount: Int
    /// The turns of the first and the last node that use it: their indices, or for one that is made together with those
    /// before it, the first's.
    package var lifetime: ClosedRange<Int>

    package init(byteCount: Int, lifetime: ClosedRange<Int>) {
        self.byteCount = byteCount
        self.lifetime = lifetime
    }
}

/// Which values share memory because one overwrites or views the other, and from when to when each is needed.
struct Liveness {
    private(set) var blocks: [Block] = []
    /// The block of each value that lives in the arena.
    private(set) var blockOfValue: [Int?]

    /// - Parameter turns: of each node, see `Block.lifetime`.
    init(_ graph: Graph, _ channelViews: [ValueID: ChannelView], turns: [Int]) {
        // Results are read after the last node, so that not even that one may overwrite them.
        let end = graph.nodes.count
        var lastUse = [Int](repeating: -1, count: graph.values.count)
        for (index, node) in graph.nodes.enumerated() {
            for value in node.inputs + node.outputs { lastUse[value.index] = turns[index] }
        }
        for result in graph.results { lastUse[result.index] = end }

        blockOfValue = Array(repeating: nil, count: graph.values.count)
        for (turn, node) in zip(turns, graph.nodes) {
            for (position, output) in node.outputs.enumerated() where graph[output].source == .node {
                // A view of something in a region is not in the arena: `Plan` places it there.
                if node.op.body.isView && blockOfValue[node.inputs[0].index] == nil { continue }
                // What lies among another's channels takes that one's block, from the first of them on.
                let owner = channelViews[output]?.whole ?? output
                let byteCount = graph[owner].type.byteCount
                let block: Int
                if let begun = blockOfValue[owner.index] {
                    block = begun
                } else if let shared = blockToShare(node, at: turn, position, byteCount, graph) {
                    block = shared
                } else {
                    blocks.append(Block(byteCount: byteCount, lifetime: turn...turn))
                    block = blocks.count - 1
                }
                blockOfValue[owner.index] = block
                blockOfValue[output.index] = block
                // A shared block serves until the last use of any value in it.
                let last = max(blocks[block].lifetime.upperBound, lastUse[output.index])
                blocks[block].lifetime = blocks[block].lifetime.lowerBound...last
            }
        }
    }

    /// The block of an input that this output may take over: a view's always, an overwritten one's when no
    /// value in it is read later.
    private func blockToShare(
        _ node: Node, at turn: Int, _ position: Int, _ byteCount: Int, _ graph: Graph
    ) -> Int? {
        guard position == 0 else { return nil }
        if node.op.body.isView { return blockOfValue[node.inputs[0].index] }
        for input in node.op.body.inPlaceInputs {
            guard let block = blockOfValue[node.inputs[input].index],
                blocks[block].lifetime.upperBound == turn,
                graph[node.inputs[input]].type.byteCount == byteCount,
                // The same value twice, as in x + x, or a mask in the same block, would be read after the write.
                !node.inputs.indices.contains(where: {
                    $0 != input && blockOfValue[node.inputs[$0].index] == block
                })
            else { continue }
            return block
        }
        return nil
    }

    /// Scratch memory that nodes need besides.
    mutating func addBlock(_ byteCount: Int, _ lifetime: ClosedRange<Int>) -> Int {
        blocks.append(Block(byteCount: byteCount, lifetime: lifetime))
        return blocks.count - 1
    }
}

/// Gives each block an offset such that blocks whose lifetimes meet do not overlap: largest first, each at
/// the lowest offset that is free for its whole life (greedy by size; Pisarchyk and Lee, "Efficient memory
/// management for deep neural net inference", 2020).
package struct ArenaLayout {
    package let offsets: [Int]
    package let byteCount: Int

    /// - Parameter pieceByteCount: what one allocation may have, a multiple of the alignment. No block lies across a
    ///   multiple of it, unless it is larger itself, so that the arena may be several allocations.
    package init(_ blocks: [Block], pieceByteCount: Int = FlatLayout.wholePieces(.max)) {
        func inOnePiece(_ offset: Int, _ size: Int) -> Int {
            let crosses = offset % pieceByteCount > pieceByteCount - min(size, pieceByteCount)
            return crosses ? offset.roundedUp(toMultipleOf: pieceByteCount) : offset
        }
        var offsets = [Int](repeating: 0, count: blocks.count)
        var placed: [Int] = []
        var end = 0
        let largestFirst = blocks.indices.sorted {
            (blocks[$0].byteCount, $1) > (blocks[$1].byteCount, $0)
        }
        for index in largestFirst {
            let size = blocks[index].byteCount.roundedUp(toMultipleOf: FlatLayout.alignment)
            var offset = 0
            for other in placed where blocks[other].lifetime.overlaps(blocks[index].lifetime) {
                let otherEnd =
                    offsets[other] + blocks[other].byteCount.roundedUp(toMultipleOf: FlatLayout.alignment)
                if offset + size <= offsets[other] { break }
                offset = inOnePiece(max(offset, otherEnd), size)
            }
            offsets[index] = offset
            end = max(end, offset + size)
            placed.insert(index, at: placed.firstIndex { offsets[$0] > offset } ?? placed.count)
        }
        self.offsets = offsets
        byteCount = end
        checkInvariants(blocks)
    }

    /// Traps when two blocks that live at the same time overlap.
    package func checkInvariants(_ blocks: [Block]) {
        for first in blocks.indices {
            for second in blocks.indices.dropFirst(first + 1)
            where blocks[first].lifetime.overlaps(blocks[second].lifetime) {
                precondition(
                    offsets[first] + blocks[first].byteCount <= offsets[second]
                        || offsets[second] + blocks[second].byteCount <= offsets[first],
                    "blocks \(first) and \(second) overlap")
            }
        }
    }
}
