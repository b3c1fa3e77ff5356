import ResinGraph
import ResinKernels
import ResinOpenCL
import ResinPlan
import ResinTensor

/// Runs plans on an OpenCL device.
package final class DeviceExecutor: Executor {
    package let device: DeviceDescription
    let openCLDevice: ResinOpenCL.Device
    let context: Context
    let queue: Queue
    /// Brings bytes beside what `queue` runs.
    private var transfers: Queue?
    /// What the device likes: vector width, tiles, how work is cut up.
    package let traits: DeviceTraits
    let debugLevel: DebugLevel
    /// What convolutions read outside the image; as long as the longest run of taps and channels asked for.
    private(set) var zeros: Buffer

    /// Whether the arena is not a number when a plan is prepared: what a kernel leaves out is then not taken for what an
    /// earlier plan left there.
    package var spoilsMemory = false

    private var programs: [ProgramKey: Program] = [:]
    private var regions: [Region: Buffer] = [:]
    /// Shared by all plans, which run one after another; grown when a larger plan is prepared.
    private var arena: Arena?
    /// Bytes that one allocation may have.
    private let allocationByteCount: Int
    /// What the program could allocate when the executor was made, where the device has no memory of its own.
    private let availableByteCount: Int

    /// - Parameters:
    ///   - math: which algorithms it may choose from.
    ///   - traits: the class of kernels, where it is not to be the device's own: a CPU can run a
    ///     GPU's, which is how they are tested without one.
    ///   - allocationByteCount: what one allocation may have, where it is to be less than the device allows.
    package init(
        device: ResinOpenCL.Device, index: Int, math: MathMode = .fast, profiling: Bool = false,
        traits: DeviceTraits? = nil, allocationByteCount: Int? = nil
    ) throws {
        openCLDevice = device
        self.allocationByteCount = allocationByteCount ?? device.maximumAllocationByteCount
        availableByteCount = device.type == .cpu ? HostMemory.availableByteCount : .max
        self.device = DeviceDescription(device, index: index)
        debugLevel = try DebugLevel.ofEnvironment()
        self.traits = traits ?? DeviceTraits(device, math: math)
        (context, queue, zeros) = try translatingErrors {
            let context = try Context(device: device)
            let queue = try Queue(context: context, profiling: profiling)
            let zeros = try Self.makeZeros(byteCount: 4096, context, queue)
            return (context, queue, zeros)
        }
    }

    /// Written, not filled: the simulator takes a filled buffer for one that nobody initialised.
    private static func makeZeros(byteCount: Int, _ context: Context, _ queue: Queue) throws -> Buffer {
        let buffer = try Buffer(context: context, byteCount: byteCount)
        let zeros = [UInt8](repeating: 0, count: min(byteCount, 1 << 20))
        try zeros.withUnsafeBytes { zeros in
            for offset in stride(from: 0, to: byteCount, by: zeros.count) {
                let count = min(zeros.count, byteCount - offset)
                try queue.write(
                    from: UnsafeRawBufferPointer(rebasing: zeros[..<count]), to: buffer, offset: offset)
            }
        }
        return buffer
    }

    func makeZeros(byteCount: Int) throws -> Buffer {
        try Self.makeZeros(byteCount: byteCount, context, queue)
    }

    /// A program, which is built once.
    func program(_ key: ProgramKey) throws -> Program {
        if let program = programs[key] { return program }
        let options = openCLDevice.compilerOptions(key.options)
        do {
            let program = try Program(context: context, source: key.source, options: options)
            programs[key] = program
            return program
        } catch let error as OpenCLError where error.call == "clBuildProgram" {
            let name = "\(key.files.last ?? "") with \(options.joined(separator: " "))"
            throw OpenCLError(
                code: error.code, call: error.call, device: error.device,
                detail: "\(name): \(error.detail ?? "")")
        }
    }

    // MARK: Memory

    package var memoryLimits: (total: Int, allocation: Int) {
        (min(openCLDevice.memoryByteCount, availableByteCount), allocationByteCount)
    }

    package var sharesHostMemory: Bool { openCLDevice.type == .cpu }

    package func allocate(_ region: Region, byteCount: Int) throws {
        try translatingErrors {
            // The old one goes first, so that both need not fit.
            regions[region] = nil
            regions[region] = try makeZeros(byteCount: byteCount)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) throws {
        try translatingErrors { try queue.write(from: bytes, to: buffer(of: region), offset: offset) }
    }

    package func send(
        _ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int
    ) throws -> any Mark {
        try translatingErrors {
            let transfers = try transferQueue()
            let sent = try transfers.send(from: bytes, to: buffer(of: region), offset: offset)
            try transfers.flush()
            try queue.wait(for: sent)
            return EventMark(event: sent)
        }
    }

    package func mark() throws -> any Mark {
        try translatingErrors {
            let mark = try queue.mark()
            try queue.flush()
            return EventMark(event: mark)
        }
    }

    package func makeStagingMemory(byteCount: Int) throws -> any StagingMemory {
        try translatingErrors { try transferQueue().pinnedMemory(byteCount: byteCount) }
    }

    private func transferQueue() throws -> Queue {
        if let transfers { return transfers }
        let queue = try Queue(context: context)
        transfers = queue
        return queue
    }

    package func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws {
        try translatingErrors { try queue.read(buffer(of: region), offset: offset, into: bytes) }
    }

    func buffer(of region: Region) -> Buffer {
        guard let buffer = regions[region] else { preconditionFailure("\(region) is not allocated") }
        return buffer
    }

    // MARK: Plans

    package var rewrites: GraphRewrites {
        var rewrites = GraphRewrites()
        rewrites.takesOnlyTaps = true
        rewrites.joinsLoss = true
        // Vectors of four waste little, and every work-item of a group waits for the slowest anyway.
        if traits.kind == .gpu { rewrites.leastExponentialChannels = 1 }
        return rewrites
    }

    package func form(of node: Node, in graph: Graph) -> any NodeForm {
        node.op.onDevice.form(of: node, in: graph, on: traits)
    }

    package func launches(of plan: Plan) -> [LaunchDescription] {
        Lowering.launches(of: plan, on: traits).map { LaunchDescription($0) }
    }

    package func source(of launch: LaunchDescription) -> String {
        ProgramKey(files: launch.files, options: launch.options).source
    }

    /// Whether a convolution's node runs as minimal filtering, whose sums are rounded differently.
    package func usesWinograd(for node: Node, in graph: Graph) -> Bool {
        node.op.onDevice.form(of: node, in: graph, on: traits).usesWinograd
    }

    /// How a convolution's operands come to local memory.
    package func staging(for node: Node, in graph: Graph) -> Staging {
        node.op.onDevice.form(of: node, in: graph, on: traits).staging
    }

    package func makeRoom(for plans: [Plan]) throws {
        guard let plan = plans.max(by: { $0.arenaByteCount < $1.arenaByteCount }),
            plan.arenaByteCount > arena?.byteCount ?? 0
        else { return }
        arena = nil
        for plan in plans where plan.largestBlockByteCount > plan.pieceByteCount {
            throw ResinError(
                .outOfMemory,
                "one value takes \(plan.largestBlockByteCount) bytes, and \(device.name) allocates at most "
                    + "\(plan.pieceByteCount) at a time; use a smaller batch or smaller images")
        }
        try translatingErrors { arena = try Arena(plan, context) }
    }

    package func prepare(_ plan: Plan) throws -> any Executable {
        try makeRoom(for: [plan])
        return try translatingErrors {
            let run = plan.forms.reduce(0) { max($0, ($1 as? DeviceForm)?.zeroCount ?? 0) }
            if zeros.byteCount < 4 * run {
                zeros = try makeZeros(byteCount: 4 * run)
            }
            if spoilsMemory { try arena?.spoil(queue) }
            return try CommandList(plan, executor: self, arena: arena)
        }
    }
}

private struct EventMark: Mark {
    let event: Event

    func wait() throws { try translatingErrors { try event.wait() } }
}

extension PinnedMemory: StagingMemory {}

extension DeviceDescription {
    package init(_ device: ResinOpenCL.Device, index: Int) {
        let type: DeviceDescription.DeviceType =
            switch device.type {
            case .gpu: .gpu
            case .cpu: .cpu
            case .accelerator: .accelerator
            case .other: .other
            }
        self.init(
            name: device.name, vendor: device.vendor, type: type, platform: device.platformName, index: index,
            platformDevice: "\(device.platformIndex):\(device.deviceIndex)",
            memoryByteCount: device.memoryByteCount, computeUnits: device.computeUnits,
            version: device.version)
    }
}

extension ResinOpenCL.Device {
    /// A program's options as its compiler takes them: NVIDIA's is also told how many registers a work-item may have.
    package func compilerOptions(_ options: [String]) -> [String] {
        guard extensions.contains("cl_nv_compiler_options"), let limit = GroupTile.registerLimit(in: options)
        else { return options }
        return options + [limit]
    }
}

/// Turns the device's errors into what a person can act on.
package func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as OpenCLError {
        switch error.cause {
        case .outOfMemory:
            throw ResinError(
                .outOfMemory, "the device has no memory left: ",
                lines: "\(error)\nUse a smaller batch or smaller images.")
        case .defect:
            throw ResinError(
                .failure, "this is a defect of Resin or the driver, please report it: ", lines: "\(error)")
        case .kernelFault:
            throw ResinError(
                .noDevice, "a kernel failed on the device: ",
                lines: "\(error)\nRESIN_DEBUG=3 waits after each launch and names it.")
        case .device: throw ResinError(.noDevice, "the device failed: ", lines: "\(error)")
        }
    }
}
