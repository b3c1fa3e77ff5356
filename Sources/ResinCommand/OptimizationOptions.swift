import ArgumentParser
import Foundation
import Resin

/// How the optimizer and the schedule differ from their defaults, and what is done beside them.
struct OptimizationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Adam's, AdamW's, LAMB's or Lion's β₁.", valueName: "b"))
    var beta1: Float?
    @Option(help: ArgumentHelp("Their β₂.", valueName: "b"))
    var beta2: Float?
    @Option(help: ArgumentHelp("ε of Adam, AdamW, RMSprop and LAMB.", valueName: "e"))
    var eps: Float?
    @Option(help: ArgumentHelp("RMSprop's α.", valueName: "a"))
    var alpha: Float?
    @Option(
        help: ArgumentHelp(
            "Shorten all gradients together to this norm where it is larger (LAMB's default: 1).",
            valueName: "norm"))
    var clip: Float?
    @Option(
        help: ArgumentHelp("Learning rate of the classifier, the last layer with weights.", valueName: "rate")
    )
    var headLr: Float?
    @Option(
        help: ArgumentHelp("Each block's rate is that of the block behind it times this.", valueName: "x"))
    var layerDecay: Float?
    @Option(help: "all or filters: what weight decay acts on (default: all).")
    var decay: OptimizerSettings.DecayScope?
    @Option(
        help: ArgumentHelp(
            "Keep moving averages of the weights with this decay, such as 0.999; the best weights are of them.",
            valueName: "decay"))
    var ema: Double?

    @Option(help: ArgumentHelp("Steps over which the rate rises first.", valueName: "n"))
    var warmupSteps: Int?
    @Option(
        help: ArgumentHelp(
            "With --schedule multistep: the epochs after which the rate falls to a tenth.", valueName: "list")
    )
    var milestones: String?
    @Option(help: ArgumentHelp("What --schedule cosine or plateau falls to (default: 0).", valueName: "rate"))
    var minLr: Float?
    @Option(help: ArgumentHelp("With --schedule cosine: begin anew after so many epochs.", valueName: "n"))
    var restarts: Int?
    @Option(
        help: ArgumentHelp(
            "With --schedule plateau: epochs without a better loss before the rate falls (default: 10).",
            valueName: "n"))
    var plateauPatience: Int?

    /// Sets what is given.
    ///
    /// - Parameters:
    ///   - schedule: where it is given.
    ///   - warmupEpochs: where they are.
    /// - Throws: for a list that is none.
    func apply(
        to configuration: inout TrainingConfiguration, schedule: Schedule.Kind?, warmupEpochs: Int?
    ) throws {
        if let beta1 { configuration.optimizer.beta1 = beta1 }
        if let beta2 { configuration.optimizer.beta2 = beta2 }
        if let eps { configuration.optimizer.epsilon = eps }
        if let alpha { configuration.optimizer.alpha = alpha }
        if let clip { configuration.optimizer.clipNorm = clip }
        if let headLr { configuration.optimizer.headLearningRate = headLr }
        if let layerDecay { configuration.optimizer.layerDecay = layerDecay }
        if let decay { configuration.optimizer.decays = decay }
        if let ema { configuration.averageDecay = ema }
        // A recipe's warm-up gives way to one that is asked for.
        if warmupEpochs == nil, warmupSteps != nil || schedule == .oneCycle {
            configuration.schedule.warmupEpochs = 0
        }
        if let warmupSteps { configuration.schedule.warmupSteps = warmupSteps }
        if let milestones { configuration.schedule.milestones = try epochs(milestones) }
        if let minLr { configuration.schedule.leastRate = minLr }
        if let restarts { configuration.schedule.restartEpochs = restarts }
        if let plateauPatience { configuration.schedule.plateauPatience = plateauPatience }
    }

    private func epochs(_ text: String) throws -> [Int] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard parts.allSatisfy({ $0 != nil }) else {
            throw ValueFault(
                key: "milestones", option: "--milestones", value: "'\(text)'",
                allowed: "ascending numbers of epochs, comma-separated, such as 30,60,80")
        }
        return parts.map { $0! }
    }

    /// An option that would do nothing.
    struct Idle: Error {
        var option: String
        var error: ResinError
    }

    /// A saved run keeps settings that do nothing; who gives them now means something by it.
    func check(_ configuration: TrainingConfiguration) throws(Idle) {
        let (optimizer, schedule) = (configuration.optimizer, configuration.schedule)
        func needs(
            _ option: String, _ isGiven: Bool, _ isUsed: Bool, _ others: String, _ now: String
        ) throws(Idle) {
            guard isGiven, !isUsed else { return }
            throw Idle(
                option: option,
                error: ResinError(.usage, "\(option) needs \(others), but \(now); leave it out"))
        }
        let name = optimizer.name
        let nameNow = "--optimizer is \(name.rawValue)"
        func needs(
            _ option: String, _ given: Float?, _ setting: KeyPath<OptimizerSettings.Name, Float?>
        ) throws(Idle) {
            let having = OptimizerSettings.Name.allCases.filter { $0[keyPath: setting] != nil }
            try needs(
                option, given != nil, name[keyPath: setting] != nil,
                "--optimizer \(having.map(\.rawValue).joined(separator: ", "))", nameNow)
        }
        try needs("--beta1", beta1, \.beta1)
        try needs("--beta2", beta2, \.beta2)
        try needs("--eps", eps, \.epsilon)
        try needs("--alpha", alpha, \.alpha)
        try needs(
            "--decay", decay == .filters, optimizer.weightDecay > 0, "--weight-decay", "it is 0")
        let kind = schedule.kind
        let kindNow = "--schedule is \(kind.rawValue)"
        try needs("--milestones", milestones != nil, kind == .multistep, "--schedule multistep", kindNow)
        try needs(
            "--min-lr", minLr ?? 0 > 0, kind == .cosine || kind == .plateau, "--schedule cosine or plateau",
            kindNow)
        try needs("--restarts", restarts != nil, kind == .cosine, "--schedule cosine", kindNow)
        try needs(
            "--plateau-patience", plateauPatience != nil, kind == .plateau, "--schedule plateau", kindNow)
    }
}

extension OptimizerSettings.DecayScope: ExpressibleByArgument {}
