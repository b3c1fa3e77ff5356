import ResinDevice
import ResinGraph
import ResinOpCases
import ResinOpenCL
import ResinPlan
import ResinReference
import ResinTensor
import Synchronization
import Testing

/// What GPUs run in mixed precision, on whatever OpenCL device is here; with the smallest tiles, which a CPU's compiler is
/// quickest with. One executor for each, so that a kernel is compiled once; cases take turns.
private enum MixedPrecision {
    static let device = try? Device.all().first

    private struct Executors: @unchecked Sendable {
        var byTile: [GroupTile: DeviceExecutor] = [:]
    }
    private static let executors = Mutex(Executors())

    static func outputs(
        of opCase: OpCase, in precision: Precision, _ tile: GroupTile = GroupTile.all.last!
    ) throws -> [[Float]] {
        try executors.withLock { executors in
            var traits = DeviceTraits(device!, asGPU: true)
            traits.groupTiles = [tile]
            let executor =
                try executors.byTile[tile] ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            executors.byTile[tile] = executor
            return try opCase.run(on: executor, in: precision)
        }
    }
}

@Suite(.enabled(if: MixedPrecision.device != nil, "no OpenCL device found"))
struct MixedPrecisionTests {
    private static let precisions: [Precision] = [.mixed, .mixedFloat16]

    /// Where both round the same numbers they give the same: sums of integers that float32 holds.
    @Test(
        "In mixed precision they give the reference's very numbers on integers",
        arguments: OpCase.all.filter(\.isExactOnIntegers).map(\.onIntegers), precisions)
    func integers(_ opCase: OpCase, precision: Precision) throws {
        let exact = try opCase.run(on: ReferenceExecutor(), in: precision)
        for (output, exact) in zip(try MixedPrecision.outputs(of: opCase, in: precision), exact) {
            #expect(output.elementsEqual(exact), "\(opCase)")
        }
    }

    /// Pairs in local memory, as they are loaded one or four at a time; a CPU multiplies them without tensor cores. The two
    /// types differ in how they are converted alone, so that in float16 two tiles are enough: one that loads four values at a
    /// time and one that loads one.
    @Test(
        "So do tiles on tensor cores, whose operands have 16 bits then",
        arguments: Array(zip(GroupTile.onTensorCores, GroupTileTests.layers)), precisions)
    func tensorCores(_ tileAndLayer: (GroupTile, layer: String), precision: Precision) throws {
        let (tile, layer) = tileAndLayer
        guard precision == .mixed || GroupTile.onTensorCores.suffix(2).contains(tile) else { return }
        let cases = OpCase.all.filter { $0.operation.hasPrefix("convolution") && $0.name.contains(layer) }
        #expect(cases.count == 3)
        for opCase in cases.map(\.onIntegers) {
            let exact = try opCase.run(on: ReferenceExecutor(), in: precision)
            for (output, exact) in zip(try MixedPrecision.outputs(of: opCase, in: precision, tile), exact) {
                #expect(output.elementsEqual(exact), "\(opCase), \(tile)")
            }
        }
    }

    /// A sum that is off in float32 may be rounded to a neighbour, 2⁻⁷ of it away in bfloat16 and 2⁻¹⁰ in float16.
    @Test(
        "In mixed precision they agree with the reference",
        arguments: OpCase.all.filter { !$0.isExactOnIntegers || $0.operation.hasPrefix("convolution") },
        precisions)
    func agreement(of opCase: OpCase, precision: Precision) throws {
        let neighbour: Float = precision == .mixed ? 0x1p-7 : 0x1p-10
        let exact = try opCase.run(on: ReferenceExecutor(), in: precision)
        for (output, exact) in zip(try MixedPrecision.outputs(of: opCase, in: precision), exact) {
            let largest = exact.reduce(0) { max($0, abs($1)) }
            for (value, exact) in zip(output, exact) where !(value.isNaN && exact.isNaN) {
                #expect(
                    abs(value - exact) <= opCase.tolerance * largest + neighbour * abs(exact)
                        || value == exact, "\(opCase)")
            }
        }
    }

    @Test("Activations are half as large, and everything else is what it was")
    func storage() throws {
        let opCase = OpCase.all.first { $0.operation == "batch_norm" }!
        let (full, mixed) = (try opCase.makeGraph(), try opCase.makeGraph().inPrecision(.mixed))
        let node = full.nodes.firstIndex {
            if case .batchNorm = $0.op { true } else { false }
        }!
        let outputs = full.nodes[node].outputs
        #expect(outputs.map { mixed[$0].type.elementType } == [.bfloat16, .float32, .float32])
        #expect(mixed[outputs[0]].type.byteCount * 2 == full[outputs[0]].type.byteCount)
    }

    @Test(
        "Rounding to float16 takes the nearest, ties to even, and what is too large is infinite",
        arguments: [
            (1 + 0x1p-11, 1), (1 + 3 * 0x1p-11, 1 + 4 * 0x1p-11), (-1 - 0x1p-11, -1), (0, 0),
            (65_519, 65_504), (65_520, .infinity), (-1e9, -.infinity), (0x1p-24, 0x1p-24), (0x1p-26, 0),
        ] as [(Float, Float)])
    func roundingToFloat16(_ value: Float, _ expected: Float) {
        #expect(ElementType.float16.rounded(value) == expected)
        #expect(ElementType.float16.rounded(.nan).isNaN)
    }

    @Test(
        "Rounding to bfloat16 takes the nearest, ties to even",
        arguments: [
            (1 + 1 / 256, 1), (1 + 3 / 256, 1 + 4 / 256), (-1 - 1 / 256, -1), (1 + 1.1 / 256, 1 + 2 / 256),
            (0, 0), (3.4e38, .infinity), (.infinity, .infinity),
        ] as [(Float, Float)])
    func rounding(_ value: Float, _ expected: Float) {
        #expect(ElementType.bfloat16.rounded(value) == expected)
        #expect(ElementType.bfloat16.rounded(.nan).isNaN)
    }
}
