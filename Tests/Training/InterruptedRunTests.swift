import Foundation
import Resin
import ResinNetworks
import ResinTraining
import Testing

@Suite("Runs that are stopped")
struct InterruptedRunTests {
    private static let epochs = 3

    /// A folder that goes with the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "resin-stopped-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    /// What keeps a state from epoch to epoch, or from step to step beside the optimizer's.
    private func trainer(_ device: ComputeDevice) throws -> Trainer {
        let network = ReproducibilityTests.network
        let dataset = try Dataset.noise(50, of: network.input)
        var configuration = TrainingConfiguration(network, dataset, batch: 8, .adam(learningRate: 0.01))
        configuration.epochs = Self.epochs
        configuration.schedule = Schedule(.plateau)
        configuration.schedule.plateauPatience = 0
        configuration.averageDecay = 0.9
        return try Trainer(network, dataset, configuration, device: device)
    }

    /// Trains until an epoch's steps are done and it is to be evaluated, or to the end.
    private func train(_ run: TrainingRun, evaluationToStopIn stop: Int?) throws -> TrainingRun.Outcome {
        var isStopping = false
        return try run.run(
            report: { if case .evaluating(let epoch) = $0, epoch == stop { isStopping = true } },
            shouldStop: { isStopping })
    }

    private func withoutTimes(_ metrics: EpochMetrics) -> EpochMetrics {
        var metrics = metrics
        (metrics.seconds, metrics.imagesPerSecond, metrics.stepMilliseconds) = (0, 0, 0)
        return metrics
    }

    @Test("a run stopped in each evaluation ends like one that was not", arguments: executors)
    func evaluations(device: ComputeDevice) throws {
        let (plain, stopped) = (Folder(), Folder())
        let expected = try train(
            TrainingRun(trainer(device), newIn: RunFolder(newRunOf: "n", out: plain.path)),
            evaluationToStopIn: nil)
        var run = try TrainingRun(trainer(device), newIn: RunFolder(newRunOf: "n", out: stopped.path))
        for epoch in 1...Self.epochs {
            #expect(try train(run, evaluationToStopIn: epoch) == .interrupted)
            let folder = run.folder
            #expect(try folder.metrics.read().count == epoch - 1)
            #expect(try folder.standing()?.isOver(run.trainer.configuration) == false)
            run = try TrainingRun(trainer(device), resuming: folder)
        }
        #expect(try train(run, evaluationToStopIn: nil) == expected)
        #expect(run.trainer.plateau.bestLoss.isFinite)
        let best = try #require(run.folder.checkpoints().best())
        #expect(
            best.weights["1.running_mean"]
                == best.optimizer["ema.1.running_mean"].map { averaged in
                    Safetensors.Entry("1.running_mean", shape: averaged.shape, values: averaged.values)
                })
        let other = try RunFolder(existing: plain.path)
        #expect(try run.folder.standing()?.isOver(run.trainer.configuration) == true)
        for checkpoints in [run.folder.checkpoints(), other.checkpoints()] {
            #expect(try checkpoints.newestConsistent() == other.checkpoints().newestConsistent())
            #expect(checkpoints.best() == other.checkpoints().best())
        }
        #expect(try run.folder.metrics.read().map(withoutTimes) == other.metrics.read().map(withoutTimes))
    }
}
