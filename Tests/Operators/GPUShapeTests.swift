import ResinCases
import ResinDevice
import ResinTestDevices
import Testing

/// What GPUs run beside convolutions, on whatever OpenCL device is here: reductions by work-groups, groups
/// larger than the work, aligned vectors.
@Suite(.needsDevice)
struct GPUShapeTests {
    private static let families = OpCase.Family.allCases.filter { $0 != .convolution }

    @Test("What GPUs run agrees with the reference", arguments: families.flatMap(\.cases))
    func agreement(of opCase: OpCase) throws { try expectAgreement(of: opCase, .gpu()) }

    /// Fewer rows to reduce, and groups that end inside a run of channels.
    @Test("Small groups agree too", arguments: OpCase.batchNorm)
    func smallGroups(of opCase: OpCase) throws {
        var traits = DeviceTraits.gpu()
        traits.groupWorkItems = 32
        try expectAgreement(of: opCase, traits)
    }

    @Test("Twice the same run gives the same bits", arguments: families)
    func reproducible(_ family: OpCase.Family) throws {
        for opCase in family.cases.filter(\.isChecked) {
            let runs = try (0..<2).map { _ in
                try SharedExecutors.use(.gpu()) { try opCase.run(on: $0) }.map { $0.map(\.bitPattern) }
            }
            #expect(runs[0] == runs[1], "\(opCase)")
        }
    }
}
