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
    @Option(help: ArgumentHelp("Use the first N training images.", valueName: "n"))
    var limit: Int?
    @Option(
        help: ArgumentHelp(
            "Share of each class's training images that chooses the best weights, such as 0.1.",
            discussion: "The test images are then evaluated once, at the end.", valueName: "share"))
    var validation: Double?

    @Option(help: ArgumentHelp("Height and width that images are resized to.", valueName: "n"))
    var resize: Int?
    @Option(
        help: ArgumentHelp(
            "Mean a channel, 0…1, comma-separated, or imagenet, which is the deviation, too.",
            discussion: "Without it: that of --weights, if the file says it, else the set's own.",
            valueName: "list"))
    var mean: String?
    @Option(help: ArgumentHelp("Standard deviation a channel, 0…1; the set's own if not given."))
    var std: String?
    @Option(
        help: ArgumentHelp(
            "What is done to training images, comma-separated; see docs/augmentation.md.",
            discussion: """
                crop, random-resized-crop[=min:max], flip, vertical-flip, jitter[=b:c:s:h], erase[=p], \
                randaugment[=n:m], mixup[=a], cutmix[=a]; or none.
                """, valueName: "list"))
    var augment: String?
    @OptionGroup var fitting: FitOptions
    @OptionGroup var loading: LoadingOptions

    @OptionGroup var deviceOption: DeviceOption
    @OptionGroup(title: "Network") var networkArguments: NetworkArguments

    @Option(help: ArgumentHelp("Passes over the training images.", valueName: "n"))
    var epochs: Int?
    @Option(
        help: ArgumentHelp(
            "Images a step; or auto: the largest power of two that the device has memory for.",
            valueName: "n|auto"))
    var batch: BatchSize?
    @Option(
        help: ArgumentHelp(
            "Work through a step's images in so many equal parts, in as much less memory (default: 1).",
            discussion: "Batch norm sees each part by itself; all else is learnt as in one.", valueName: "n"))
    var shards: Int?
    @Option(help: "sgd, adam, adamw, rmsprop, lamb or lion; see docs/optimizers.md.")
    var optimizer: OptimizerSettings.Name?
    @Option(help: ArgumentHelp("Learning rate.", valueName: "rate"))
    var lr: Float?
    @Option(help: ArgumentHelp("SGD's or RMSprop's momentum.", valueName: "m"))
    var momentum: Float?
    @Flag(inversion: .prefixedNo, help: "Nesterov's form of the momentum.")
    var nesterov: Bool?
    @Option(help: ArgumentHelp("Weight decay.", valueName: "w"))
    var weightDecay: Float?
    @Option(help: "constant, step, multistep, cosine, one-cycle or plateau.")
    var schedule: Schedule.Kind?
    @Option(help: ArgumentHelp("Epochs over which the rate rises first.", valueName: "n"))
    var warmupEpochs: Int?
    @OptionGroup var optimization: OptimizationOptions
    @Option(
        help: ArgumentHelp(
            "cross-entropy, or binary: an image may be of several classes or of none (default: cross-entropy).",
            valueName: "loss"))
    var loss: TrainingConfiguration.LossFunction?
    @Option(
        help: ArgumentHelp(
            "With --loss binary: what is right already counts less (Lin et al., 2017), such as 2 or 2,0.25.",
            valueName: "gamma[,alpha]"))
    var focal: String?
    @Option(help: ArgumentHelp("Share of each training target that all classes get, 0…1.", valueName: "e"))
    var labelSmoothing: Float?
    @Option(
        help: ArgumentHelp(
            "How much each class counts in the training loss: balanced, or a file of class,weight a line.",
            discussion:
                "balanced: images / (classes · images of the class); with --loss binary, where a weight is what a class's "
                + "presence counts beside its absence, images without the class / images with it.",
            valueName: "balanced|file.csv")
    )
    var classWeights: String?
    @Option(
        help: "shuffle, or balanced: each epoch has as many images of each class (default: shuffle).")
    var sampler: Sampler?
    @Option(help: ArgumentHelp("Stop after so many epochs without a better test accuracy.", valueName: "n"))
    var patience: Int?
    @Option(name: .customLong("init"), help: "xavier, kaiming or default (PyTorch's).")
    var initialiser: Initialiser?
    @Option(
        help: ArgumentHelp(
            "Begin with these weights: safetensors or PyTorch's .pth, such as a torchvision model's, or a run folder.",
            discussion: "The classifier begins anew where it is for another number of classes.",
            valueName: "file|run"))
    var weights: String?
    @Option(
        help: ArgumentHelp(
            "Layers that keep their weights, comma-separated, by what their names begin with; or backbone.",
            discussion: "backbone is everything but the classifier.", valueName: "layers"))
    var freeze: String?
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
    @Option(
        help: ArgumentHelp(
            "Write event files for TensorBoard there, too; with --resume, name the same folder again.",
            discussion:
                "Each epoch's metrics, and the worst mistakes of each that is the best so far; see docs/tensorboard.md.",
            valueName: "dir"))
    var tensorboard: String?
    @Flag(
        inversion: .prefixedNo,
        help: "With --tensorboard: each parameter's distribution after each epoch, too.")
    var tensorboardHistograms: Bool?

    func validate() throws {
        if resume == nil && network == nil && config == nil {
            throw ValidationError("Name a network: \(Network.knownNames.joined(separator: ", ")).")
        }
        if resume != nil && (out != nil || overwrite) {
            throw ValidationError("--resume goes on in its own folder; leave out --out and --overwrite.")
        }
        if resume != nil && weights != nil {
            throw ValidationError("--resume goes on with the run's own weights; leave out --weights.")
        }
    }

    mutating func run() throws {
        Interruption.listen()
        guard let config else { return try train() }
        var recipe = try RecipeFile(config)
        try recipe.apply(to: &self)
        do {
            try train(recipe)
        } catch let fault as ValueFault {
            throw recipe.error(of: fault)
        }
    }

    private func train(_ recipe: RecipeFile? = nil) throws {
        if overwrite && out == nil {
            throw ResinError(.usage, "--overwrite replaces the run in --out; say there in which folder")
        }
        if let resume, let out, out != resume {
            throw ResinError(
                .usage, "--resume goes on in its own folder; the recipe's 'out' is another, \(out)")
        }
        let saving = (
            every: try bounded("--save-every", saveEvery ?? 1, 1...Limits.epochs),
            keep: try bounded("--keep", keep ?? 2, 1...1000)
        )
        try checkTensorBoard(recipe)
        if let resume {
            let folder = try RunFolder(resuming: resume)
            if let warning = folder.warning { note("note: \(warning)") }
            let saved = try folder.configuration(as: TrainingConfiguration.self)
            _ = try saved.knownNetwork(from: folder.configurationPath)
            let configuration = try resumed(saved, folder, recipe)
            if let standing = try folder.standing(), standing.isOver(configuration) {
                try tellThatItIsOver(folder, standing, configuration)
            } else {
                try train(resuming: folder, configuration, saving)
            }
        } else {
            try startNew(recipe, saving)
        }
    }

    /// A training that has not begun, and what was said on the way to it.
    struct NewTraining {
        let trainer: Trainer
        let device: ComputeDevice
        let notes: [String]
    }

    /// - Parameter change: what else is configured.
    func makeTraining(
        _ recipe: RecipeFile?, _ change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> NewTraining {
        let start = try weights.map(StartingFile.init)
        let device = try deviceOption.choose()
        var (network, dataset, configuration) = try makeConfiguration(recipe, start) {
            data, side, seed, preview in
            try dataOptions.source.load(
                data, side: side, split: nil, seed: seed, limit: limit, limitTest: dataOptions.limitTest,
                progress: progress,
                willRead: { outline in
                    guard let (network, configuration) = preview(outline) else { return }
                    try Trainer.plan(network, outline, configuration, device: device)
                })
        }
        let weights = try blaming(recipe, ["--weights", "--freeze"]) {
            try startingWeights(start, network, configuration)
        }
        if batch == .auto { try chooseBatch(for: network, dataset, &configuration, device) }
        change(&configuration)
        let trainer = try blaming(recipe, ["--batch", "--limit", "--epochs", "--freeze"]) {
            [configuration] in
            try check(device, network, dataset, configuration)
            return try LoadingReporter.showing(progress) {
                try Trainer(
                    network, dataset, configuration, loading.checked(dataOptions.source),
                    startingFrom: weights, device: device)
            }
        }
        let said = start?.notes(configuration, meanIsGiven: mean != nil) ?? []
        return NewTraining(trainer: trainer, device: device, notes: said + (weights?.notes ?? []))
    }

    private func startNew(_ recipe: RecipeFile?, _ saving: (every: Int, keep: Int)) throws {
        if let out { try RunFolder.check(newRunIn: out, overwrite: overwrite) }
        let new = try makeTraining(recipe)
        Interruption.protectWork()
        let folder = try RunFolder(newRunOf: new.trainer.network.name, out: out, overwrite: overwrite)
        if let warning = folder.warning { note("note: \(warning)") }
        do {
            let tensorBoard = try makeTensorBoardLog()
            let run = try TrainingRun(new.trainer, newIn: folder, saveEvery: saving.every, keep: saving.keep)
            run.tensorBoard = tensorBoard
            try finish(run, new.device, notes: new.notes)
        } catch {
            folder.removeIfEmpty()
            throw error
        }
    }

    private func train(
        resuming folder: RunFolder, _ configuration: TrainingConfiguration, _ saving: (every: Int, keep: Int)
    ) throws {
        let device = try deviceOption.choose()
        let isSaved = dataOptions.source.data == nil && epochs == nil
        let trainer = try blamingFile(isSaved ? folder.configurationPath : nil) {
            let network = try Network.named(
                configuration.network, input: configuration.input, classes: configuration.classCount,
                options: configuration.options)
            var dataset = try dataOptions.source.load(
                configuration.data, side: configuration.input.height, split: configuration.split,
                honoursOrientation: configuration.honoursOrientation, seed: configuration.seed,
                limit: configuration.limit, limitTest: configuration.limitTest, progress: progress,
                willRead: { try Trainer.plan(network, $0, configuration, device: device) })
            if let share = configuration.validation {
                dataset = try dataset.cuttingValidation(share, seed: configuration.seed)
            }
            try check(device, network, dataset, configuration)
            return try LoadingReporter.showing(progress) {
                try Trainer(
                    network, dataset, configuration, loading.checked(dataOptions.source), device: device)
            }
        }
        Interruption.protectWork()
        let tensorBoard = try makeTensorBoardLog()
        let run = try TrainingRun(trainer, resuming: folder, saveEvery: saving.every, keep: saving.keep)
        run.tensorBoard = tensorBoard
        try finish(run, device)
    }

    /// Before the data are read: throws where the event files could not be written, or where nothing asks for them.
    private func checkTensorBoard(_ recipe: RecipeFile?) throws {
        try blaming(recipe, ["--tensorboard", "--tensorboard-histograms"]) {
            if tensorboardHistograms == true, tensorboard == nil {
                throw ResinError(
                    .usage,
                    "--tensorboard-histograms adds to what --tensorboard writes; say there to which folder")
            }
            if tensorboard?.isEmpty == true {
                throw ResinError(.usage, "--tensorboard is empty; name the folder that event files go to")
            }
        }
        if let tensorboard { try TensorBoardLog.check(tensorboard) }
    }

    /// Once the run's folder is there, which may be the same, or around it.
    private func makeTensorBoardLog() throws -> TensorBoardLog? {
        try tensorboard.map { try TensorBoardLog(in: $0, hasHistograms: tensorboardHistograms ?? false) }
    }

    private func check(
        _ device: ComputeDevice, _ network: Network, _ dataset: Dataset,
        _ configuration: TrainingConfiguration
    ) throws {
        try device.check(beforeTraining: network, dataset, configuration) { line in
            // A program reads what the others tell.
            if ![.json, .none].contains(progress ?? .auto) { note(line) }
        }
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
        printLine(try result(folder, standing.best))
    }

    private func result(_ folder: RunFolder, _ best: Standing.Best?) throws -> String {
        let epoch = try folder.metrics.read().last
        let last = epoch?.evaluated
        let averaged = epoch?.averaged == nil ? "" : " of the averaged weights"
        let words =
            best.map { "best \(percent($0.accuracy))\(averaged) in epoch \($0.epoch)" }
            ?? "none is best: no test loss was finite"
        let (part, accuracy) = (last?.part ?? .test, last?.accuracy ?? best?.accuracy ?? 0)
        return "\(part) accuracy \(percent(accuracy)), \(words); \(folder.path)"
    }

    /// - Parameter notes: what was said before there was a log, besides what the data set's reading said.
    private func finish(_ run: TrainingRun, _ device: ComputeDevice, notes: [String] = []) throws {
        let reporter = ProgressReporter(progress ?? .auto, log: try run.folder.log())
        let trainer = run.trainer
        let configuration = trainer.configuration
        // Shown when the data were read, before there was a log.
        for line in trainer.dataset.notes + notes { try reporter.keep("note: \(line)") }
        let isUnchecked = try ComputeDevice.areUnchecked()
        let driver = device.driver.map { ", \(isUnchecked ? "not " : "")checked with driver \($0)" } ?? ""
        try reporter.say("device \(device)\(driver)")
        try reporter.say("plan: \(trainer.memory.description)")
        try reporter.say(
            "\(configuration.network) on \(configuration.data): input \(configuration.input), "
                + "batch \(configuration.batch), \(configuration.optimizer.name.rawValue) at "
                + "\(configuration.optimizer.learningRate), \(configuration.schedule.kind.rawValue) rate, "
                + "\(configuration.initialiser.rawValue) initialisation, seed \(configuration.seed); "
                + "run folder \(run.folder.path)")
        for line in configuration.notes { try reporter.say("note: \(line)") }
        if let log = run.tensorBoard { try reporter.say("events for TensorBoard go to \(log.path)") }
        if trainer.step > 0 { try reporter.say("resumed after step \(trainer.step)") }
        var toldSkipped = trainer.skippedImages.count
        let outcome = try run.run(
            report: { event in
                switch event {
                case .progress(let progress): reporter.show(progress)
                case .evaluating: break
                case .epoch(let metrics, let evaluation):
                    try reporter.say(line(metrics, of: trainer))
                    let skippedImages = trainer.skippedImages
                    if skippedImages.count > toldSkipped, let last = skippedImages.last {
                        toldSkipped = skippedImages.count
                        try reporter.say(
                            "  note: \(toldSkipped.grouped) images so far could not be read and were left out, such as "
                                + "\(last.reason); all are in skipped.csv")
                    }
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
                        "stopped after epoch \(epoch): no better \(trainer.evaluated.part) accuracy since epoch \(best) "
                            + "(--patience \(epoch - best))")
                case .saved(let path): try reporter.say("interrupted; saved, go on with --resume \(path)")
                case .measuring(let best):
                    reporter.closeBar()
                    let text = try result(run.folder, best)
                    printLine(text)
                    fflush(nil)
                    try reporter.keep(text)
                    try Interruption.workIsSaved()
                }
            }, shouldStop: Interruption.shouldStop,
            profile: { try StepProfile(of: $0, $1, device: device) },
            heatmaps: {
                Heatmap.pictures(of: $1, $0, weights: run.folder.path + "/best.safetensors", device: device)
            })
        if outcome == .interrupted { throw Interruption.exitCode }
        if trainer.evaluated.part == .validation { try testOnce(run, device, reporter) }
    }

    /// Images that chose nothing while training tell how good the best weights are.
    private func testOnce(_ run: TrainingRun, _ device: ComputeDevice, _ reporter: ProgressReporter) throws {
        let path = run.folder.path + "/best.safetensors"
        guard FileManager.default.fileExists(atPath: path) else { return }
        let (network, configuration) = (run.trainer.network, run.trainer.configuration)
        let weights = try NetworkWeights(Safetensors(contentsOf: path), from: path, for: network)
        let evaluation = try Evaluation(
            of: network, weights: weights, on: run.trainer.dataset, configuration,
            loading.checked(dataOptions.source),
            device: device)
        let text =
            "test accuracy \(percent(evaluation.accuracy)), loss \(decimals(evaluation.loss, 4)), of the best weights"
        printLine(text)
        try reporter.keep(text)
    }

    private func line(_ metrics: EpochMetrics, of trainer: Trainer) -> String {
        // Of five classes or fewer, all are among the first five.
        let tested = metrics.evaluated
        let top5 = trainer.configuration.classCount > 5 ? ", top-5 \(percent(tested.top5Accuracy))" : ""
        let averaged =
            metrics.averaged.map {
                ", of the averaged weights \(decimals($0.loss, 4)) and \(percent($0.accuracy))"
            } ?? ""
        let skipped =
            metrics.skippedSteps > 0
            ? "; \(metrics.skippedSteps) of \(trainer.stepsPerEpoch) steps left out, whose loss was not finite"
            : ""
        return "epoch \(metrics.epoch): train loss \(decimals(metrics.trainLoss, 4)), accuracy "
            + "\(percent(metrics.trainAccuracy)); \(tested.part) loss \(decimals(tested.loss, 4)), accuracy "
            + "\(percent(tested.accuracy))\(top5)\(averaged); "
            + "lr \(Float(metrics.learningRate)), \(decimals(metrics.imagesPerSecond, 0)) images/s, "
            + "\(decimals(metrics.stepMilliseconds, 1)) ms a step, \(duration(metrics.seconds))\(skipped)"
    }
}

extension TrainingConfiguration {
    /// Settings that do nothing beside the others.
    fileprivate var notes: [String] {
        var notes: [String] = []
        if let averageDecay {
            notes.append(
                "best.safetensors is of the weights averaged over steps (--ema \(averageDecay)), and they choose it"
            )
        }
        if schedule.warmupEpochs >= epochs {
            notes.append(
                "the rate rises over all \(epochs) epochs (--warmup-epochs \(schedule.warmupEpochs)): --schedule does "
                    + "nothing")
        }
        if let patience, patience >= epochs - 1 {
            notes.append("--patience \(patience) does nothing in \(epochs) epochs")
        }
        return notes
    }
}
