import Foundation
import ResinCases
import ResinDataset
import ResinDevice
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinReference
import ResinTensor
import ResinTraining

/// Small cases that between them run every kernel, in every form, that a device would choose: a driver that computes
/// something else is found before it spoils a training. What was right is kept by device, driver and kernels, so that a
/// driver is checked once.
public struct FormCheck: Codable, Hashable, Sendable {
    /// Names of the cases that were run.
    public var cases: [String]
    /// The largest error, relative to the largest absolute value of the exact result; nil where there is none that is
    /// finite.
    public var worstError: Double?
    /// What is wrong, nil where nothing is.
    public var failure: String?
    /// What was found to be right.
    private var forms: [String] = []

    public init(cases: [String], failure: String? = nil) {
        self.cases = cases
        self.failure = failure
    }

    /// The cases that a device's kernels have to pass before they are used; none for the reference executor.
    ///
    /// - Parameter all: also those that have passed.
    public static func cases(of device: ComputeDevice, all: Bool = false) throws -> [String] {
        guard let executor = try executor(on: device) else { return [] }
        let known = all ? [] : kept(for: device)
        let candidates = try candidates(on: executor, in: device.precision)
        let wanted = candidates.reduce(into: Set()) { $0.formUnion($1.forms) }.subtracting(known)
        return choice(among: candidates, for: wanted, besides: []).map(\.name)
    }

    /// Those that have to be passed before a network is trained.
    public static func cases(
        beforeTraining network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        on device: ComputeDevice
    ) throws -> [String] {
        guard configuration.fits(network, dataset.outline), let executor = try executor(on: device) else {
            return []
        }
        let inputs = RunInputs.images(
            train: StepImages(dataset.train, .train, configuration),
            test: StepImages(dataset.test, .test, configuration))
        let plans = try RunPlans(network, inputs, configuration, on: executor)
        let exchange = plans.exchangePlan.map { [$0] } ?? []
        let used = (plans.trainingPlan.plans + plans.evaluationPlan.plans + exchange).map {
            Candidate("", $0, on: executor)
        }
        let wanted = used.reduce(into: Set()) { $0.formUnion($1.forms) }.subtracting(kept(for: device))
        guard !wanted.isEmpty else { return [] }
        return choice(
            among: try candidates(on: executor, in: device.precision), for: wanted,
            besides: used.reduce(into: Set()) { $0.formUnion($1.programs) }
        ).map(\.name)
    }

    /// Runs cases in this process, which a bad driver may end.
    ///
    /// - Throws: the device's own errors.
    public static func run(_ names: [String], on device: ComputeDevice) throws -> FormCheck {
        var result = FormCheck(cases: names)
        guard let openCL = device.openCL, let executor = try executor(on: device) else { return result }
        let loops = Probe.longLoops.run(on: openCL)
        if !loops.works {
            result.failure = "\(loops.name): \(loops.reason ?? "no")"
            return result
        }
        executor.spoilsMemory = true
        let reference = ReferenceExecutor()
        let chosen = Set(names)
        var worst = 0.0
        for opCase in OpCase.all where chosen.contains(opCase.name) {
            let deviation = Deviation(
                of: try opCase.run(on: executor, in: device.precision),
                from: try opCase.run(on: reference, in: device.precision),
                allowing: opCase.tolerance(
                    of: try opCase.arithmetic(on: executor, in: device.precision), in: device.precision))
            worst = max(worst, deviation.worst)
            if let failure = deviation.failure {
                if result.failure == nil { result.failure = "\(opCase): \(failure)" }
            } else {
                result.forms += try Candidate(opCase, on: executor, in: device.precision).forms
            }
        }
        if worst.isFinite { result.worstError = worst }
        return result
    }

    /// Copies to local memory, too, where there are any: cases are small.
    private static func executor(on device: ComputeDevice) throws -> DeviceExecutor? {
        try device.makeExecutor(leastPieceProducts: 0) as? DeviceExecutor
    }

    // MARK: Choosing

    /// A case, and what running it checks.
    package struct Candidate {
        package let name: String
        /// Kernels, with the form that they are of and the class that they are built in.
        package private(set) var forms: Set<String> = []
        /// What has to be compiled.
        private(set) var programs: Set<[String]> = []
        private let cost: Double
        /// Whether it is of so few numbers that a kernel can hardly be wrong.
        let isTiny: Bool

        init(_ opCase: OpCase, on executor: DeviceExecutor, in precision: Precision) throws {
            let counts = opCase.inputs.map { $0.shape.reduce(1, *) }
            self.init(
                opCase.name, executor.makePlan(try opCase.makeGraph().inPrecision(precision)), on: executor,
                isTiny: counts.max() ?? 0 < 100)
        }

        package init(_ name: String, _ plan: Plan, on executor: DeviceExecutor, isTiny: Bool = false) {
            (self.name, self.isTiny) = (name, isTiny)
            for launch in executor.launches(of: plan) {
                // Sizes of tiles and the like make programs of their own, but no other form.
                let definitions = launch.options.filter { option in
                    ["LANES", "LONG_WORK_ITEMS", "ALIGNED", "MIXED", "TENSOR", "STAGING", "SMALL"].contains {
                        option.hasPrefix("-D\($0)=")
                    }
                }
                let form = plan.forms[launch.node].name
                forms.insert(
                    ([plan.graph.nodes[launch.node].op.kind] + (form.isEmpty ? [] : [form]) + [launch.kernel]
                        + definitions).joined(separator: " "))
                programs.insert(launch.files + launch.options)
            }
            let graph = plan.graph
            cost = graph.nodes.reduce(0) { sum, node in
                let cost = node.op.body.cost(
                    inputs: node.inputs.map { graph[$0].type }, outputs: node.outputs.map { graph[$0].type })
                return sum + Double(cost.multiplyAdds + cost.bytes)
            }
        }

        /// In seconds, about: a program to be compiled takes longer than any small case, which the reference runs, too.
        fileprivate func price(besides built: Set<[String]>) -> Double {
            0.01 + 0.5 * Double(programs.subtracting(built).count) + cost * 3e-9
        }
    }

    package static func candidates(
        on executor: DeviceExecutor, in precision: Precision
    ) throws -> [Candidate] {
        let families = OpCase.Family.allCases.filter {
            precision == .float32 || ![.optimizers, .metrics].contains($0)
        }
        return try families.flatMap(\.cases).map { try Candidate($0, on: executor, in: precision) }
    }

    /// Few and cheap cases that have all of the wanted forms between them, as far as any has: always the one that gives
    /// most for its price, a tiny one only where no other is left.
    ///
    /// - Parameter programs: what will be compiled anyway.
    private static func choice(
        among candidates: [Candidate], for wanted: Set<String>, besides programs: Set<[String]>
    ) -> [Candidate] {
        var (wanted, built) = (wanted, programs)
        var chosen: [Candidate] = []
        while true {
            let values = candidates.map { candidate in
                let gain =
                    Double(candidate.forms.intersection(wanted).count) / candidate.price(besides: built)
                return candidate.isTiny ? 1e-6 * gain : gain
            }
            guard let (best, value) = zip(candidates, values).max(by: { $0.1 < $1.1 }), value > 0 else {
                return chosen
            }
            chosen.append(best)
            wanted.subtract(best.forms)
            built.formUnion(best.programs)
        }
    }

    // MARK: What is kept

    private struct Kept: Codable {
        var device, driver: String
        var forms: [String]
    }

    private static func path(for device: ComputeDevice) -> String? {
        DeviceCache.path(
            in: DeviceCache.folder("checks", environment: ProcessInfo.processInfo.environment), for: device,
            fingerprint: KernelText.fingerprint)
    }

    /// What has been right on a device with its driver and these kernels.
    private static func kept(for device: ComputeDevice) -> Set<String> {
        Set(path(for: device).flatMap { DeviceCache.read($0, as: Kept.self) }?.forms ?? [])
    }

    /// Keeps what was right, beside what is kept already: in `resin/checks` in the user's cache folder.
    ///
    /// - Throws: `ResinError(.cannotWrite)`.
    public func keep(for device: ComputeDevice) throws {
        guard let path = Self.path(for: device), !forms.isEmpty else { return }
        let all = Self.kept(for: device).union(forms).sorted()
        try DeviceCache.write(
            Kept(device: device.details.name, driver: device.driver ?? "", forms: all), to: path)
    }
}

extension Op {
    /// Which of the operators it is, without its settings.
    fileprivate var kind: String { Mirror(reflecting: self).children.first?.label ?? "\(self)" }
}

extension OpCase {
    /// How its sums are made.
    fileprivate func arithmetic(on executor: DeviceExecutor, in precision: Precision) throws -> Arithmetic {
        if executor.traits.usesTensorCores { return .tensorCores }
        return try usesWinograd(on: executor, in: precision) ? .winograd : .direct
    }
}
