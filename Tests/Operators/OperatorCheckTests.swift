import Resin
import ResinCases
import ResinDevice
import ResinGraph
import ResinOpenCL
import ResinPlan
import ResinReference
import ResinTensor
import ResinTestDevices
import Testing

struct OperatorCheckTests {
    /// Families of kernels that some devices do not have.
    private static let optional = OperatorCheck.families.filter { OpCase.Family(rawValue: $0) == nil }

    @Test(
        "Every family passes on the device, or says why it has no case", .needsDevice,
        arguments: OperatorCheck.families)
    func families(_ family: String) throws {
        let device = try ComputeDevice.all()[0]
        let check = try OperatorCheck.run(family, on: device)
        #expect(check.failure == nil)
        let isOptional =
            Self.optional.contains(family) && (device.details.type != .cpu || family != "Winograd")
        #expect(check.cases >= 8 || isOptional && check.reason != nil, "\(check)")
    }

    @Test(
        "Every family passes with a GPU's kernels, imitated where need be", .needsDevice,
        arguments: OperatorCheck.families)
    func gpu(_ family: String) throws {
        let staging = ["tensor cores": .words, "pieces through registers": .pieces].merging(
            ["asynchronous copies": Staging.asynchronousPieces]) { $1 }[family]
        let tiles = staging == nil ? GroupTile.all : GroupTile.onTensorCores
        var traits = DeviceTraits.gpu(
            tiles.last!, math: Self.optional.contains(family) ? .fast : .exact, staging: staging ?? .words)
        // Float16 differs from bfloat16 in conversions alone. See also `OpCase.outputs`.
        let isImitation = staging != nil || family == "mixed precision in float16"
        traits.isOptimised = !(isImitation && OpenCLDevices.isPoCL(0))
        let check = try SharedExecutors.use(traits) { try OperatorCheck.run(family, on: $0) }
        #expect(check.failure == nil && check.worstError != nil)
        #expect(check.cases >= 8)
    }

    @Test(
        "A device that computes something else fails every family that it has",
        arguments: OpCase.Family.allCases)
    func wrong(_ family: OpCase.Family) throws {
        let check = try OperatorCheck.run(family.rawValue, on: Miscalculating())
        #expect(check.failure?.contains("off by") == true, "\(check)")
    }

    @Test("Families that a device has no kernels for have no case, and say why", arguments: optional)
    func without(_ family: String) throws {
        let check = try OperatorCheck.run(family, on: Miscalculating())
        #expect(check.cases == 0 && check.failure == nil && check.reason?.isEmpty == false)
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
