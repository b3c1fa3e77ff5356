import Foundation
import ResinDataset
import ResinGraph
import ResinProtobuf
import ResinTensor

/// A training that leaves a run folder behind: metrics, checkpoints, and a state from which it can go on
/// bit for bit.
public final class TrainingRun {
    public let trainer: Trainer
    public let folder: RunFolder
    /// Gets what each epoch comes to, where it is set before `run`.
    public var tensorBoard: TensorBoardLog?
    /// Epochs between checkpoints.
    private let saveEvery: Int
    private let checkpoints: CheckpointFolder
    private var best: Standing.Best?
    /// An epoch that was trained, but whose evaluation was broken off.
    private var unevaluated: TrainedEpoch?
    /// The step of the newest checkpoint.
    private var savedStep: Int
    /// What the report shows: the best epoch of this process, or its last where the best is an earlier process's.
    private var evaluated: RunReport.Evaluated?
    private var seenImages: [ReportPicture] = []
    private var heatmaps: [RasterImage] = []
    /// Of training images in the report.
    private static let seenCount = 24

    /// What there is to tell while it runs.
    public enum Event {
        case progress(Trainer.Progress)
        case evaluating(epoch: Int)
        case epoch(EpochMetrics, Evaluation)
        /// The test accuracy has not risen for as many epochs as the configuration's patience.
        case outOfPatience(epoch: Int, bestEpoch: Int)
        case saved(path: String)
        /// The run is over and saved; what is left is to measure layers for the report. No epoch is the best
        /// where the test loss was never finite.
        case measuring(best: Standing.Best?)
    }

    public enum Outcome: Equatable, Sendable {
        case finished(bestAccuracy: Double, bestEpoch: Int)
        /// It was asked to stop, and has saved where it is.
        case interrupted
    }

    /// A new run: writes the configuration and the state before the first step, in place of whatever run the
    /// folder held.
    public init(_ trainer: Trainer, newIn folder: RunFolder, saveEvery: Int = 1, keep: Int = 2) throws {
        self.trainer = trainer
        self.folder = folder
        self.saveEvery = saveEvery
        checkpoints = folder.checkpoints(keep: keep)
        savedStep = 0
        try checkpoints.save(
            trainer.checkpoint(),
            clearing: {
                try folder.removePreviousRun()
                try folder.write(configuration: trainer.configuration)
                try folder.write(skipped: trainer.dataset.skipped)
                try folder.write(divisionOf: trainer.dataset)
            })
    }

    /// A run that goes on from its newest checkpoint.
    ///
    /// - Throws: `ResinError(.missingFile)` where there is no checkpoint, `.badContent` where it does not fit.
    public init(_ trainer: Trainer, resuming folder: RunFolder, saveEvery: Int = 1, keep: Int = 2) throws {
        self.trainer = trainer
        self.folder = folder
        self.saveEvery = saveEvery
        checkpoints = folder.checkpoints(keep: keep)
        guard let checkpoint = try checkpoints.newestConsistent() else { throw folder.noCheckpoint }
        if let name = checkpoint.firstNotFinite {
            throw ResinError(
                .notFinite,
                "\(folder.path): tensor '\(name)' of its newest checkpoint is not finite; nothing can be learnt from "
                    + "there: start a new run with a smaller --lr or another --init")
        }
        let saved = try folder.configuration(as: TrainingConfiguration.self)
        let steps = max(saved.epochs, trainer.configuration.epochs) * trainer.stepsPerEpoch
        guard checkpoint.step <= steps else {
            throw ValueFault(
                key: "step", value: "\(checkpoint.step)", allowed: ValueRule<Checkpoint>.words(0...steps)
            ).badContent(in: folder.newestMetadataPlace)
        }
        try trainer.restore(checkpoint, from: folder.path)
        savedStep = trainer.step
        let standing = try Standing(checkpoint.optimizer.metadata, place: folder.newestMetadataPlace)
        best = standing.best
        unevaluated = standing.unevaluated
        try folder.metrics.drop(after: trainer.epoch - 1)
        if trainer.configuration != saved {
            try folder.write(configuration: trainer.configuration)
        }
    }

    private var standing: Standing {
        Standing(epochsDone: trainer.epoch - 1, best: best, unevaluated: unevaluated)
    }

    /// Trains to the last epoch, or until the patience is at its end.
    ///
    /// - Parameters:
    ///   - shouldStop: asked before every step, and within one that takes long; when true, the state is saved
    ///     and the run ends.
    ///   - profile: measures a step layer by layer for the report, after the last one; it gets the seconds that
    ///     a step has taken, and must not touch the trainer's executor.
    ///   - heatmaps: shows, for the report, where the classes are seen that images were mistaken for: a picture for each mistake,
    ///     or none for any; it must not touch the trainer's executor either.
    public func run(
        report: (Event) throws -> Void, shouldStop: () -> Bool = { false },
        profile: (Trainer, _ stepSeconds: Double) throws -> StepProfile = { trainer, _ in
            trainer.costs(note: "Times were not measured: the program that trained did not ask for them.")
        },
        heatmaps: (Trainer, [Evaluation.Mistake]) -> [RasterImage] = { _, _ in [] }
    ) throws -> Outcome {
        try tensorBoard?.begin(epoch: unevaluated?.number ?? trainer.epoch)
        var lastStepSeconds: Double?
        while !standing.isOver(trainer.configuration) {
            guard let trained = try unevaluated ?? train(report, shouldStop) else {
                return try interrupt(report)
            }
            unevaluated = trained
            lastStepSeconds = trained.stepSeconds
            try report(.evaluating(epoch: trained.number))
            guard let evaluations = try trainer.evaluations(shouldStop: shouldStop) else {
                return try interrupt(report)
            }
            unevaluated = nil
            try close(trained, evaluations, report)
        }
        // A run that was over already keeps its report.
        if let lastStepSeconds {
            let state =
                trainer.epoch > trainer.configuration.epochs
                ? "finished"
                : "stopped: no better test accuracy for \(trainer.configuration.patience!) epochs"
            // Whole before the measurement, which may be broken off.
            try writeReport(
                state: state, trainer.costs(note: "Times were not measured: it was broken off."))
            try report(.measuring(best: best))
            seenImages = try trainer.seenImages(Self.seenCount)
            // Those of the best epoch are in a file.
            if let evaluated, evaluated.isBest {
                self.heatmaps = heatmaps(trainer, evaluated.result.mistakes)
            }
            try writeReport(state: state, profile(trainer, lastStepSeconds))
        }
        return .finished(bestAccuracy: best?.accuracy ?? 0, bestEpoch: best?.epoch ?? 0)
    }

    /// The steps that the epoch still needs; nil when it was stopped.
    private func train(_ report: (Event) throws -> Void, _ shouldStop: () -> Bool) throws -> TrainedEpoch? {
        let clock = ContinuousClock()
        let start = clock.now
        let (epoch, firstStep) = (trainer.epoch, trainer.step)
        var failure: (any Error)?
        let trained = try trainer.trainEpoch(
            progress: { progress in
                do { try report(.progress(progress)) } catch { failure = failure ?? error }
            }, shouldStop: shouldStop)
        if let failure { throw failure }
        guard let trained else { return nil }
        let seconds = (clock.now - start) / .seconds(1)
        // Fewer than an epoch's where the run was resumed within it.
        let steps = Double(trainer.step - firstStep)
        return TrainedEpoch(
            number: epoch, loss: trained.loss, accuracy: trained.accuracy,
            skippedSteps: trained.skippedSteps, seconds: seconds, stepSeconds: seconds / steps)
    }

    /// Writes down an epoch that was trained and evaluated, and saves it.
    private func close(
        _ trained: TrainedEpoch, _ evaluations: Trainer.Evaluations, _ report: (Event) throws -> Void
    ) throws {
        let epoch = trained.number
        // What chooses: the averages, where they are kept.
        let evaluation = evaluations.deciding
        var metrics = EpochMetrics(epoch: epoch)
        (metrics.trainLoss, metrics.trainAccuracy) = (trained.loss, trained.accuracy)
        metrics.record(evaluations.current, of: trainer.evaluated.part)
        if let averaged = evaluations.averaged {
            metrics.record(averages: averaged, of: trainer.evaluated.part)
        }
        metrics.learningRate = Double(trainer.learningRate(atStep: trainer.step - 1))
        metrics.seconds = trained.seconds
        metrics.imagesPerSecond = Double(trainer.configuration.batch) / trained.stepSeconds
        metrics.stepMilliseconds = 1e3 * trained.stepSeconds
        metrics.skippedSteps = trained.skippedSteps
        try folder.metrics.append(metrics)
        if trainer.configuration.schedule.kind == .plateau {
            trainer.plateau.observe(
                evaluation.loss, patience: trainer.configuration.schedule.plateauPatience)
        }
        // Where the outputs for some image are not finite, the others' accuracy says nothing.
        let isBest = evaluation.loss.isFinite && (best.map { evaluation.accuracy > $0.accuracy } ?? true)
        if isBest { best = Standing.Best(accuracy: evaluation.accuracy, epoch: epoch) }
        // Before the checkpoint, as the metrics: a resumed run has too much dropped, but could not know what is missing.
        try writeEvents(metrics, evaluation, isBest: isBest)
        let isLast = standing.isOver(trainer.configuration)
        if isBest || isLast || epoch % saveEvery == 0 {
            let checkpoint = try trainer.checkpoint(metadata: standing.metadata)
            if isBest { try checkpoints.saveBest(trainer.averaged(checkpoint)) }
            if isLast || epoch % saveEvery == 0 { try save(checkpoint) }
        }
        if isBest || evaluated?.isBest != true {
            evaluated = RunReport.Evaluated(epoch: epoch, result: evaluation, isBest: isBest)
        }
        if trainer.skippedImages.count > trainer.dataset.skipped.count {
            try folder.write(skipped: trainer.skippedImages)
        }
        if !isLast { try writeReport(state: "epoch \(epoch + 1) is under way", Self.timesToCome(trainer)) }
        try report(.epoch(metrics, evaluation))
        if isLast, epoch < trainer.configuration.epochs, let best {
            try report(.outOfPatience(epoch: epoch, bestEpoch: best.epoch))
        }
    }

    /// For TensorBoard, where it is asked for.
    private func writeEvents(_ metrics: EpochMetrics, _ evaluation: Evaluation, isBest: Bool) throws {
        guard let tensorBoard else { return }
        var values = metrics.summaryValues
        if isBest {
            let classNames = trainer.configuration.classNames
            values +=
                evaluation.mistakes
                .map { MistakePicture($0, of: trainer.evaluated.images, classNames: classNames) }
                .summaryValues
        }
        if tensorBoard.hasHistograms {
            try trainer.model.forEachParameter(on: trainer.executor) { name, weights in
                values.append(
                    .with {
                        $0.tag = "parameters/\(name)"
                        $0.histo = TensorBoardHistogramProto(weights)
                    })
            }
        }
        try tensorBoard.append(values, epoch: metrics.epoch)
    }

    private func save(_ checkpoint: Checkpoint) throws {
        try checkpoints.save(checkpoint)
        savedStep = checkpoint.step
    }

    private func interrupt(_ report: (Event) throws -> Void) throws -> Outcome {
        // Where no step was taken since, there is nothing to save.
        if trainer.step > savedStep { try save(trainer.checkpoint(metadata: standing.metadata)) }
        // Before the first epoch's end of this process an earlier one's report says more.
        if evaluated != nil || !FileManager.default.fileExists(atPath: folder.reportPath) {
            let epoch = unevaluated?.number ?? trainer.epoch
            try writeReport(state: "interrupted in epoch \(epoch)", Self.timesToCome(trainer))
        }
        try report(.saved(path: folder.path))
        return .interrupted
    }

    private static func timesToCome(_ trainer: Trainer) -> StepProfile {
        trainer.costs(note: "Times are measured when the run ends.")
    }

    /// What training did not begin with chance, and what it left alone.
    private var startNotes: [String] {
        let configuration = trainer.configuration
        var notes: [String] = []
        if let file = configuration.startingWeights {
            let replaced = configuration.replaced
            notes.append(
                "Training began from \(file)"
                    + (replaced.isEmpty
                        ? "." : "; these began anew: \(replaced.joined(separator: ", ")).")
            )
        }
        let parameters = trainer.model.parameters
        let kept = parameters.filter { !$0.isTrained }
        if !kept.isEmpty {
            func count(_ parameters: [Parameter]) -> String {
                parameters.reduce(0) { $0 + $1.layout.count }.grouped
            }
            notes.append(
                "Frozen (\(configuration.frozen.joined(separator: ", "))): \(kept.count) of \(parameters.count) tensors, "
                    + "\(count(kept)) of \(count(parameters)) parameters, kept their values.")
        }
        return notes
    }

    private func writeReport(state: String, _ profile: StepProfile) throws {
        try RunReport(
            configuration: trainer.configuration, device: trainer.device, memory: trainer.memory,
            epochs: folder.metrics.read(), state: state, evaluation: evaluated, profile: profile,
            images: trainer.evaluated.images, part: trainer.evaluated.part.rawValue, seenImages: seenImages,
            heatmaps: heatmaps, startNotes: startNotes
        ).write(to: folder.reportPath)
    }
}
