import Foundation
import ResinTensor

/// A training that leaves a run folder behind: metrics, checkpoints, and a state from which it can go on
/// bit for bit.
public final class TrainingRun {
    public let trainer: Trainer
    public let folder: RunFolder
    /// Epochs between checkpoints.
    private let saveEvery: Int
    private let checkpoints: CheckpointFolder
    private var best: (accuracy: Double, epoch: Int)?
    /// What the report shows: the best epoch of this process, or its last where the best is an earlier process's.
    private var evaluated: RunReport.Evaluated?

    /// What there is to tell while it runs.
    public enum Event {
        case progress(Trainer.Progress)
        case evaluating(epoch: Int)
        case epoch(EpochMetrics, Evaluation)
        /// The test accuracy has not risen for as many epochs as the configuration's patience.
        case outOfPatience(epoch: Int, bestEpoch: Int)
        case saved(path: String)
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
        try folder.removePreviousRun()
        try folder.write(configuration: trainer.configuration)
        try checkpoints.save(trainer.checkpoint())
    }

    /// A run that goes on from its newest checkpoint.
    ///
    /// - Throws: `ResinError(.missingFile)` where there is no checkpoint, `.badContent` where it does not fit.
    public init(_ trainer: Trainer, resuming folder: RunFolder, saveEvery: Int = 1, keep: Int = 2) throws {
        self.trainer = trainer
        self.folder = folder
        self.saveEvery = saveEvery
        checkpoints = folder.checkpoints(keep: keep)
        guard let checkpoint = try checkpoints.newestConsistent() else {
            throw ResinError(
                .missingFile, "\(folder.path) holds no checkpoint to resume from; start the run anew")
        }
        try trainer.restore(checkpoint, from: folder.path)
        let metadata = checkpoint.optimizer.metadata
        if let accuracy = metadata["best_accuracy"].flatMap(Double.init),
            let epoch = metadata["best_epoch"].flatMap(Int.init)
        {
            best = (accuracy, epoch)
        }
        try folder.metrics.drop(after: trainer.epoch - 1)
        if trainer.configuration != (try folder.configuration(as: TrainingConfiguration.self)) {
            try folder.write(configuration: trainer.configuration)
        }
    }

    /// Whether the accuracy has not risen for so many epochs that the run is over.
    private var isOutOfPatience: Bool {
        guard let patience = trainer.configuration.patience, let best else { return false }
        return trainer.epoch - 1 - best.epoch >= patience
    }

    /// Trains to the last epoch, or until the patience is at its end.
    ///
    /// - Parameters:
    ///   - shouldStop: asked before every step; when true, the state is saved and the run ends.
    ///   - profile: measures a step layer by layer for the report, after the last one; it gets the seconds that
    ///     a step has taken, and must not touch the trainer's executor.
    public func run(
        report: (Event) throws -> Void, shouldStop: () -> Bool = { false },
        profile: (Trainer, _ stepSeconds: Double) throws -> StepProfile = { trainer, _ in
            trainer.costs(note: "Times were not measured: the program that trained did not ask for them.")
        }
    ) throws -> Outcome {
        let clock = ContinuousClock()
        var lastStepSeconds: Double?
        while trainer.epoch <= trainer.configuration.epochs, !isOutOfPatience {
            let epoch = trainer.epoch
            let firstStep = trainer.step
            let start = clock.now
            var failure: (any Error)?
            let trained = try trainer.trainEpoch(
                progress: { progress in
                    do { try report(.progress(progress)) } catch { failure = failure ?? error }
                }, shouldStop: shouldStop)
            if let failure { throw failure }
            guard let trained else { return try interrupt(report) }
            let seconds = (clock.now - start) / .seconds(1)
            try report(.evaluating(epoch: epoch))
            // An evaluation is short; a request to stop is heeded after it, at a whole epoch.
            guard let evaluation = try trainer.evaluate() else { return try interrupt(report) }
            // Fewer than an epoch's where the run was resumed within it.
            let stepSeconds = seconds / Double(trainer.step - firstStep)
            lastStepSeconds = stepSeconds
            let metrics = EpochMetrics(
                epoch: epoch, trainLoss: trained.loss, trainAccuracy: trained.accuracy,
                testLoss: evaluation.loss, testAccuracy: evaluation.accuracy,
                learningRate: Double(trainer.learningRate(atStep: trainer.step - 1)), seconds: seconds,
                imagesPerSecond: Double(trainer.configuration.batch) / stepSeconds,
                testTop5Accuracy: evaluation.top5Accuracy ?? .nan, stepMilliseconds: 1e3 * stepSeconds)
            try folder.metrics.append(metrics)
            let isBest = best.map { evaluation.accuracy > $0.accuracy } ?? true
            if isBest { best = (evaluation.accuracy, epoch) }
            let isLast = epoch == trainer.configuration.epochs || isOutOfPatience
            if isBest || isLast || epoch % saveEvery == 0 {
                let checkpoint = try trainer.checkpoint(metadata: metadata)
                if isBest { try checkpoints.saveBest(checkpoint) }
                if isLast || epoch % saveEvery == 0 { try checkpoints.save(checkpoint) }
            }
            if isBest || evaluated?.isBest != true {
                evaluated = RunReport.Evaluated(epoch: epoch, result: evaluation, isBest: isBest)
            }
            if !isLast {
                try writeReport(state: "epoch \(epoch + 1) is under way", Self.timesToCome(trainer))
            }
            try report(.epoch(metrics, evaluation))
            if isOutOfPatience, let best {
                try report(.outOfPatience(epoch: epoch, bestEpoch: best.epoch))
            }
        }
        // A run that was over already keeps its report.
        if let lastStepSeconds {
            var state = "finished"
            if isOutOfPatience, let patience = trainer.configuration.patience {
                state = "stopped: no better test accuracy for \(patience) epochs"
            }
            try writeReport(state: state, profile(trainer, lastStepSeconds))
        }
        return .finished(bestAccuracy: best?.accuracy ?? 0, bestEpoch: best?.epoch ?? 0)
    }

    private func interrupt(_ report: (Event) throws -> Void) throws -> Outcome {
        try checkpoints.save(trainer.checkpoint(metadata: metadata))
        // Before the first epoch's end of this process an earlier one's report says more.
        if evaluated != nil || !FileManager.default.fileExists(atPath: folder.reportPath) {
            try writeReport(state: "interrupted in epoch \(trainer.epoch)", Self.timesToCome(trainer))
        }
        try report(.saved(path: folder.path))
        return .interrupted
    }

    private static func timesToCome(_ trainer: Trainer) -> StepProfile {
        trainer.costs(note: "Times are measured when the run ends.")
    }

    private func writeReport(state: String, _ profile: StepProfile) throws {
        try RunReport(
            configuration: trainer.configuration, device: trainer.device, memory: trainer.memory,
            epochs: folder.metrics.read(), state: state, evaluation: evaluated, profile: profile,
            images: trainer.dataset.test
        ).write(to: folder.reportPath)
    }

    private var metadata: [String: String] {
        guard let best else { return [:] }
        return ["best_accuracy": "\(best.accuracy)", "best_epoch": "\(best.epoch)"]
    }
}
