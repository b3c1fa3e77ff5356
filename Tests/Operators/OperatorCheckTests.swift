import Resin
import ResinDevice
import ResinGraph
import ResinOpenCL
import ResinPlan
import ResinReference
import ResinTensor
import Testing

@Suite(.serialized)
struct OperatorCheckTests {
    private static let device = try? Device.all().first
    /// Which some devices do not have.
    private static let optional = OperatorCheck.inexact + OperatorCheck.mixedPrecisions.keys

    @Test(
        "Every family passes on the device", .enabled(if: device != nil, "no OpenCL device found"),
        arguments: OperatorCheck.families)
    func families(_ family: String) throws {
        let check = try OperatorCheck.run(family, on: ComputeDevice.all()[0])
        #expect(check.failure == nil)
        #expect(try #require(check.worstError) < 2e-4)
        if !Self.optional.contains(family) { #expect(check.cases >= 3) }
    }

    /// With the smallest tile, which a CPU's compiler is quickest with.
    @Test(
        "Every family passes with a GPU's kernels", .enabled(if: device != nil, "no OpenCL device found"),
        arguments: OperatorCheck.families)
    func gpu(_ family: String) throws {
        var traits = DeviceTraits(
            Self.device!, math: Self.optional.contains(family) ? .fast : .exact, asGPU: true)
        let usesTensorCores = ["tensor cores", "asynchronous copies"].contains(family)
        traits.groupTiles = [(usesTensorCores ? GroupTile.onTensorCores : GroupTile.all).last!]
        traits.copiesAsynchronously = family == "asynchronous copies"
        traits.leastAsynchronousProducts = 0
        let executor = try DeviceExecutor(device: Self.device!, index: 0, traits: traits)
        let check = try OperatorCheck.run(family, on: executor)
        #expect(check.failure == nil)
        #expect(check.cases >= 3)
    }

    @Test("A device that computes something else fails every family", arguments: OperatorCheck.families)
    func wrong(_ family: String) throws {
        guard !Self.optional.contains(family) else { return }
        let check = try OperatorCheck.run(family, on: Miscalculating())
        #expect(check.failure?.contains("is off by") == true, "\(check)")
    }

    @Test("An unknown family is refused with the list of those there are")
    func unknown() throws {
        let error = #expect(throws: ResinError.self) {
            try OperatorCheck.run("transformers", on: Miscalculating())
        }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("batch norm") == true)
    }
}

/// The reference, but everything that is read is a little too large.
private final class Miscalculating: Executor {
    private let exact = ReferenceExecutor()

    var device: DeviceDescription { exact.device }
    var memoryLimits: (total: Int, allocation: Int) { exact.memoryLimits }
    func form(of node: Node, in graph: Graph) -> any NodeForm { PlainForm() }
    func allocate(_ region: Region, byteCount: Int) throws { exact.allocate(region, byteCount: byteCount) }

    func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) throws {
        exact.write(bytes, to: region, offset: offset)
    }

    func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws {
        exact.read(region, offset: offset, into: bytes)
        // A bit in the middle of every second float's fraction.
        for place in stride(from: 1, to: bytes.count, by: 8) { bytes[place] ^= 0x80 }
    }

    func prepare(_ plan: Plan) throws -> any Executable { Step(exact: exact.prepare(plan)) }

    private final class Step: Executable {
        let exact: any Executable
        init(exact: any Executable) { self.exact = exact }
        func run(_ uniforms: StepUniforms) throws { try exact.run(uniforms) }
        func synchronize() throws { try exact.synchronize() }
        func read(_ value: ValueID) throws -> [Float] { try exact.read(value).map { $0 * 1.001 } }
    }
}
