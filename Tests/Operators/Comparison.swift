import ResinCases
import ResinDevice
import ResinGraph
import ResinPlan
import ResinReference
import ResinTestDevices
import Testing

/// Expects a case's outputs on a device's executor to be within their bound of the reference's.
func expectAgreement(
    of opCase: OpCase, _ traits: DeviceTraits, ofDevice index: Int = 0, arithmetic: Arithmetic = .direct,
    in precision: Precision = .float32, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    expectClose(
        try SharedExecutors.use(traits, ofDevice: index) { try opCase.run(on: $0, in: precision) },
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
    let outputs = try SharedExecutors.use(traits, ofDevice: index) {
        try onIntegers.run(on: $0, in: precision)
    }
    #expect(
        outputs == (try onIntegers.run(on: ReferenceExecutor(), in: precision)), "\(onIntegers)",
        sourceLocation: sourceLocation)
}
