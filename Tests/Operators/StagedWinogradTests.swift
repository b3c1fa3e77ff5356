import ResinDevice
import ResinGraph
import ResinOpCases
import ResinOpenCL
import ResinPlan
import ResinReference
import Synchronization
import Testing

/// Minimal filtering as GPUs run it, on whatever OpenCL device is here, for all channels, in as many chunks as a small
/// workspace takes; with the smallest tile, which a CPU's compiler is quickest with.
private enum StagedWinograd {
    static let device = try? Device.all().first

    private struct Shared: @unchecked Sendable {
        var executor: DeviceExecutor?
    }
    private static let shared = Mutex(Shared())

    static var traits: DeviceTraits {
        var traits = DeviceTraits(device!, asGPU: true)
        traits.groupTiles = [GroupTile.all.last!]
        traits.leastWinogradChannels = 1
        traits.winogradByteCount = 1 << 20
        return traits
    }

    static func with<Result>(_ body: (DeviceExecutor) throws -> Result) throws -> Result {
        try shared.withLock { shared in
            let executor =
                try shared.executor ?? DeviceExecutor(device: device!, index: 0, traits: traits)
            shared.executor = executor
            return try body(executor)
        }
    }

    static func uses(_ executor: DeviceExecutor, for graph: Graph) -> Bool {
        graph.nodes.contains { executor.usesWinograd(for: $0, in: graph) }
    }
}

@Suite(.enabled(if: StagedWinograd.device != nil, "no OpenCL device found"))
struct StagedWinogradTests {
    /// The bounds of DeviceTests, but for longer sums in one piece. What is large takes a CPU too long in this form.
    @Test("On GPUs it is within its bound of the reference")
    func agreement() throws {
        try StagedWinograd.with { executor in
            let cases = try OpCase.convolution2D.filter {
                let graph = try $0.makeGraph()
                return StagedWinograd.uses(executor, for: graph) && graph.cost.flops < 80_000_000
            }
            for operation in ["", "_input_gradient", "_filter_gradient"] {
                #expect(cases.count { $0.operation == "convolution2d" + operation } >= 8)
            }
            for var opCase in cases {
                opCase.tolerance = opCase.name.contains("filter gradient") ? 2e-4 : 3e-5
                expectClose(
                    try opCase.run(on: executor), try ReferenceResults.outputs(of: opCase), of: opCase)
            }
        }
    }

    @Test("Not with few channels, in mixed precision, on tensor cores or with exact mathematics")
    func selection() throws {
        let opCase = OpCase.convolution2D.first { $0.name.contains("1×14×14×256 to 256") }!
        let graph = try opCase.makeGraph()
        func isUsed(for graph: Graph, math: MathMode = .fast, _ tiles: [GroupTile] = GroupTile.all) throws
            -> Bool
        {
            var traits = DeviceTraits(StagedWinograd.device!, math: math, asGPU: true)
            traits.groupTiles = tiles
            let executor = try DeviceExecutor(device: StagedWinograd.device!, index: 0, traits: traits)
            return StagedWinograd.uses(executor, for: graph)
        }
        #expect(try isUsed(for: graph))
        #expect(try !isUsed(for: graph.inPrecision(.mixed)))
        #expect(try !isUsed(for: graph, GroupTile.onTensorCores))
        #expect(try !isUsed(for: graph, math: .exact))
        let narrow = OpCase.convolution2D.first { $0.name.contains("1×56×56×64 to 64") }!
        #expect(try !isUsed(for: narrow.makeGraph()))
    }
}
