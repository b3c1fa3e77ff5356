import ResinCases
import ResinDevice
import ResinGraph
import ResinPlan
import ResinTensor
import ResinTestDevices
import Testing

/// What GPUs run in mixed precision, on whatever OpenCL device is here; with the smallest tile, where no
/// other is asked for.
@Suite(.needsDevice)
struct MixedPrecisionTests {
    /// Those that the check of a device runs, an edge of each kind: 16 bits differ in how a value is loaded and stored, not
    /// in which. Every program takes a compiler a third of a second.
    private static func inBoth(_ cases: [OpCase]) -> [(OpCase, Precision)] {
        OpCase.inDepth(cases).map { ($0, .mixed) } + cases.filter(\.isChecked).map { ($0, .mixedFloat16) }
    }

    /// Where both round the same numbers they give the same: sums of integers that float32 holds.
    @Test(
        "In mixed precision they give the reference's very numbers on integers",
        arguments: inBoth(OpCase.all.filter(\.isExactOnIntegers)))
    func integers(_ opCase: OpCase, precision: Precision) throws {
        try expectExactness(of: opCase, .gpu(), in: precision)
    }

    /// Pairs in local memory, as they are loaded one or four at a time; a CPU multiplies them without tensor
    /// cores. The two types differ in how they are converted alone, so that in float16 two tiles are enough:
    /// one that loads four values at a time and one that loads one.
    @Test(
        "So do tiles on tensor cores, whose operands have 16 bits then",
        arguments: [
            (0, Precision.mixed), (1, .mixed), (2, .mixed), (3, .mixed), (4, .mixed), (3, .mixedFloat16),
            (4, .mixedFloat16),
        ])
    func tensorCores(_ tileIndex: Int, precision: Precision) throws {
        for opCase in layersOfTiles[tileIndex].cases {
            try expectExactness(of: opCase, .gpu(GroupTile.onTensorCores[tileIndex]), in: precision)
        }
    }

    @Test(
        "In mixed precision they agree with the reference",
        arguments: inBoth(
            OpCase.all.filter { !$0.isExactOnIntegers } + OpCase.convolution2D.filter(\.isExactOnIntegers)))
    func agreement(of opCase: OpCase, precision: Precision) throws {
        try expectAgreement(of: opCase, .gpu(), in: precision)
    }

    @Test("Activations are half as large, and everything else is what it was")
    func storage() throws {
        let opCase = OpCase.batchNorm[0]
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
