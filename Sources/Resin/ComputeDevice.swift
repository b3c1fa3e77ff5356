import Foundation
import ResinDevice
import ResinOpenCL
import ResinPlan
import ResinReference
import ResinTensor
import ResinTraining

/// Something that networks run on: an OpenCL device of any platform, or the plain Swift reference executor,
/// which is always there.
public struct ComputeDevice: Sendable, CustomStringConvertible {
    public let details: DeviceDescription
    /// Which algorithms it may choose from; the reference executor's are always exact.
    public var math: MathMode = .fast
    /// What activations are stored as. Mixed precision has the kernels of GPUs alone, which run on CPUs too, slowly: for
    /// tests.
    public var precision: Precision = .float32
    let openCL: ResinOpenCL.Device?

    /// The driver's version, nil for the reference executor.
    public var driver: String? { openCL?.driverVersion }

    /// All devices of all platforms in one list, the reference executor last.
    public static func all() throws -> [ComputeDevice] {
        let devices: [ResinOpenCL.Device]
        do {
            devices = try ResinOpenCL.Device.all()
        } catch let error as OpenCLError {
            throw ResinError(
                .noDevice, "the OpenCL devices could not be listed: ",
                lines: "\(error)" + lines(driverProblems()))
        }
        var list = devices.enumerated().map { index, device in
            ComputeDevice(details: DeviceDescription(device, index: index), openCL: device)
        }
        let reference = ReferenceExecutor(index: list.count)
        list.append(ComputeDevice(details: reference.device, openCL: nil))
        return list
    }

    /// What keeps installed OpenCL drivers from giving a device, a sentence each: to be told with an answer
    /// that there is none. The drivers are asked again.
    public static func driverProblems() -> [String] { DriverDiagnosis.problems() }

    /// What was done so that a driver can be used, a sentence each.
    public static var driverNotes: [String] { DriverDiagnosis.notes }

    private static func lines(_ sentences: [String]) -> String {
        sentences.map { "\n  \($0)" }.joined()
    }

    /// The GPU with the most memory, else an OpenCL CPU, else any other OpenCL device, else the reference.
    public static func best() throws -> ComputeDevice {
        let devices = try all()
        func first(_ type: DeviceDescription.DeviceType) -> ComputeDevice? {
            devices.filter { $0.details.type == type }
                .max { $0.details.memoryByteCount < $1.details.memoryByteCount }
        }
        return first(.gpu) ?? first(.cpu) ?? first(.accelerator) ?? first(.other) ?? devices.last!
    }

    /// The one device that a specification means: `gpu`, `cpu`, `reference`, an index of `all()`, a
    /// `platform:device` pair, or part of a name.
    ///
    /// - Throws: `ResinError(.noDevice)` that lists the candidates when none or several match: an explicit
    ///   request never falls back.
    public static func matching(_ specification: String) throws -> ComputeDevice {
        let wanted = specification.lowercased()
        let devices: [ComputeDevice]
        do {
            devices = try all()
        } catch  where wanted == "reference" {
            // No driver can take this one away.
            return ComputeDevice(details: ReferenceExecutor().device, openCL: nil)
        }
        let matches = devices.filter { device in
            let details = device.details
            switch wanted {
            case "gpu", "cpu", "reference": return details.type.rawValue == wanted
            case _ where Int(wanted) != nil: return details.index == Int(wanted)
            case _ where wanted.contains(":"): return details.platformDevice == wanted
            default: return details.name.lowercased().contains(wanted)
            }
        }
        if matches.count == 1 { return matches[0] }
        if !matches.isEmpty {
            throw ResinError(
                .noDevice,
                "--device '\(specification)' matches several; name one by its index or platform:device:",
                lines: lines(matches.map(\.description)))
        }
        let problems = driverProblems()
        throw ResinError(
            .noDevice, "no device matches --device '\(specification)'; there are:",
            lines: lines(devices.map(\.description))
                + (problems.isEmpty ? "" : "\nOf the drivers:" + lines(problems)))
    }

    /// - Parameters:
    ///   - staging: another than the best that is known to work.
    ///   - leastPieceProducts: see `DeviceTraits`.
    ///   - imagesOfChoice: see `DeviceTraits`.
    package func makeExecutor(
        profiling: Bool = false, staging: Staging? = nil, leastPieceProducts: Int? = nil,
        imagesOfChoice: Int? = nil
    ) throws -> any Executor {
        guard let openCL else { return ReferenceExecutor(index: details.index) }
        // What is not known to work is not used: `resin` asks a driver once, a program of one's own may run
        // `resin devices --check`.
        let probes = hasToBeProbed ? DeviceProbes.kept(for: self) : nil
        let kernels = try KernelChoice.ofEnvironment()
        let imitated = details.type == .gpu ? nil : kernels?.imitatedStaging
        var best = imitated ?? .words
        if probes?.works(.ldmatrix) == true {
            best = probes?.works(.cpAsync) == true ? .asynchronousPieces : .pieces
        }
        var traits = DeviceTraits(
            openCL, math: math, asGPU: kernels != nil || precision != .float32 ? true : nil,
            hasTensorCores: probes?.works(probe) == true, imitatesTensorCores: imitated != nil,
            staging: min(best, staging ?? best),
            fence: details.type != .gpu || probes?.works(.deviceFence) == true ? DeviceFence(of: openCL) : nil
        )
        if imitated != nil { traits.leastPieceProducts = 0 }
        if let leastPieceProducts { traits.leastPieceProducts = leastPieceProducts }
        if traits.kind == .cpu { traits.imagesOfChoice = imagesOfChoice }
        return try DeviceExecutor(
            device: openCL, index: details.index, profiling: profiling, traits: traits)
    }

    /// Whether tensor cores take the operands that will be multiplied.
    private var probe: Probe {
        switch precision {
        case .float32: .tf32
        case .mixed: .bfloat16
        case .mixedFloat16: .float16
        }
    }

    /// Whether what its driver can do decides about the kernels, and has not been asked.
    public var awaitsProbes: Bool { hasToBeProbed && DeviceProbes.kept(for: self) == nil }

    /// Tensor cores or a fence between work-groups would be used; both are NVIDIA's, the latter other GPUs' too.
    private var hasToBeProbed: Bool {
        details.type == .gpu && openCL.flatMap(DeviceFence.init) != nil
    }

    /// Its limits, measured in about a second; nil for the reference executor.
    public func calibrate() throws -> Calibration? { try makeExecutor().calibrate() }

    public var description: String {
        let place = details.platformDevice.map { "\($0), \(details.platform), " } ?? ""
        return "\(details.index): \(details.name) (\(place)\(details.type.rawValue), "
            + "\(details.computeUnits) compute units, \(MemoryPlan.gigabytes(details.memoryByteCount)))"
    }
}

/// Whose kernels run, where they are not to be the device's own: a CPU can run a GPU's, slowly, which is how they
/// are compared and debugged without one. The environment variable `RESIN_KERNELS` says so.
private enum KernelChoice: String, CaseIterable {
    case gpu
    /// A GPU's, with tensor cores and asynchronous copies to local memory that are imitated.
    case tensorCores = "tensor-cores"
    /// The same without these copies.
    case tensorCoresByRegisters = "tensor-cores-by-registers"

    /// Nil where no tensor cores are imitated.
    var imitatedStaging: Staging? {
        switch self {
        case .gpu: nil
        case .tensorCores: .asynchronousPieces
        case .tensorCoresByRegisters: .pieces
        }
    }

    /// - Throws: `ResinError(.usage)` where the variable has another value.
    static func ofEnvironment() throws -> KernelChoice? {
        guard let text = ProcessInfo.processInfo.environment["RESIN_KERNELS"], !text.isEmpty else {
            return nil
        }
        guard let choice = KernelChoice(rawValue: text) else {
            let known = allCases.map(\.rawValue).joined(separator: ", ")
            throw ResinError(.usage, "RESIN_KERNELS is '\(text)'; it may be \(known), or not set")
        }
        return choice
    }
}

extension MemoryPlan {
    /// Binary gigabytes, as memory is sold, with one decimal.
    fileprivate static func gigabytes(_ byteCount: Int) -> String {
        let tenths = (byteCount * 10 + (1 << 29)) >> 30
        return "\(tenths / 10).\(tenths % 10) GiB"
    }
}

extension Trainer {
    /// Plans a training on a device before its images are read.
    ///
    /// - Throws: `ResinError`: `.outOfMemory` where the plan does not fit the device, or it and the images do not
    ///   fit the machine's memory, where that is the device's; `.noDevice` where the device fails.
    public static func plan(
        _ network: Network, _ dataset: DatasetOutline, _ configuration: TrainingConfiguration,
        device: ComputeDevice
    ) throws {
        guard configuration.fits(network, dataset) else { return }
        let executor = try device.makeExecutor(configuration)
        let inputs = RunInputs.outlined(dataset)
        let plans = try RunPlans(network, inputs, configuration, on: executor)
        try plans.checkThatItFits(network, inputs, configuration, on: executor)
        guard executor.sharesHostMemory else { return }
        try HostMemory.check(
            dataset.byteCount + plans.memory.total + plans.memory.checkpoint,
            for: "training with batch \(configuration.batch) (\(plans.memory.description)) beside its images",
            advice: "use a smaller --batch, --limit or --resize, or raise the limit (ulimit -v)")
    }

    /// The largest power of two of images a step, times the shards, that a device has memory to train with, of no more images than there are.
    ///
    /// - Throws: `ResinError(.outOfMemory)` where it has none for a single image.
    public static func largestBatch(
        _ network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        _ loading: ImageLoading,
        device: ComputeDevice
    ) throws -> Int {
        let executor = try device.makeExecutor(configuration)
        func plan(batch: Int) throws -> MemoryPlan {
            var configuration = configuration
            configuration.batch = batch
            let inputs = RunInputs.images(
                train: StepImages(dataset.train, .train, configuration, loading),
                test: StepImages(dataset.evaluated.images, .test, configuration.ofShard, loading))
            return try RunPlans(network, inputs, configuration, on: executor).memory
        }
        let most = min(dataset.train.count, Limits.batch, Limits.batchValues / network.input.valueCount)
        var batch = configuration.shards
        guard batch <= most, try plan(batch: batch).fits(executor) else {
            throw MemoryPlan.outOfMemory(
                try plan(batch: batch), "training with one image a step",
                "use a smaller --resize or --limit, or another --device", on: executor)
        }
        while 2 * batch <= most, try plan(batch: 2 * batch).fits(executor) { batch *= 2 }
        return batch
    }

    /// A trainer on a device.
    ///
    /// - Parameter weights: what begins otherwise than drawn at random; see `NetworkWeights(startingFrom:from:for:)`.
    /// - Throws: `ResinError`: `.usage` where network, data and configuration do not go together,
    ///   `.outOfMemory` where the plan does not fit the device, `.noDevice` where the device fails.
    public convenience init(
        _ network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        _ loading: ImageLoading = ImageLoading(), startingFrom weights: NetworkWeights? = nil,
        device: ComputeDevice
    ) throws {
        try self.init(
            network, dataset, configuration, loading, startingFrom: weights,
            on: device.makeExecutor(configuration))
    }
}

extension TrainingConfiguration {
    /// Whether there is something to plan; a trainer refuses what is not by itself.
    func fits(_ network: Network, _ dataset: DatasetOutline) -> Bool {
        let channels = dataset.train.channels
        return (1...dataset.train.images).contains(batch)
            && [network.input.channels, mean.count, standardDeviation.count].allSatisfy { $0 == channels }
    }
}

extension ComputeDevice {
    /// With the algorithms and the precision of a configuration.
    fileprivate func makeExecutor(_ configuration: TrainingConfiguration) throws -> any Executor {
        var device = self
        device.math = configuration.math
        device.precision = configuration.precision
        return try device.makeExecutor()
    }
}
