import ResinDevice
import ResinPlan
import ResinReference
import ResinTensor

/// A family of operators run on a device and on the reference executor, with several shapes: a driver that miscompiles
/// one kernel is found, and the kernel named, without the test suite.
public struct OperatorCheck: Codable, Hashable, Sendable {
    public var family: String
    public var cases: Int
    /// The largest error, relative to the largest absolute value of the exact result; nil where a case did not run.
    public var worstError: Double?
    /// What is wrong, nil where nothing is.
    public var failure: String?

    public init(family: String, cases: Int, worstError: Double? = nil, failure: String? = nil) {
        self.family = family
        self.cases = cases
        self.worstError = worstError
        self.failure = failure
    }

    /// Families of the convolutions that `--math exact` does without; which a device has depends.
    private static let winograd = "Winograd", tensorCores = "tensor cores"
    private static let copies = "asynchronous copies"
    package static let inexact = [winograd, tensorCores, copies]
    /// Everything that has activations, stored in 16 bits; for GPUs.
    package static let mixedPrecisions: [String: Precision] = [
        "mixed precision": .mixed, "mixed precision in float16": .mixedFloat16,
    ]
    private static let halves = [
        OperatorTrial.convolutions, OperatorTrial.pooling, OperatorTrial.batchNorm, OperatorTrial.loss,
        OperatorTrial.elementwise, OperatorTrial.concatenation, OperatorTrial.input,
    ].flatMap(\.self)

    private static let all: [(name: String, trials: [OperatorTrial])] =
        [
            ("convolution", OperatorTrial.convolutions), (winograd, OperatorTrial.convolutions),
            (tensorCores, OperatorTrial.convolutions), (copies, OperatorTrial.convolutions),
            ("pooling", OperatorTrial.pooling), ("batch norm", OperatorTrial.batchNorm),
            ("softmax cross-entropy", OperatorTrial.loss), ("element-wise", OperatorTrial.elementwise),
            ("concatenation", OperatorTrial.concatenation), ("input", OperatorTrial.input),
            ("optimizers", OperatorTrial.optimizers), ("metrics", OperatorTrial.metrics),
        ] + mixedPrecisions.keys.sorted().map { ($0, halves) }

    public static let families = all.map(\.name)

    /// Checks one family in this process, which a bad driver may end.
    ///
    /// - Throws: `ResinError(.usage)` where there is no such family, and the device's own where it fails.
    public static func run(_ family: String, on device: ComputeDevice) throws -> OperatorCheck {
        var device = device
        let precision = mixedPrecisions[family]
        device.math = precision != nil || inexact.contains(family) ? .fast : .exact
        // Which kernels it would run in; on a CPU none, for it has none of its own.
        if let precision, device.details.type == .gpu { device.precision = precision }
        // Trials are small: copies would not pay.
        let leastProducts = family == copies || precision != nil ? 0 : nil
        return try run(family, on: device.makeExecutor(leastAsynchronousProducts: leastProducts))
    }

    package static func run(_ family: String, on executor: any Executor) throws -> OperatorCheck {
        guard var trials = all.first(where: { $0.name == family })?.trials else {
            throw ResinError(
                .usage,
                "there is no operator family '\(family)'; there are \(families.joined(separator: ", "))")
        }
        if family == winograd {
            trials = try trials.filter { try usesWinograd($0, executor) }
            // Sums of other sums: the tests' bound for its worst form, 5×5 filters' gradients.
            for index in trials.indices { trials[index].tolerance = 2e-4 }
        }
        if family == tensorCores || family == copies {
            let traits = (executor as? DeviceExecutor)?.traits
            if traits?.usesTensorCores != true || (family == copies && traits?.copiesAsynchronously != true) {
                trials = []
            }
            // Two operands of 11 significant bits.
            for index in trials.indices { trials[index].tolerance = 1e-3 }
        }
        let precision = mixedPrecisions[family] ?? .float32
        if precision != .float32 {
            if (executor as? DeviceExecutor)?.traits.groupTiles.isEmpty != false { trials = [] }
            // Sums that differ a little may be rounded to neighbours, 2⁻⁷ apart, or 2⁻¹⁰.
            for index in trials.indices { trials[index].tolerance = precision == .mixed ? 1e-2 : 2e-3 }
        }
        let reference = ReferenceExecutor()
        var result = OperatorCheck(family: family, cases: trials.count, worstError: 0)
        for trial in trials {
            let error = OperatorTrial.error(
                of: try trial.run(on: executor, in: precision),
                against: try trial.run(on: reference, in: precision))
            result.worstError = max(result.worstError!, error)
            if error > trial.tolerance, result.failure == nil {
                result.failure =
                    "\(trial.name) is off by \(error) of the largest value, more than \(trial.tolerance)"
            }
        }
        // JSON has no infinity.
        if result.worstError == .infinity { result.worstError = nil }
        return result
    }

    private static func usesWinograd(_ trial: OperatorTrial, _ executor: any Executor) throws -> Bool {
        guard let executor = executor as? DeviceExecutor else { return false }
        let graph = executor.makePlan(try trial.graph()).graph
        return graph.nodes.contains { executor.usesWinograd(for: $0, in: graph) }
    }
}
