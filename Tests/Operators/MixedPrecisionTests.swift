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

    static func outputs(of opCase: OpCase, _ tile: GroupTile = GroupTile.all.last!) throws -> [[Float]] {
        try executors.withLock { executors in
            var traits = DeviceTraits(device!, asGPU: true)
            traits.groupTiles = [tile]
            let executor =
                try executors.byTile[tile] ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            executors.byTile[tile] = executor
            return try opCase.run(on: executor, in: .mixed)
        }
    }
}

@Suite(.enabled(if: MixedPrecision.device != nil, "no OpenCL device found"))
struct MixedPrecisionTests {
    /// Where both round the same numbers they give the same: sums of integers that float32 holds.
    @Test(
        "In mixed precision they give the reference's very numbers on integers",
        arguments: OpCase.all.filter(\.isExactOnIntegers).map(\.onIntegers))
    func integers(_ opCase: OpCase) throws {
        let exact = try opCase.run(on: ReferenceExecutor(), in: .mixed)
        for (output, exact) in zip(try MixedPrecision.outputs(of: opCase), exact) {
            #expect(output.elementsEqual(exact), "\(opCase)")
        }
    }

    /// Pairs of bfloat16 in local memory, as they are loaded one or four at a time; a CPU multiplies them without tensor
    /// cores.
    @Test(
        "So do tiles on tensor cores, whose operands are bfloat16 then",
        arguments: zip(GroupTile.onTensorCores, GroupTileTests.layers))
    func tensorCores(_ tile: GroupTile, layer: String) throws {
        let cases = OpCase.all.filter { $0.operation.hasPrefix("convolution") && $0.name.contains(layer) }
        #expect(cases.count == 3)
        for opCase in cases.map(\.onIntegers) {
            let exact = try opCase.run(on: ReferenceExecutor(), in: .mixed)
            for (output, exact) in zip(try MixedPrecision.outputs(of: opCase, tile), exact) {
                #expect(output.elementsEqual(exact), "\(opCase), \(tile)")
            }
        }
    }

    /// A sum that is off in float32 may be rounded to a neighbour in bfloat16, 2⁻⁷ of it away.
    @Test(
        "In mixed precision they agree with the reference",
        arguments: OpCase.all.filter { !$0.isExactOnIntegers || $0.operation.hasPrefix("convolution") })
    func agreement(of opCase: OpCase) throws {
        let exact = try opCase.run(on: ReferenceExecutor(), in: .mixed)
        for (output, exact) in zip(try MixedPrecision.outputs(of: opCase), exact) {
            let largest = exact.reduce(0) { max($0, abs($1)) }
            for (value, exact) in zip(output, exact) where !(value.isNaN && exact.isNaN) {
                #expect(
                    abs(value - exact) <= opCase.tolerance * largest + abs(exact) / 128 || value == exact,
                    "\(opCase)")
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
        "Rounding to bfloat16 takes the nearest, ties to even",
        arguments: [
            (1 + 1 / 256, 1), (1 + 3 / 256, 1 + 4 / 256), (-1 - 1 / 256, -1), (1 + 1.1 / 256, 1 + 2 / 256),
            (0, 0), (3.4e38, .infinity), (.infinity, .infinity),
        ] as [(Float, Float)])
    func rounding(_ value: Float, _ expected: Float) {
        #expect(Float(bfloat16Bits: value.bfloat16Bits) == expected)
        #expect(Float(bfloat16Bits: Float.nan.bfloat16Bits).isNaN)
    }
}
