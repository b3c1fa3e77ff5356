import ResinCases
import ResinDevice
import ResinPlan
import ResinReference
import ResinTensor

/// A family of operators run on a device and on the reference executor, with several shapes: a driver that
/// miscompiles one kernel is found, and the kernel named, without the test suite.
public struct OperatorCheck: Codable, Hashable, Sendable {
    public var family: String
    public var cases: Int
    /// The largest error, relative to the largest absolute value of the exact result; nil where there is none
    /// that is finite.
    public var worstError: Double?
    /// Every case that went wrong, with what its programs are built with; nil where none did.
    public var failure: String?
    /// Why there is no case: what the device does without.
    public var reason: String?

    public init(
        family: String, cases: Int, worstError: Double? = nil, failure: String? = nil, reason: String? = nil
    ) {
        self.family = family
        self.cases = cases
        self.worstError = worstError
        self.failure = failure
        self.reason = reason
    }

    /// Cases, and in which kernels they run: a family of the check.
    private struct Family {
        var name: String
        var cases: [OpCase]
        var kernels: Kernels
    }

    /// Which a device has depends, but for the direct ones.
    private enum Kernels: Equatable {
        case direct, winograd, tensorCores
        /// Tensor cores' operands in pieces, and how they come.
        case staged(Staging)
        /// Everything that has activations, stored in 16 bits; for GPUs.
        case halves(Precision)
    }

    private static let all: [Family] =
        OpCase.Family.allCases.flatMap { family in
            // Those of the convolutions that `--math exact` does without.
            let others: [(String, Kernels)] =
                family == .convolution
                ? [
                    ("Winograd", .winograd), ("tensor cores", .tensorCores),
                    ("pieces through registers", .staged(.pieces)),
                    ("asynchronous copies", .staged(.asynchronousPieces)),
                ]
                : []
            return ([(family.rawValue, .direct)] + others).map {
                Family(name: $0, cases: family.cases.filter(\.isChecked), kernels: $1)
            }
        }
        + [("mixed precision", Precision.mixed), ("mixed precision in float16", .mixedFloat16)].map {
            let families = OpCase.Family.allCases.filter { ![.optimizers, .metrics].contains($0) }
            return Family(
                name: $0, cases: families.flatMap(\.cases).filter(\.isChecked), kernels: .halves($1))
        }

    public static let families = all.map(\.name)

    /// Checks one family in this process, which a bad driver may end.
    ///
    /// - Throws: `ResinError(.usage)` where there is no such family, and the device's own where it fails.
    public static func run(_ family: String, on device: ComputeDevice) throws -> OperatorCheck {
        let kernels = try named(family).kernels
        var device = device
        device.math = kernels == .direct ? .exact : .fast
        var leastProducts: Int?
        var staging: Staging?
        switch kernels {
        case .direct, .winograd: break
        case .tensorCores: staging = .words
        // Cases are small: pieces would not pay.
        case .staged(let way): (leastProducts, staging) = (0, way)
        case .halves(let precision):
            leastProducts = 0
            // On a CPU none of its own: what would run there are a GPU's.
            if device.details.type == .gpu { device.precision = precision }
        }
        return try run(family, on: device.makeExecutor(staging: staging, leastPieceProducts: leastProducts))
    }

    package static func run(_ name: String, on executor: any Executor) throws -> OperatorCheck {
        let family = try named(name)
        let traits = (executor as? DeviceExecutor)?.traits
        var cases = family.cases
        var precision = Precision.float32
        var arithmetic = traits?.usesTensorCores == true ? Arithmetic.tensorCores : .direct
        let reason: String
        switch family.kernels {
        case .direct: reason = "none is listed"
        case .winograd:
            cases = try cases.filter { try $0.usesWinograd(on: executor) }
            arithmetic = .winograd
            reason = "its convolutions are direct sums"
        case .tensorCores:
            if arithmetic != .tensorCores { cases = [] }
            reason = "it has no tensor cores that are known to work"
        case .staged(let way):
            if traits?.staging != way { cases = [] }
            reason =
                "it has no \(way == .pieces ? "loads of matrices" : "asynchronous copies") that are known to work"
        case .halves(let chosen):
            precision = chosen
            if traits?.kind != .gpu { cases = [] }
            reason = "mixed precision has the kernels of GPUs alone"
        }
        guard !cases.isEmpty else { return OperatorCheck(family: name, cases: 0, reason: reason) }

        (executor as? DeviceExecutor)?.spoilsMemory = true
        let reference = ReferenceExecutor()
        var result = OperatorCheck(family: name, cases: cases.count)
        var worst = 0.0
        var failures: [String] = []
        for opCase in cases {
            func note(_ failure: String) throws {
                failures.append(
                    "\(opCase): \(failure)\n" + (try opCase.programs(on: executor, in: precision)))
            }
            let exact = try opCase.run(on: reference, in: precision)
            do {
                let deviation = Deviation(
                    of: try opCase.run(on: executor, in: precision), from: exact,
                    allowing: opCase.tolerance(of: arithmetic, in: precision))
                worst = max(worst, deviation.worst)
                if let failure = deviation.failure { try note(failure) }
            } catch let error as ResinError {
                // The device may be of no use from here on.
                try note("\(error.message)\nthe cases behind it were not run")
                break
            }
        }
        if !failures.isEmpty { result.failure = failures.joined(separator: "\n") }
        // JSON has no infinity.
        if worst.isFinite { result.worstError = worst }
        return result
    }

    private static func named(_ name: String) throws -> Family {
        guard let family = all.first(where: { $0.name == name }) else {
            throw ResinError(
                .usage, "there is no operator family '\(name)'; there are \(families.joined(separator: ", "))"
            )
        }
        return family
    }
}

extension OpCase {
    /// Whether a convolution of it would run as minimal filtering, whose sums are rounded differently.
    package func usesWinograd(on executor: any Executor, in precision: Precision = .float32) throws -> Bool {
        guard let executor = executor as? DeviceExecutor else { return false }
        let graph = executor.makePlan(try makeGraph().inPrecision(precision)).graph
        return graph.nodes.contains { executor.usesWinograd(for: $0, in: graph) }
    }

    /// A line a kernel that it launches: name, and what its program is built with.
    fileprivate func programs(on executor: any Executor, in precision: Precision) throws -> String {
        let plan = executor.makePlan(try makeGraph().inPrecision(precision))
        return executor.launches(of: plan).map { launch in
            "  \(launch.kernel) \(launch.options.joined(separator: " "))"
        }.joined(separator: "\n")
    }
}
