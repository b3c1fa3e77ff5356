import Foundation
import ResinTensor

/// How the learning rate changes: a function of the step, and with `plateau` of how often the loss has stayed, so that
/// a resumed run cannot get it wrong.
public struct Schedule: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable {
        case constant
        /// A tenth after each third of the epochs.
        case step
        /// A tenth after each of the milestones.
        case multistep
        /// Half a cosine from the base rate to the least (Loshchilov and Hutter, ICLR 2017), once or time and again.
        case cosine
        /// From a 25th of the base rate up to it in 30 % of the steps and down to a 250,000th, along cosines (Smith and
        /// Topin, "Super-convergence", 2018), as PyTorch's `OneCycleLR` does, but for the momentum, which stays.
        case oneCycle = "one-cycle"
        /// A tenth whenever the loss of what chooses the best weights has not fallen for `plateauPatience` epochs:
        /// PyTorch's `ReduceLROnPlateau`.
        case plateau
    }
    public var kind: Kind = .constant
    /// The rate rises linearly from zero over so many epochs first, or over so many steps.
    public var warmupEpochs = 0
    public var warmupSteps = 0
    /// Epochs after which `multistep` falls, ascending.
    public var milestones: [Int] = []
    /// What `cosine` and `plateau` fall to.
    public var leastRate: Float = 0
    /// `cosine` begins anew after so many epochs; nil for one that takes the whole run.
    public var restartEpochs: Int?
    public var plateauPatience = defaultPlateauPatience

    /// PyTorch's.
    public static let defaultPlateauPatience = 10

    public init(_ kind: Kind = .constant, warmupEpochs: Int = 0) {
        self.kind = kind
        self.warmupEpochs = warmupEpochs
    }

    /// - Parameters:
    ///   - step: of the run, from 0.
    ///   - epochs: of the whole run.
    ///   - reductions: how often `plateau` has fallen.
    package func learningRate(
        base: Float, step: Int, stepsPerEpoch: Int, epochs: Int, reductions: Int = 0
    ) -> Float {
        let warmup = warmupSteps > 0 ? warmupSteps : warmupEpochs * stepsPerEpoch
        let base = kind == .plateau ? reduced(base, reductions) : base
        if step < warmup { return base * Float(step + 1) / Float(warmup) }
        let total = epochs * stepsPerEpoch
        switch kind {
        case .constant, .plateau: return base
        case .step:
            let thirds = min(3 * (step / stepsPerEpoch) / max(epochs, 1), 2)
            return base * [1, 0.1, 0.01][thirds]
        case .multistep:
            let passed = milestones.count { $0 <= step / stepsPerEpoch }
            return Float((0..<passed).reduce(Double(base)) { rate, _ in rate * 0.1 })
        case .cosine:
            let progress: Double
            if let restartEpochs {
                let period = restartEpochs * stepsPerEpoch
                progress = Double((step - warmup) % period) / Double(period)
            } else {
                progress = Double(step - warmup) / Double(max(total - warmup, 1))
            }
            let least = Double(leastRate)
            return Float(least + (Double(base) - least) * 0.5 * (1 + cos(.pi * min(progress, 1))))
        case .oneCycle: return oneCycle(Double(base), step, total)
        }
    }

    private func oneCycle(_ base: Double, _ step: Int, _ total: Int) -> Float {
        let first = base / 25
        let last = first / 1e4
        // The step of the peak, which need not be whole.
        let peak = 0.3 * Double(total) - 1
        let step = min(Double(step), Double(total - 1))
        let isRising = step <= peak
        let (from, to) = isRising ? (first, base) : (base, last)
        let share = isRising ? step / max(peak, 1e-9) : (step - peak) / (Double(total - 1) - peak)
        return Float(to + (from - to) / 2 * (1 + cos(.pi * share)))
    }

    private func reduced(_ base: Float, _ reductions: Int) -> Float {
        var rate = Double(base)
        for _ in 0..<reductions {
            let next = max(rate * 0.1, Double(leastRate))
            // PyTorch leaves a rate that would hardly change.
            guard rate - next > 1e-8 else { break }
            rate = next
        }
        return Float(rate)
    }

    /// Whether the number of epochs changes the rate of steps before the last.
    package var dependsOnEpochs: Bool {
        switch kind {
        case .constant, .multistep, .plateau: false
        case .step, .oneCycle: true
        case .cosine: restartEpochs == nil
        }
    }
}

// MARK: Files

extension Schedule {
    public enum CodingKeys: String, CodingKey {
        case kind, warmupEpochs
        case warmupSteps = "warmup_steps"
        case milestones
        case leastRate = "min_lr"
        case restartEpochs = "restarts"
        case plateauPatience = "plateau_patience"
    }

    /// What the first versions' files do not have was at its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        kind = try values.value(.kind)
        warmupEpochs = try values.value(.warmupEpochs)
        warmupSteps = try values.optional(.warmupSteps) ?? 0
        milestones = try values.optional(.milestones) ?? []
        leastRate = try values.optional(.leastRate) ?? 0
        restartEpochs = try values.optional(.restartEpochs)
        plateauPatience = try values.optional(.plateauPatience) ?? Self.defaultPlateauPatience
    }

    /// What is off is left out.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(kind, forKey: .kind)
        try values.encode(warmupEpochs, forKey: .warmupEpochs)
        if warmupSteps != 0 { try values.encode(warmupSteps, forKey: .warmupSteps) }
        if !milestones.isEmpty { try values.encode(milestones, forKey: .milestones) }
        if leastRate != 0 { try values.encode(leastRate, forKey: .leastRate) }
        try values.encodeIfPresent(restartEpochs, forKey: .restartEpochs)
        if kind == .plateau { try values.encode(plateauPatience, forKey: .plateauPatience) }
    }
}

extension TrainingConfiguration {
    /// What each value of a schedule may be, alone and beside the others.
    static let scheduleRules: [ValueRule<TrainingConfiguration>] =
        (Schedule.rules + Schedule.rulesOfCombinations).map { rule in rule.within("schedule") { $0.schedule }
        }
        + [
            ValueRule("schedule.min_lr", "--min-lr", "at most the learning rate") {
                $0.schedule.leastRate > $0.optimizer.learningRate ? "\($0.schedule.leastRate)" : nil
            }
        ]
}

extension Schedule {
    fileprivate static let rules: [ValueRule<Schedule>] = [
        ValueRule("kind", "--schedule", Kind.allNames),
        ValueRule("warmupEpochs", "--warmup-epochs", 0...Limits.epochs) { $0.warmupEpochs },
        ValueRule("warmup_steps", "--warmup-steps", 0...Limits.steps) { $0.warmupSteps },
        ValueRule(
            "milestones", "--milestones", "ascending numbers of epochs, each from 1 to \(Limits.epochs)",
            offence: milestonesOffence),
        ValueRule("min_lr", "--min-lr", "a number of at least 0", 0...Float.greatestFiniteMagnitude) {
            $0.leastRate
        },
        ValueRule("restarts", "--restarts", 1...Limits.epochs) { $0.restartEpochs },
        ValueRule("plateau_patience", "--plateau-patience", 0...Limits.epochs) { $0.plateauPatience },
    ]

    fileprivate static let rulesOfCombinations: [ValueRule<Schedule>] = [
        ValueRule("warmup_steps", "--warmup-steps", "left out beside --warmup-epochs, or the other way round")
        {
            $0.warmupSteps > 0 && $0.warmupEpochs > 0 ? "\($0.warmupSteps)" : nil
        },
        ValueRule("kind", "--schedule", "another with a warm-up: this one begins low by itself") {
            $0.kind == .oneCycle && ($0.warmupSteps > 0 || $0.warmupEpochs > 0) ? $0.kind.rawValue : nil
        },
        ValueRule("milestones", "--milestones", "given with --schedule multistep, such as 30,60,80") {
            $0.kind == .multistep && $0.milestones.isEmpty ? "left out" : nil
        },
    ]

    @Sendable private static func milestonesOffence(_ schedule: Schedule) -> String? {
        let milestones = schedule.milestones
        let isInRange = milestones.allSatisfy { (1...Limits.epochs).contains($0) }
        let isAscending = zip(milestones, milestones.dropFirst()).allSatisfy { $0 < $1 }
        return isInRange && isAscending ? nil : "\(milestones)"
    }
}
