import ResinGraph
import ResinTensor

/// A device as people see it in lists, logs and errors.
public struct DeviceDescription: Hashable, Sendable {
    public enum DeviceType: String, Sendable {
        case gpu, cpu, accelerator, other, reference
    }
    public var name: String
    public var vendor: String
    public var type: DeviceType
    public var platform: String
    /// Place in the list of all devices.
    public var index: Int
    /// "platform:device", nil for the reference executor.
    public var platformDevice: String?
    public var memoryByteCount: Int
    public var computeUnits: Int
    public var version: String

    public init(
        name: String, vendor: String, type: DeviceType, platform: String, index: Int, platformDevice: String?,
        memoryByteCount: Int, computeUnits: Int, version: String
    ) {
        self.name = name
        self.vendor = vendor
        self.type = type
        self.platform = platform
        self.index = index
        self.platformDevice = platformDevice
        self.memoryByteCount = memoryByteCount
        self.computeUnits = computeUnits
        self.version = version
    }
}

/// Which algorithms an executor may choose from.
public enum MathMode: String, Codable, CaseIterable, Hashable, Sendable {
    /// The fastest in float32, also those whose sums are other sums: Winograd's convolution.
    case fast
    /// Only direct sums of products.
    case exact
}

/// A place in the order of what an executor was told to do.
package protocol Mark {
    /// Returns once all before it is done.
    func wait() throws
}

/// Bytes of the host that are there as long as the object is.
package protocol StagingMemory: AnyObject, Sendable {
    var bytes: UnsafeMutableRawBufferPointer { get }
}

/// What changes from step to step: all that the host sends.
package struct StepUniforms: BitwiseCopyable, Hashable, Sendable {
    /// Words of the run's seed.
    package var seedLow: UInt32
    package var seedHigh: UInt32
    /// Number of this step in the run, from 1.
    package var step: UInt32
    /// Where in the epoch's order this step's images start.
    package var firstImage: UInt32
    /// How many of the batch's rows are real images; the rest of a last, smaller batch repeats one of them.
    package var imageCount: UInt32
    /// Row of `Region.metrics` that this step writes.
    package var slot: UInt32
    package var learningRate: Float
    /// 1 − β₁ᵗ and 1 − β₂ᵗ of Adam and LAMB at this step.
    package var firstCorrection: Float
    package var secondCorrection: Float
    /// Of the step's shards, from 0.
    package var shard: UInt32 = 0

    package init(
        seed: UInt64, step: Int, firstImage: Int = 0, imageCount: Int, slot: Int = 0, learningRate: Float = 0,
        optimizer: Op.Optimizer.Rule? = nil
    ) {
        seedLow = UInt32(truncatingIfNeeded: seed)
        seedHigh = UInt32(truncatingIfNeeded: seed >> 32)
        self.step = UInt32(step)
        self.firstImage = UInt32(firstImage)
        self.imageCount = UInt32(imageCount)
        self.slot = UInt32(slot)
        self.learningRate = learningRate
        (firstCorrection, secondCorrection) = optimizer?.corrections(step: step) ?? (1, 1)
    }

    package var seed: UInt64 { UInt64(seedHigh) << 32 | UInt64(seedLow) }

    /// A shard's, of a whole step's.
    func of(_ shard: StepPlan.Shard) -> StepUniforms {
        var own = self
        own.shard = UInt32(shard.index)
        own.imageCount = imageCount / UInt32(shard.count)
        own.firstImage += own.shard * own.imageCount
        own.slot = UInt32(shard.firstRow + shard.index)
        return own
    }
}

extension Op.Optimizer.Rule {
    fileprivate func corrections(step: Int) -> (Float, Float) {
        switch self {
        case .sgd, .rmsprop, .lion: (1, 1)
        case .adam(let beta1, let beta2, _, _, _), .lamb(let beta1, let beta2, _, _):
            (Float(1 - power(Double(beta1), step)), Float(1 - power(Double(beta2), step)))
        }
    }
}

/// baseⁿ by repeated squaring: the same bits on every machine, unlike the C library's `pow`.
private func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    var base = base
    var exponent = exponent
    while exponent > 0 {
        if exponent & 1 == 1 { result *= base }
        base *= base
        exponent >>= 1
    }
    return result
}

/// Something that holds buffers and runs plans: an OpenCL device, or plain Swift.
package protocol Executor: AnyObject {
    var device: DeviceDescription { get }
    /// Bytes that all allocations together, and each one, may have.
    var memoryLimits: (total: Int, allocation: Int) { get }
    /// Whether its memory is the program's own, in which the program holds more than what is planned.
    var sharesHostMemory: Bool { get }
    /// What a step of a plan takes besides the regions: the arena, where the executor has one.
    func workingByteCount(of plan: Plan) -> Int
    /// What it wants made of a graph first.
    var rewrites: GraphRewrites { get }
    /// How it makes a node of a graph that is fused.
    func form(of node: Node, in graph: Graph) -> any NodeForm
    /// Makes a region of that size, filled with zeros; a region that exists already is replaced.
    func allocate(_ region: Region, byteCount: Int) throws
    func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) throws
    /// Starts copying bytes to a region beside the steps that run; steps started from now on wait for it. The bytes must
    /// stay until its end, and nothing that runs meanwhile may use the place.
    ///
    /// - Returns: the end of the copy.
    func send(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) throws -> any Mark
    /// The end of all that was started so far.
    func mark() throws -> any Mark
    /// Memory of the host from which `send` is fast.
    func makeStagingMemory(byteCount: Int) throws -> any StagingMemory
    /// Waits for the steps before it, then reads.
    func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws
    /// Makes the arena as large as the largest of these plans wants it, so that all of them share it: what is prepared keeps
    /// the arena that it finds.
    func makeRoom(for plans: [Plan]) throws
    /// Makes a plan ready to run. Every region that it names must be allocated; the arena is shared by all of
    /// an executor's plans, which run one after another.
    func prepare(_ plan: Plan) throws -> any Executable
    /// The launches that a plan takes, without taking them; none where the executor has no kernels.
    func launches(of plan: Plan) -> [LaunchDescription]
    /// The text that a program is built from.
    func source(of launch: LaunchDescription) -> String
    /// Measures the device's limits; nil where the executor has none worth measuring.
    func calibrate() throws -> Calibration?
}

/// A device's measured limits: what an operator's time is held against.
public struct Calibration: Hashable, Sendable {
    /// Floating-point operations a second, two a multiply-add, of float32 in registers.
    public var flops: Double
    /// Bytes a second, read and written ones added up, of a copy that no cache holds.
    public var copyBytes: Double

    package init(flops: Double, copyBytes: Double) {
        self.flops = flops
        self.copyBytes = copyBytes
    }

    /// The time that this much work takes at least: the larger of the two bounds.
    public func seconds(_ cost: Cost) -> Double {
        max(Double(cost.flops) / flops, Double(cost.bytes) / copyBytes)
    }
}

/// What one kernel of a step took.
package struct KernelTime: Hashable, Sendable {
    /// The node that it worked for, by its index in the plan's graph.
    package var node: Int
    package var kernel: String
    /// Since the step's first kernel started.
    package var startSeconds: Double
    package var seconds: Double

    package init(node: Int, kernel: String, startSeconds: Double = 0, seconds: Double) {
        self.node = node
        self.kernel = kernel
        self.startSeconds = startSeconds
        self.seconds = seconds
    }
}

/// A plan on a device.
package protocol Executable: AnyObject {
    /// Starts a step; it runs after everything started before it.
    func run(_ uniforms: StepUniforms) throws
    /// Runs a step piece by piece and waits for each, for steps that take long: it is given up, and false
    /// returned, once `shouldStop` says so. Of a training step, all that a next one reads is then as it was before, but
    /// for the running statistics, whose kept copy is.
    func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) throws -> Bool
    /// Waits for the steps before it, then reads one of the graph's results.
    func read(_ value: ValueID) throws -> [Float]
    /// Waits until all that was started is done.
    func synchronize() throws
    /// Runs a step and returns its kernels' times on the device, in the same order at every step; nil where the
    /// executor cannot tell.
    func profile(_ uniforms: StepUniforms) throws -> [KernelTime]?
}

extension Executable {
    package func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) throws -> Bool {
        try run(uniforms)
        return true
    }

    package func profile(_ uniforms: StepUniforms) throws -> [KernelTime]? { nil }
}

private struct ReachedMark: Mark {
    func wait() {}
}

/// Of an executor that has no better.
private final class HeapMemory: StagingMemory, @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 64) }

    deinit { bytes.deallocate() }
}

extension Executor {
    package func calibrate() throws -> Calibration? { nil }
    package var sharesHostMemory: Bool { false }
    package func workingByteCount(of plan: Plan) -> Int { plan.arenaByteCount }
    package var rewrites: GraphRewrites { GraphRewrites() }
    package func makeRoom(for plans: [Plan]) throws {}
    /// For an executor that does everything at once.
    package func send(
        _ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int
    ) throws -> any Mark {
        try write(bytes, to: region, offset: offset)
        return ReachedMark()
    }
    package func mark() throws -> any Mark { ReachedMark() }
    package func makeStagingMemory(byteCount: Int) throws -> any StagingMemory {
        HeapMemory(byteCount: byteCount)
    }
    package func launches(of plan: Plan) -> [LaunchDescription] { [] }
    package func source(of launch: LaunchDescription) -> String { "" }

    package func makePlan(_ graph: Graph) -> Plan { makePlan(graph, keepsWorkspaces: false) }

    /// - Parameter keepsWorkspaces: see `Plan`.
    package func makePlan(_ graph: Graph, keepsWorkspaces: Bool) -> Plan {
        Plan(
            graph, rewrites, allocationByteCount: memoryLimits.allocation, keepsWorkspaces: keepsWorkspaces,
            form: form(of:in:))
    }

    package func write<Element: BitwiseCopyable>(
        _ elements: [Element], to region: Region, offset: Int = 0
    ) throws {
        try elements.withUnsafeBytes { try write($0, to: region, offset: offset) }
    }

    package func read<Element: BitwiseCopyable>(
        _ region: Region, offset: Int = 0, count: Int, as zero: Element
    ) throws -> [Element] {
        var elements = [Element](repeating: zero, count: count)
        try elements.withUnsafeMutableBytes { try read(region, offset: offset, into: $0) }
        return elements
    }
}
