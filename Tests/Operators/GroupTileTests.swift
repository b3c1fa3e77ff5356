import ResinCases
import ResinDevice
import ResinGraph
import ResinTestDevices
import Testing

/// A layer a tile, whose channels can and cannot be loaded four at a time.
let layersOfTiles: [ConvolutionConfiguration] = [
    .init([2, 15, 13, 64], to: 48, 3, stride: 2, padding: 1, bias: true, fused: true, gives: 8, 7),
    .init([1, 33, 5, 6], to: 100, 3, padding: 1, bias: true, fused: true, gives: 33, 5),
    .init([3, 5, 3, 96], to: 33, 1, bias: true, fused: true, gives: 5, 3),
    .init([3, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, fused: true, gives: 6, 5),
    .init([1, 17, 17, 32], to: 64, 3, padding: 1, fused: true, gives: 17, 17),
]

/// The convolutions that GPUs run, on whatever OpenCL device is here.
@Suite(.needsDevice)
struct GroupTileTests {
    /// The smallest tile.
    @Test("Convolutions in local memory agree with the reference", arguments: OpCase.convolution2D)
    func agreement(of opCase: OpCase) throws { try expectAgreement(of: opCase, .gpu()) }

    /// One layer a tile, all three passes, since a CPU's compiler takes seconds for each; together they load
    /// four floats or one, of images and of filters, in every combination. Small integers are exact in TF32,
    /// so that tiles on tensor cores, whose operands and sums a CPU makes without them, give the same
    /// numbers.
    @Test(
        "With any tile they give the reference's very numbers on integers",
        arguments: zip(GroupTile.all + GroupTile.onTensorCores, layersOfTiles + layersOfTiles))
    func integers(_ tile: GroupTile, layer: ConvolutionConfiguration) throws {
        for opCase in layer.cases { try expectExactness(of: opCase, .gpu(tile)) }
    }

    /// Operands in pieces as they lie in memory, in float32 and in 16 bits, of channels that a tile does and does not end
    /// with. A CPU copies them at once, into the same places; `make ptx` interprets what a GPU would do, with every tile.
    @Test(
        "So do operands that come in pieces",
        arguments: [
            (0, Precision.float32, layersOfTiles[0]), (3, .mixed, layersOfTiles[0]),
            (4, .mixed, layersOfTiles[4]),
        ], [Staging.pieces, .asynchronousPieces])
    func pieces(
        _ form: (tileIndex: Int, precision: Precision, layer: ConvolutionConfiguration), staging: Staging
    ) throws {
        let traits = DeviceTraits.gpu(GroupTile.onTensorCores[form.tileIndex], staging: staging)
        for opCase in form.layer.cases { try expectExactness(of: opCase, traits, in: form.precision) }
    }

    /// With the smallest tile. What is large takes a CPU too long in this form, or its compiler.
    @Test(
        "Pieces meet every stride and padding",
        arguments: [\ConvolutionConfiguration.forward, \.inputGradient, \.filterGradient],
        [Staging.pieces, .asynchronousPieces])
    func windows(
        _ pass: KeyPath<ConvolutionConfiguration, OpCase> & Sendable, staging: Staging
    ) throws {
        let traits = DeviceTraits.gpu(GroupTile.onTensorCores.last!, staging: staging)
        let cases = try ConvolutionConfiguration.all.map { $0[keyPath: pass] }.filter {
            try comesInPieces($0, traits) && $0.makeGraph().cost.flops < 4_000_000
        }
        #expect(cases.count >= 15)
        for opCase in cases { try expectExactness(of: opCase, traits) }
    }

    @Test(
        "One launch for both gradients of a small layer agrees with the reference",
        arguments: ConvolutionConfiguration.all)
    func gradientPairs(of layer: ConvolutionConfiguration) throws {
        try expectAgreement(of: layer.gradients, .gpu())
    }

    /// With the smallest tile. Layers that are not in whole pieces come word by word in any form.
    @Test(
        "It gives the reference's very numbers on integers, with any operands",
        arguments: [Precision.float32, .mixed], [Staging.words, .pieces, .asynchronousPieces])
    func gradientPairs(_ precision: Precision, staging: Staging) throws {
        let traits = DeviceTraits.gpu(GroupTile.onTensorCores.last!, staging: staging)
        let cases = try ConvolutionConfiguration.all.map(\.gradients).filter { opCase in
            let graph = try opCase.makeGraph().inPrecision(precision)
            guard graph.cost.flops < 8_000_000 else { return false }
            return try SharedExecutors.use(traits) { executor in
                let launches = executor.launches(of: executor.makePlan(graph))
                let pair = launches.first { $0.kernel == "convolution2d_gradients_tiled" }
                return pair?.options.contains("-DSTAGING=\(staging.rawValue)") == true
            }
        }
        #expect(cases.count >= 12)
        for opCase in cases { try expectExactness(of: opCase, traits, in: precision) }
    }

    private func comesInPieces(
        _ opCase: OpCase, _ traits: DeviceTraits, in precision: Precision = .float32
    ) throws -> Bool {
        let graph = try opCase.makeGraph().inPrecision(precision)
        return try SharedExecutors.use(traits) { executor in
            graph.nodes.contains { executor.staging(for: $0, in: graph) == traits.staging }
        }
    }

    @Test("Pieces are whole, and for products that are worth a filter put in order")
    func pieceSelection() throws {
        func comeInPieces(
            _ layer: ConvolutionConfiguration, _ precision: Precision = .float32, leastProducts: Int = 0
        ) throws -> [Bool] {
            var traits = DeviceTraits.gpu(GroupTile.onTensorCores.last!, staging: .pieces)
            traits.leastPieceProducts = leastProducts
            return try layer.cases.map { try comesInPieces($0, traits, in: precision) }
        }
        #expect(try comeInPieces(layersOfTiles[0]) == [true, true, true])
        #expect(try comeInPieces(layersOfTiles[0], .mixed) == [true, true, true])
        #expect(try comeInPieces(layersOfTiles[0], leastProducts: 1 << 28) == [false, false, true])
        // 4 floats are 16 bytes, 4 halves are not.
        let narrow = ConvolutionConfiguration([1, 31, 29, 4], to: 8, 3, stride: 3, padding: 2, gives: 11, 11)
        #expect(try comeInPieces(narrow) == [true, true, true])
        #expect(try comeInPieces(narrow, .mixed) == [false, true, false])
        #expect(try comeInPieces(layersOfTiles[1]) == [false, true, false])
    }
}
