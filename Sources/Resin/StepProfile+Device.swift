import ResinDataset
import ResinPlan
import ResinTensor
import ResinTraining

extension StepProfile {
    /// Seconds that getting ready, and then the steps, may take.
    private static let allowance = 2.0

    /// Times of a trained network's step by layer, on the same device but with weights and buffers of its own, so
    /// that the training is left as it is. Fewer images than the run's batch are taken where its steps are long;
    /// where nothing can be measured, the profile has the costs alone and says why.
    ///
    /// - Parameter stepSeconds: what a step of the training took.
    public init(of trainer: Trainer, _ stepSeconds: Double, device: ComputeDevice) throws {
        func withoutTimes(_ reason: String) -> StepProfile {
            trainer.costs(note: "Times were not measured: \(reason).")
        }
        let configuration = trainer.configuration
        // One step to warm up and three to measure.
        let affordable = Self.allowance / (4 * max(stepSeconds, 1e-6) / Double(configuration.batch))
        let batch = min(configuration.batch, Int(affordable))
        let limits = trainer.executor.memoryLimits
        if device.details.type == .reference {
            self = withoutTimes("the reference executor keeps no profile")
        } else if batch < min(2, configuration.batch) {
            // Batch norm wants two.
            self = withoutTimes("steps of this network take too long on this device")
        } else if 2 * trainer.memory.total > limits.total {
            self = withoutTimes("the device's memory is too small for a second copy of the network")
        } else {
            do {
                self =
                    try Self.measured(trainer, batch: batch, device)
                    ?? withoutTimes("the device keeps no profile")
            } catch {
                // The training is done, and no fault of its report may spoil it.
                self = withoutTimes("\(error)")
            }
        }
    }

    private static func measured(
        _ trainer: Trainer, batch: Int, _ device: ComputeDevice
    ) throws -> StepProfile? {
        let clock = ContinuousClock()
        let start = clock.now
        var configuration = trainer.configuration
        configuration.batch = batch
        var device = device
        device.math = configuration.math
        device.precision = configuration.precision
        let bench = try Bench(
            trainer.network, configuration, trains: true, device: device, profiling: true
        ) { try trainer.dataset.train.prefix(batch) }
        try bench.runStep()
        guard (clock.now - start) / .seconds(1) < 2 * allowance else {
            return trainer.costs(note: "Times were not measured: getting ready took too long on this device.")
        }
        let images = batch == 1 ? "one image" : "\(batch) images"
        return try bench.stepProfile(
            note: "Times: medians of three steps with \(images) after the training, on a copy of the network."
        )
    }
}
