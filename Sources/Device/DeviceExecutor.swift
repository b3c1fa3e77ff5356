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
    /// What the device likes: vector width, tiles, how work is cut up.
    package let traits: DeviceTraits
    /// What every step reads: `StepUniforms`.
    let uniforms: Buffer
    /// What convolutions read outside the image; as long as the longest run of taps and channels asked for.
    private(set) var zeros: Buffer

    private var programs: [ProgramKey: Program] = [:]
    private var regions: [Region: Buffer] = [:]
    /// Shared by all plans, which run one after another; grown when a larger plan is prepared.
    private var arena: Arena?
    /// Bytes that one allocation may have.
    private let allocationByteCount: Int
    /// What the program could allocate when the executor was made, where the device has no memory of its own.
    private let availableByteCount: Int

    private struct ProgramKey: Hashable {
        var files: [String]
        var options: [String]
    }

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
        self.traits = traits ?? DeviceTraits(device, math: math)
        (context, queue, uniforms, zeros) = try translatingErrors {
            let context = try Context(device: device)
            let queue = try Queue(context: context, profiling: profiling)
            let zeros = try Self.makeZeros(byteCount: 4096, context, queue)
            let uniforms = try Buffer(context: context, byteCount: MemoryLayout<StepUniforms>.stride)
            return (context, queue, uniforms, zeros)
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

    // MARK: Programs

    /// The files of Kernels that stand in front of a kernel file, beside those in front of all.
    private static func sharedFiles(of file: String) -> [String] {
        if file.hasSuffix("_tiled") { return ["tensor_core", "tile", "tile_async"] }
        if file == "convolution2d_filter_operands" { return ["tensor_core"] }
        if file.hasSuffix("_grouped") { return ["group"] }
        if file.hasPrefix("convolution2d_winograd") { return ["winograd"] }
        let usesPatches = [
            "convolution2d", "convolution2d_dense", "convolution2d_packed", "convolution2d_rows",
        ]
        return usesPatches.contains(file) ? ["patch"] : []
    }

    /// Files that are one program on CPUs: those without constants of their own, and those with the same, behind what
    /// they share. PoCL takes a twentieth of a second for each program, even where it finds the kernels in its cache.
    private static let families = [
        [
            "batch_norm", "channels", "convolution2d_filter_reduce", "elementwise", "input", "loss",
            "optimizer", "pooling2d",
        ],
        ["patch", "convolution2d", "convolution2d_packed"],
    ]

    /// A kernel of Kernels/`file`.cl, built with -D for each definition; programs are built once.
    func kernel(_ name: String, in file: String, defining definitions: [(String, Int)] = []) throws -> Kernel
    {
        var options = [
            "-DLANES=\(traits.lanes)", "-DLONG_WORK_ITEMS=\(traits.prefersLongWorkItems ? 1 : 0)",
        ]
        options += definitions.map { "-D\($0.0)=\($0.1)" }
        let family = traits.prefersLongWorkItems ? Self.families.first { $0.contains(file) } : nil
        let files = family ?? Self.sharedFiles(of: file) + [file]
        let key = ProgramKey(files: files, options: options)
        if let program = programs[key] { return try program.kernel(named: name) }
        let source = (["common", "philox"] + files).map { file in
            guard let text = kernel_source(file) else {
                preconditionFailure("there is no Kernels/\(file).cl")
            }
            return String(cString: text)
        }
        let program = try Program(
            context: context, source: source.joined(separator: "\n"), options: options)
        programs[key] = program
        return try program.kernel(named: name)
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
            regions[region] = try Self.makeZeros(byteCount: byteCount, context, queue)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) throws {
        try translatingErrors { try queue.write(from: bytes, to: buffer(of: region), offset: offset) }
    }

    package func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws {
        try translatingErrors { try queue.read(buffer(of: region), offset: offset, into: bytes) }
    }

    func buffer(of region: Region) -> Buffer {
        guard let buffer = regions[region] else { preconditionFailure("\(region) is not allocated") }
        return buffer
    }

    // MARK: Plans

    package func workspaceByteCount(of node: Node, in graph: Graph) -> Int {
        Lowering.workspaceByteCount(of: node, in: graph, traits: traits)
    }

    package func writesChannelViews(_ node: Node, in graph: Graph) -> Bool {
        if case .convolution2D = node.op, !traits.groupTiles.isEmpty {
            return StagedWinograd(node, in: graph, traits) == nil
        }
        return ConvolutionForm(node, in: graph, traits)?.writesChannelViews ?? false
    }

    /// Whether a convolution's node runs as minimal filtering, whose sums are rounded differently.
    package func usesWinograd(for node: Node, in graph: Graph) -> Bool {
        Lowering.usesWinograd(node, in: graph, traits: traits)
    }

    /// Whether a convolution's operands come to local memory without registers between, see `DeviceTraits`.
    package func copiesAsynchronously(for node: Node, in graph: Graph) -> Bool {
        Lowering.pieceWidth(of: node, in: graph, traits) != nil
    }

    package func prepare(_ plan: Plan) throws -> any Executable {
        try translatingErrors {
            if let arena, arena.byteCount >= plan.arenaByteCount {
            } else if plan.arenaByteCount > 0 {
                arena = nil
                guard plan.largestBlockByteCount <= plan.pieceByteCount else {
                    throw ResinError(
                        .outOfMemory,
                        "one value takes \(plan.largestBlockByteCount) bytes, and \(device.name) allocates at most "
                            + "\(plan.pieceByteCount) at a time; use a smaller batch or smaller images")
                }
                arena = try Arena(plan, context)
            }
            let run = Lowering.longestRunOfZeros(in: plan.graph)
            if zeros.byteCount < 4 * run {
                zeros = try Self.makeZeros(byteCount: 4 * run, context, queue)
            }
            return try CommandList(plan, executor: self, arena: arena)
        }
    }
}

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

/// Turns the device's errors into what a person can act on.
func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as OpenCLError {
        switch error.codeName {
        case "CL_MEM_OBJECT_ALLOCATION_FAILURE", "CL_INVALID_BUFFER_SIZE", "CL_OUT_OF_RESOURCES":
            throw ResinError(
                .outOfMemory,
                "the device has no memory left: \(error)\nUse a smaller batch or smaller images.")
        case "CL_BUILD_PROGRAM_FAILURE", "CL_INVALID_KERNEL_NAME", "CL_INVALID_ARG_SIZE",
            "CL_INVALID_KERNEL_ARGS", "CL_INVALID_VALUE", "CL_INVALID_WORK_GROUP_SIZE":
            throw ResinError(.failure, "this is a defect of Resin or the driver, please report it: \(error)")
        default:
            throw ResinError(.noDevice, "the device failed: \(error)")
        }
    }
}
