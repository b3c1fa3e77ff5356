import ArgumentParser
import Foundation
import Resin

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains a network and leaves a run folder behind.",
        discussion: """
            Without options it trains by the network's recipe. The run folder holds the configuration, the
            metrics by epoch and the checkpoints; Ctrl-C saves and --resume goes on bit for bit.
            """)

    @Argument(
        help: ArgumentHelp(
            "The network: \(Network.knownNames.joined(separator: ", ")); with --resume or --config it may be "
                + "left out."))
    var network: String?

    @Option(
        help: ArgumentHelp(
            "A recipe: these options as a JSON object.",
            discussion: "Its keys are the options' names in snake_case; an option given here wins.",
            valueName: "file"))
    var config: String?

    @OptionGroup(title: "Data") var dataOptions: DataOptions

    @Option(help: ArgumentHelp("Height and width that images are resized to.", valueName: "n"))
    var resize: Int?
    @Option(help: ArgumentHelp("Mean a channel, 0…1, comma-separated; the set's own if not given."))
    var mean: String?
    @Option(help: ArgumentHelp("Standard deviation a channel, 0…1; the set's own if not given."))
    var std: String?
    @Option(help: ArgumentHelp("crop, flip or both, comma-separated.", valueName: "list"))
    var augment: String?

    @OptionGroup var deviceOption: DeviceOption
    @OptionGroup(title: "Network") var networkArguments: NetworkArguments

    @Option(help: ArgumentHelp("Passes over the training images.", valueName: "n"))
    var epochs: Int?
    @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
    var batch: Int?
    @Option(help: "sgd, adam or adamw.")
    var optimizer: OptimizerSettings.Name?
    @Option(help: ArgumentHelp("Learning rate.", valueName: "rate"))
    var lr: Float?
    @Option(help: ArgumentHelp("SGD's momentum.", valueName: "m"))
    var momentum: Float?
    @Flag(inversion: .prefixedNo, help: "Nesterov's form of the momentum.")
    var nesterov: Bool?
    @Option(help: ArgumentHelp("Weight decay.", valueName: "w"))
    var weightDecay: Float?
    @Option(help: "constant, step or cosine.")
    var schedule: Schedule.Kind?
    @Option(help: ArgumentHelp("Epochs over which the rate rises first.", valueName: "n"))
    var warmupEpochs: Int?
    @Option(help: ArgumentHelp("Share of each training target that all classes get, 0…1.", valueName: "e"))
    var labelSmoothing: Float?
    @Option(help: ArgumentHelp("Stop after so many epochs without a better test accuracy.", valueName: "n"))
    var patience: Int?
    @Option(name: .customLong("init"), help: "xavier, kaiming or default (PyTorch's).")
    var initialiser: Initialiser?
    @Option(help: ArgumentHelp("What everything random follows from (default: 42).", valueName: "n"))
    var seed: UInt64?
    @Option(name: .customLong("on-nan"), help: "stop or skip, when a loss is not finite (default: stop).")
    var onNaN: TrainingConfiguration.NaNPolicy?

    @Option(help: ArgumentHelp("The run's folder (default: runs/NETWORK-N).", valueName: "dir"))
    var out: String?
    @Flag(help: "Replace the run that the folder holds.")
    var overwrite = false
    @Option(help: ArgumentHelp("Go on with a run, bit for bit.", valueName: "dir"))
    var resume: String?
    @Option(help: ArgumentHelp("Epochs between checkpoints (default: 1).", valueName: "n"))
    var saveEvery: Int?
    @Option(help: ArgumentHelp("Checkpoints to keep (default: 2).", valueName: "n"))
    var keep: Int?
    @Option(help: "auto, bar, plain, json or none (default: auto).")
    var progress: ProgressStyle?

    func validate() throws {
        if resume == nil && network == nil && config == nil {
            throw ValidationError("Name a network: \(Network.knownNames.joined(separator: ", ")).")
        }
        if resume != nil && (out != nil || overwrite) {
            throw ValidationError("--resume goes on in its own folder; leave out --out and --overwrite.")
        }
    }

    mutating func run() throws {
        Interruption.listen()
        if let config { try RecipeFile(config).apply(to: &self) }
        saveEvery = try bounded("--save-every", saveEvery ?? 1, 1...1_000_000)
        keep = try bounded("--keep", keep ?? 2, 1...1000)
        if let resume {
            let folder = try RunFolder(resuming: resume)
            if let warning = folder.warning { note("note: \(warning)") }
            let configuration = try resumed(
                folder.configuration(as: TrainingConfiguration.self), folder)
            if let standing = try folder.standing(), standing.isOver(configuration) {
                try tellThatItIsOver(folder, standing, configuration)
            } else {
                try train(resuming: folder, configuration)
            }
        } else {
            try startNew()
        }
    }

    private func startNew() throws {
        if let out { try RunFolder.check(newRunIn: out, overwrite: overwrite) }
        let (network, dataset, configuration) = try makeConfiguration()
        let device = try deviceOption.choose()
        let trainer = try Trainer(network, dataset, configuration, device: device)
        Interruption.protectWork()
        let folder = try RunFolder(newRunOf: network.name, out: out, overwrite: overwrite)
        if let warning = folder.warning { note("note: \(warning)") }
        do {
            let run = try TrainingRun(trainer, newIn: folder, saveEvery: saveEvery!, keep: keep!)
            try finish(run, device)
        } catch {
            folder.removeIfEmpty()
            throw error
        }
    }

    private func train(resuming folder: RunFolder, _ configuration: TrainingConfiguration) throws {
        let dataset = try dataOptions.load(
            configuration.data, side: configuration.input.height, split: configuration.split,
            seed: configuration.seed, limit: configuration.limit, limitTest: configuration.limitTest)
        let network = try Network.named(
            configuration.network, input: configuration.input, classes: configuration.classCount,
            options: configuration.options)
        let device = try deviceOption.choose()
        let trainer = try Trainer(network, dataset, configuration, device: device)
        Interruption.protectWork()
        let run = try TrainingRun(trainer, resuming: folder, saveEvery: saveEvery!, keep: keep!)
        try finish(run, device)
    }

    private func tellThatItIsOver(
        _ folder: RunFolder, _ standing: Standing, _ configuration: TrainingConfiguration
    ) throws {
        let isStopped = standing.epochsDone < configuration.epochs
        let way =
            isStopped
            ? "; a larger --patience trains on"
            : configuration.schedule.dependsOnEpochs ? "" : "; more --epochs train on"
        note(
            "the run in \(folder.path) is over, "
                + (isStopped ? "out of patience" : "finished")
                + " after epoch \(standing.epochsDone): nothing was trained\(way)")
        if let best = standing.best { print(try result(folder, best)) }
    }

    private func result(_ folder: RunFolder, _ best: Standing.Best) throws -> String {
        let last = try folder.metrics.read().last?.testAccuracy ?? best.accuracy
        return "test accuracy \(percent(last)), best \(percent(best.accuracy)) in epoch \(best.epoch); "
            + folder.path
    }

    private func finish(_ run: TrainingRun, _ device: ComputeDevice) throws {
        let reporter = ProgressReporter(progress ?? .auto, log: try run.folder.log())
        let trainer = run.trainer
        let configuration = trainer.configuration
        try reporter.say("device \(device)")
        try reporter.say("plan: \(trainer.memory.description)")
        try reporter.say(
            "\(configuration.network) on \(configuration.data): input \(configuration.input), "
                + "batch \(configuration.batch), \(configuration.optimizer.name.rawValue) at "
                + "\(configuration.optimizer.learningRate), \(configuration.schedule.kind.rawValue) rate, "
                + "\(configuration.initialiser.rawValue) initialisation, seed \(configuration.seed); "
                + "run folder \(run.folder.path)")
        if trainer.step > 0 { try reporter.say("resumed after step \(trainer.step)") }
        let outcome = try run.run(
            report: { event in
                switch event {
                case .progress(let progress): reporter.show(progress)
                case .evaluating: break
                case .epoch(let metrics, let evaluation):
                    try reporter.say(line(metrics))
                    if let lossScale = try trainer.lossScale() {
                        let skipped = Int(lossScale.skippedSteps)
                        try reporter.say(
                            "  loss scale \(lossScale.scale); \(skipped) steps left out so far, whose gradients overflowed"
                        )
                    }
                    for warning in evaluation.classWarnings(classNames: configuration.classNames) {
                        try reporter.say("  note: \(warning)")
                    }
                    if metrics.epoch == configuration.epochs, let warning = evaluation.inactivityWarning {
                        try reporter.say("  note: \(warning)")
                    }
                case .outOfPatience(let epoch, let best):
                    try reporter.say(
                        "stopped after epoch \(epoch): no better test accuracy since epoch \(best) "
                            + "(--patience \(epoch - best))")
                case .saved(let path): try reporter.say("interrupted; saved, go on with --resume \(path)")
                case .measuring(let best):
                    reporter.closeBar()
                    let text = try result(run.folder, best)
                    print(text)
                    fflush(nil)
                    try run.folder.log().append(text)
                    try Interruption.workIsSaved()
                }
            }, shouldStop: Interruption.shouldStop,
            profile: { try StepProfile(of: $0, $1, device: device) })
        if outcome == .interrupted { throw Interruption.exitCode }
    }

    private func line(_ metrics: EpochMetrics) -> String {
        "epoch \(metrics.epoch): train loss \(decimals(metrics.trainLoss, 4)), accuracy "
            + "\(percent(metrics.trainAccuracy)); test loss \(decimals(metrics.testLoss, 4)), accuracy "
            + "\(percent(metrics.testAccuracy))"
            + (metrics.testTop5Accuracy.isNaN ? "; " : ", top-5 \(percent(metrics.testTop5Accuracy)); ")
            + "lr \(Float(metrics.learningRate)), \(decimals(metrics.imagesPerSecond, 0)) images/s, "
            + "\(decimals(metrics.stepMilliseconds, 1)) ms a step, \(duration(metrics.seconds))"
    }
}
