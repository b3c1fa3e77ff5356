import Foundation
import ResinCases
import ResinDevice
import ResinGraph
import ResinPlan
import ResinReference
import ResinTestDevices
import Testing

extension OpCase {
    /// What runs where a form differs from another that has all cases: those that are checked, or with
    /// RESIN_ALL_CASES=1 all.
    static func inDepth(_ cases: [OpCase]) -> [OpCase] {
        let takesAll = ProcessInfo.processInfo.environment["RESIN_ALL_CASES"] == "1"
        return takesAll ? cases : cases.filter(\.isChecked)
    }

    /// Its outputs on a device's executor, which is shared.
    ///
    /// PoCL takes seconds to optimise a GPU's tiled kernel, and a tenth of one where it need not: what is not large runs
    /// without. What is, and most of what `OperatorCheckTests` runs, is optimised as in a training; other drivers
    /// optimise everything.
    func outputs(
        _ traits: DeviceTraits, ofDevice index: Int = 0, in precision: Precision = .float32
    ) throws -> [[Float]] {
        var traits = traits
        if traits.kind == .gpu, OpenCLDevices.isPoCL(index) {
            // What takes a core about as long without as its kernel's compiler with it; imitated tensor cores take longest.
            let least = traits.usesTensorCores ? 4_000_000 : 150_000_000
            traits.isOptimised = try makeGraph().cost.flops >= least
        }
        return try SharedExecutors.use(traits, ofDevice: index) { try run(on: $0, in: precision) }
    }
}

/// Expects a case's outputs on a device's executor to be within their bound of the reference's.
func expectAgreement(
    of opCase: OpCase, _ traits: DeviceTraits, ofDevice index: Int = 0, arithmetic: Arithmetic = .direct,
    in precision: Precision = .float32, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    expectClose(
        try opCase.outputs(traits, ofDevice: index, in: precision),
        try ReferenceResults.outputs(of: opCase, in: precision), of: opCase, arithmetic: arithmetic,
        in: precision, sourceLocation: sourceLocation)
}

func expectClose(
    _ outputs: [[Float]], _ exact: [[Float]], of opCase: OpCase, arithmetic: Arithmetic = .direct,
    in precision: Precision = .float32, sourceLocation: SourceLocation = #_sourceLocation
) {
    let deviation = Deviation(
        of: outputs, from: exact, allowing: opCase.tolerance(of: arithmetic, in: precision))
    #expect(deviation.failure == nil, "\(opCase)", sourceLocation: sourceLocation)
}

/// Expects a case on integers to give the reference's very numbers on a device's executor.
func expectExactness(
    of opCase: OpCase, _ traits: DeviceTraits, ofDevice index: Int = 0, in precision: Precision = .float32,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let onIntegers = opCase.onIntegers
    let outputs = try onIntegers.outputs(traits, ofDevice: index, in: precision)
    #expect(
        outputs == (try onIntegers.run(on: ReferenceExecutor(), in: precision)), "\(onIntegers)",
        sourceLocation: sourceLocation)
}
