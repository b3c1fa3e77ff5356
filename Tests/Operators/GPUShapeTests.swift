import ResinDevice
import ResinOpCases
import ResinOpenCL
import ResinPlan
import ResinReference
import Synchronization
import Testing

/// What GPUs run beside convolutions, on whatever OpenCL device is here: reductions by work-groups, groups larger
/// than the work, aligned vectors. One executor for each size of group, so that a kernel is compiled once.
private enum GPUShapes {
    static let device = try? Device.all().first
    static let cases = OpCase.all.filter { !$0.operation.hasPrefix("convolution") }

    private struct Executors: @unchecked Sendable {
        var byGroup: [Int: DeviceExecutor] = [:]
    }
    private static let executors = Mutex(Executors())

    static func outputs(of opCase: OpCase, groupWorkItems: Int) throws -> [[Float]] {
        try executors.withLock { executors in
            var traits = DeviceTraits(device!, asGPU: true)
            traits.groupWorkItems = groupWorkItems
            let executor =
                try executors.byGroup[groupWorkItems]
                ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            executors.byGroup[groupWorkItems] = executor
            return try opCase.run(on: executor)
        }
    }
}

@Suite(.enabled(if: GPUShapes.device != nil, "no OpenCL device found"))
struct GPUShapeTests {
    @Test("What GPUs run agrees with the reference", arguments: GPUShapes.cases)
    func agreement(of opCase: OpCase) throws {
        expectClose(
            try GPUShapes.outputs(of: opCase, groupWorkItems: 256),
            try ReferenceResults.outputs(of: opCase), of: opCase)
    }

    /// Fewer rows to reduce, and groups that end inside a run of channels.
    @Test(
        "Small groups agree too", arguments: GPUShapes.cases.filter { $0.operation.hasPrefix("batch_norm") })
    func smallGroups(of opCase: OpCase) throws {
        expectClose(
            try GPUShapes.outputs(of: opCase, groupWorkItems: 32),
            try ReferenceResults.outputs(of: opCase), of: opCase)
    }

    @Test(
        "Twice the same run gives the same bits",
        arguments: GPUShapes.cases.filter { $0.launches > 1 }.prefix(20))
    func reproducible(_ opCase: OpCase) throws {
        let runs = try (0..<2).map { _ in try GPUShapes.outputs(of: opCase, groupWorkItems: 256) }
        for (first, second) in zip(runs[0], runs[1]) { #expect(first.elementsEqual(second)) }
    }
}
