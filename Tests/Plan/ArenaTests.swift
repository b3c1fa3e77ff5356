import ResinGraph
import ResinPlan
import ResinTensor
import Testing

@Suite("The arena")
struct ArenaTests {
    /// Up to 100,000 bytes each.
    private func randomBlocks(seed: UInt64) -> [Block] {
        let philox = Philox(seed: seed, stream: .glyphs)
        return (0..<UInt32(60)).map { index in
            let words = philox(Philox.Block(index, 0, 0, 0))
            let first = Int(words.x % 50)
            return Block(
                byteCount: 1 + Int(words.y % 100_000), lifetime: first...first + Int(words.z % 20))
        }
    }

    @Test("random blocks that live together never overlap", arguments: 0..<40)
    func random(seed: UInt64) {
        let blocks = randomBlocks(seed: seed)
        let arena = ArenaLayout(blocks)
        arena.checkInvariants(blocks)
        // At least what lives at the fullest moment, at most all of it.
        let live = (0..<70).map { moment in
            blocks.filter { $0.lifetime.contains(moment) }.reduce(0) { $0 + $1.byteCount }
        }
        #expect(arena.byteCount >= live.max()!)
        let all = blocks.reduce(0) { $0 + $1.byteCount.roundedUp(toMultipleOf: FlatLayout.alignment) }
        #expect(arena.byteCount < all)
        #expect(arena.offsets.allSatisfy { $0 % FlatLayout.alignment == 0 })
    }

    @Test("no block lies in two pieces of an arena that is several allocations", arguments: 0..<40)
    func pieces(seed: UInt64) {
        let blocks = randomBlocks(seed: seed)
        let piece = 200 * FlatLayout.alignment
        let arena = ArenaLayout(blocks, pieceByteCount: piece)
        arena.checkInvariants(blocks)
        #expect(arena.byteCount > piece)
        for (offset, block) in zip(arena.offsets, blocks) {
            #expect(offset / piece == (offset + block.byteCount - 1) / piece)
        }
    }

    @Test("blocks one after another share a place, blocks at once do not")
    func literal() {
        let arena = ArenaLayout([
            Block(byteCount: 1024, lifetime: 0...1), Block(byteCount: 512, lifetime: 1...2),
            Block(byteCount: 1024, lifetime: 2...3),
        ])
        #expect(arena.offsets == [0, 1024, 0])
        #expect(arena.byteCount == 1536)
    }

    @Test("no blocks, no bytes")
    func empty() { #expect(ArenaLayout([]).byteCount == 0) }

    /// A graph of one-input operators one after another, behind an image of 2×2 pixels and 64 channels: 1024
    /// bytes.
    private func chain(_ ops: Op..., keeping kept: Int? = nil) throws -> (plan: Plan, values: [ValueID]) {
        var graph = Graph()
        var values = [graph.addRegion(.images(.test), TensorType([1, 2, 2, 64]))]
        for op in ops { values += try graph.apply(op, to: [values.last!], name: "op") }
        graph.results = [values.last!] + (kept.map { [values[$0]] } ?? [])
        return (Plan(graph), values)
    }

    private func dropout(_ node: UInt32) -> Op { .dropout(Op.Dropout(probability: 0.5, node: node)) }

    @Test("a chain of element-wise operators runs in one place")
    func inPlace() throws {
        let (plan, values) = try chain(dropout(0), .relu, dropout(1), .flatten)
        #expect(plan.arenaByteCount == 1024)
        #expect(values.dropFirst().allSatisfy { plan[$0] == .arena(offset: 0) })
    }

    @Test("what the data set holds is never overwritten")
    func regions() throws {
        let (plan, values) = try chain(.relu)
        #expect(plan[values[0]] == .region(.images(.test), offset: 0))
        #expect(plan[values[1]] == .arena(offset: 0))
    }

    @Test("a result in the middle keeps its place")
    func result() throws {
        let (plan, values) = try chain(dropout(0), dropout(1), dropout(2), keeping: 1)
        #expect(plan.arenaByteCount == 2048)
        #expect(plan[values[1]] != plan[values[2]])
        #expect(plan[values[2]] == plan[values[3]])
    }

    @Test("x + x does not overwrite x")
    func doubled() throws {
        var graph = Graph()
        let images = graph.addRegion(.images(.test), TensorType([1, 2, 2, 64]))
        let x = try graph.apply(dropout(0), to: [images], name: "x")[0]
        let sum = try graph.apply(.add(Op.Add()), to: [x, x], name: "sum")[0]
        graph.results = [sum]
        let plan = Plan(graph)
        #expect(plan[x] != plan[sum])
    }

    @Test("a view keeps the viewed value's place for as long as the view is read")
    func view() throws {
        var graph = Graph()
        let images = graph.addRegion(.images(.test), TensorType([1, 2, 2, 64]))
        let x = try graph.apply(dropout(0), to: [images], name: "x")[0]
        let flat = try graph.apply(.flatten, to: [x], name: "flat")[0]
        let other = try graph.apply(dropout(1), to: [images], name: "other")[0]
        let pooled = try graph.apply(.globalAveragePool, to: [other], name: "pooled")[0]
        graph.results = [flat, pooled]
        let plan = Plan(graph)
        #expect(plan[flat] == plan[x])
        #expect(plan[other] != plan[x])
    }

    /// Two dropouts of the images side by side, and, where asked for, something else that reads the first.
    private func concatenated(
        readElsewhere: Bool = false
    ) throws -> (plan: Plan, x: ValueID, y: ValueID, whole: ValueID) {
        var graph = Graph()
        let images = graph.addRegion(.images(.test), TensorType([1, 2, 2, 64]))
        let x = try graph.apply(dropout(0), to: [images], name: "x")[0]
        let y = try graph.apply(dropout(1), to: [images], name: "y")[0]
        let whole = try graph.apply(.concatenation, to: [x, y], name: "whole")[0]
        graph.results = [whole]
        if readElsewhere {
            graph.results += try graph.apply(.globalAveragePool, to: [x], name: "pooled")
        }
        let plan = Plan(graph) { node, _ in PlainForm(writesChannelViews: node.op != .concatenation) }
        return (plan, x, y, whole)
    }

    @Test("the inputs of a concatenation lie in it")
    func concatenation() throws {
        let (plan, x, y, whole) = try concatenated()
        #expect(
            plan.channelViews == [x: .init(whole: whole, first: 0), y: .init(whole: whole, first: 64)])
        #expect(plan[x] == plan[whole] && plan[y] == plan[whole])
        #expect(plan.arenaByteCount == 2048)
    }

    @Test("an input of a concatenation that something else reads lies apart")
    func concatenationOfAnInputReadElsewhere() throws {
        let (plan, x, y, whole) = try concatenated(readElsewhere: true)
        #expect(plan.channelViews == [y: .init(whole: whole, first: 64)])
        #expect(plan[x] != plan[whole])
    }

    @Test("scratch memory overlaps nothing that its node reads or writes")
    func workspace() throws {
        var graph = Graph()
        let images = graph.addRegion(.images(.test), TensorType([1, 2, 2, 64]))
        let x = try graph.apply(dropout(0), to: [images], name: "x")[0]
        let y = try graph.apply(.globalAveragePool, to: [x], name: "y")[0]
        graph.results = [y]
        let plan = Plan(graph) { node, _ in PlainForm(workspaceByteCount: node.name == "y" ? 700 : 0) }
        let scratch = try #require(plan.workspaces[1])
        #expect(scratch.count == 700)
        for (value, byteCount) in [(x, 1024), (y, 256)] {
            guard case .arena(let offset) = plan[value] else { preconditionFailure("it is computed") }
            #expect(!scratch.overlaps(offset..<offset + byteCount))
        }
    }

    @Test("flat tensors start at multiples of 512 bytes")
    func flatLayout() {
        let layout = FlatLayout(counts: [1, 128, 130])
        #expect(layout.ranges == [0..<1, 128..<256, 256..<386])
        #expect(layout.count == 512)
        #expect(FlatLayout(counts: []).byteCount == 512)
    }
}
