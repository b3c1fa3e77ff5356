import ResinDevice
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
        var byTiles: [[GroupTile]: DeviceExecutor] = [:]
    }
    private static let executors = Mutex(Executors())

    static func outputs(of opCase: OpCase, _ tiles: [GroupTile]) throws -> [[Float]] {
        try executors.withLock { executors in
            var traits = DeviceTraits(device!, math: .exact, asGPU: true)
            traits.groupTiles = tiles
            let executor =
                try executors.byTiles[tiles] ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            executors.byTiles[tiles] = executor
            return try opCase.run(on: executor)
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
}
