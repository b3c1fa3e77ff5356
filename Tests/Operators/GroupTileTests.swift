import ResinDevice
import ResinGraph
import ResinOpCases
import ResinOpenCL
import ResinPlan
import ResinReference
import Synchronization
import Testing

/// The convolutions that GPUs run, on whatever OpenCL device is here: one executor for each choice of tiles, so
/// that a kernel is compiled once; cases take turns.
private enum TiledConvolutions {
    static let device = try? Device.all().first
    static let cases = OpCase.all.filter { $0.operation.hasPrefix("convolution") }

    private struct Executors: @unchecked Sendable {
        var byTraits: [DeviceTraits: DeviceExecutor] = [:]
    }
    private static let executors = Mutex(Executors())

    private static func traits(_ tiles: [GroupTile], asynchronously: Bool, leastProducts: Int = 0)
        -> DeviceTraits
    {
        var traits = DeviceTraits(device!, math: .exact, asGPU: true)
        traits.groupTiles = tiles
        traits.copiesAsynchronously = asynchronously
        traits.leastAsynchronousProducts = leastProducts
        return traits
    }

    static func areCopied(_ opCase: OpCase, in precision: Precision, leastProducts: Int = 0) throws -> Bool {
        let executor = try DeviceExecutor(
            device: device!, index: 0,
            traits: traits(GroupTile.onTensorCores, asynchronously: true, leastProducts: leastProducts))
        let graph = try opCase.makeGraph().inPrecision(precision)
        return graph.nodes.contains { executor.copiesAsynchronously(for: $0, in: graph) }
    }

    /// - Parameter asynchronously: whether operands come as `cp.async` would bring them, where channels allow.
    static func outputs(
        of opCase: OpCase, _ tiles: [GroupTile], asynchronously: Bool = false,
        in precision: Precision = .float32
    ) throws -> [[Float]] {
        try executors.withLock { executors in
            let traits = traits(tiles, asynchronously: asynchronously)
            let executor =
                try executors.byTraits[traits] ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            executors.byTraits[traits] = executor
            return try opCase.run(on: executor, in: precision)
        }
    }
}

@Suite(.enabled(if: TiledConvolutions.device != nil, "no OpenCL device found"))
struct GroupTileTests {
    /// A layer a tile, whose channels can and cannot be loaded four at a time.
    static let layers = [
        "2×15×13×64 to 48", "1×33×5×6 to 100", "3×5×3×96 to 33", "3×11×9×3 to 17", "1×17×17×32 to 64",
    ]

    /// The smallest tile, which meets most edges, and which a CPU's compiler is quickest with.
    @Test("Convolutions in local memory agree with the reference", arguments: TiledConvolutions.cases)
    func agreement(of opCase: OpCase) throws {
        expectClose(
            try TiledConvolutions.outputs(of: opCase, [GroupTile.all.last!]),
            try ReferenceResults.outputs(of: opCase), of: opCase)
    }

    /// One layer a tile, all three passes, since a CPU's compiler takes seconds for each; together they load
    /// four floats or one, of images and of filters, in every combination. Small integers are exact in TF32, so that
    /// tiles on tensor cores, whose operands and sums a CPU makes without them, give the same numbers.
    @Test(
        "With any tile they give the reference's very numbers on integers",
        arguments: zip(GroupTile.all + GroupTile.onTensorCores, GroupTileTests.layers + GroupTileTests.layers)
    )
    func integers(_ tile: GroupTile, layer: String) throws {
        let cases = TiledConvolutions.cases.filter { $0.name.contains(layer) }
        #expect(cases.count == 3)
        for opCase in cases.map(\.onIntegers) {
            let outputs = try TiledConvolutions.outputs(of: opCase, [tile])
            for (output, exact) in zip(outputs, try opCase.run(on: ReferenceExecutor())) {
                #expect(output.elementsEqual(exact), "\(opCase), \(tile)")
            }
        }
    }

    /// Operands that are copied as they lie in memory, in float32 and in 16 bits, of channels that a tile does and does not
    /// end with. A CPU copies them at once, into the same places; `make ptx` interprets what a GPU would do, with every tile.
    @Test(
        "So do operands that are copied asynchronously",
        arguments: [
            (0, Precision.float32, "2×15×13×64 to 48"), (3, .mixed, "2×15×13×64 to 48"),
            (4, .mixed, "1×17×17×32 to 64"),
        ])
    func asynchronousCopies(_ tileIndex: Int, precision: Precision, layer: String) throws {
        let cases = TiledConvolutions.cases.filter { $0.name.contains(layer) }
        #expect(cases.count == 3)
        try expectExactCopies(cases, GroupTile.onTensorCores[tileIndex], in: precision)
    }

    /// What is large takes a CPU too long in this form.
    @Test("Asynchronous copies meet every stride and padding")
    func asynchronousWindows() throws {
        let cases = try TiledConvolutions.cases.filter {
            try TiledConvolutions.areCopied($0, in: .float32) && $0.makeGraph().cost.flops < 40_000_000
        }
        for operation in ["", "_input_gradient", "_filter_gradient"] {
            #expect(cases.count { $0.operation == "convolution2d" + operation } >= 15)
        }
        try expectExactCopies(cases, GroupTile.onTensorCores.last!, in: .float32)
    }

    private func expectExactCopies(_ cases: [OpCase], _ tile: GroupTile, in precision: Precision) throws {
        for opCase in cases.map(\.onIntegers) {
            let outputs = try TiledConvolutions.outputs(
                of: opCase, [tile], asynchronously: true, in: precision)
            for (output, exact) in zip(outputs, try opCase.run(on: ReferenceExecutor(), in: precision)) {
                #expect(output.elementsEqual(exact), "\(opCase), \(tile)")
            }
        }
    }

    @Test("Copies are of whole pieces, and for products that are worth a filter put in order")
    func copySelection() throws {
        func areCopied(_ name: String, _ precision: Precision = .float32, leastProducts: Int = 0) throws
            -> [Bool]
        {
            let cases = TiledConvolutions.cases.filter { $0.name.contains(name) }
            #expect(cases.count == 3)
            return try cases.map {
                try TiledConvolutions.areCopied($0, in: precision, leastProducts: leastProducts)
            }
        }
        #expect(try areCopied("2×15×13×64 to 48") == [true, true, true])
        #expect(try areCopied("2×15×13×64 to 48", .mixed) == [true, true, true])
        #expect(try areCopied("2×15×13×64 to 48", leastProducts: 1 << 28) == [false, false, true])
        // 4 floats are 16 bytes, 4 halves are not.
        #expect(try areCopied("1×31×29×4 to 8") == [true, true, true])
        #expect(try areCopied("1×31×29×4 to 8", .mixed) == [false, true, false])
        #expect(try areCopied("1×33×5×6 to 100") == [false, true, false])
    }
}
