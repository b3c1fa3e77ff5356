import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// What a training step did.
public struct StepResult: Hashable, Sendable {
    /// Of the run, from 1.
    public var step: Int
    /// The epoch that it belongs to, from 1.
    public var epoch: Int
    /// Mean over the step's images; not finite where the step was left out.
    public var loss: Double
    /// Share of the step's images that were right before it.
    public var accuracy: Double
    public var learningRate: Float
    /// Whether weights stayed as they were, because the loss is not finite and the configuration says to skip such steps.
    public var isSkipped: Bool
}

/// A training that a program drives step by step. Every step takes the next batch in the epoch's order; with the
/// configuration's own rate it is, to the bit, the step that `trainEpoch` takes. Steps may go on past the configuration's
/// epochs.
///
/// A trainer is not `Sendable`: it belongs to one task, or to an actor, which makes it and keeps it:
///
///     actor Training {
///         private let trainer: Trainer
///         init(…) throws { trainer = try Trainer(network, data, configuration, device: .best()) }
///         func step(rate: Float) throws -> StepResult { try trainer.trainStep(learningRate: rate) }
///     }
extension Trainer {
    /// Takes the next step and waits for it.
    ///
    /// - Parameter learningRate: nil for that of the configuration's schedule.
    /// - Throws: `CancellationError` where the task is cancelled before the step, or while it runs and takes long: the trainer
    ///   is then as it was before. `ResinError`: `.usage` for a rate that is not finite or below 0, `.notFinite` where the loss
    ///   is not finite and the configuration does not say to skip, with the first tensor or layer that is not.
    @discardableResult
    public func trainStep(learningRate: Float? = nil) throws -> StepResult {
        if let learningRate, !(learningRate >= 0 && learningRate.isFinite) {
            throw ResinError(
                .usage, "the learning rate is \(learningRate); a step takes a finite one of 0 or more")
        }
        try Task.checkCancellation()
        let rate = learningRate ?? self.learningRate(atStep: step)
        let (slot, epoch) = (step % stepsPerEpoch, epoch)
        // The step may change it.
        let scale = try lossScale()?.scale
        guard try runStep(slot, learningRate: rate, shouldStop: { Task.isCancelled }) else {
            throw CancellationError()
        }
        stepLossScale = scale
        let row = try StepMetrics.rows(executor, .train, slots: slot..<slot + 1)[0]
        let isFinite = row[.notFinite] == 0
        if !isFinite && configuration.onNaN == .stop { throw notFinite(stepOfEpoch: slot) }
        let images = Double(configuration.batch)
        return StepResult(
            step: step, epoch: epoch, loss: isFinite ? row[.loss] / images : .nan,
            accuracy: row[.correct] / images, learningRate: rate, isSkipped: !isFinite)
    }

    // MARK: Weights and gradients by name

    /// The trained tensors' names, as PyTorch has them, in the order of the layers.
    public var parameterNames: [String] { model.parameters.map(\.name) }

    /// A trained tensor or a running statistic, in PyTorch's layout.
    ///
    /// - Throws: `ResinError(.usage)` where there is none of that name.
    public func weight(_ name: String) throws -> Safetensors.Entry {
        if let index = model.parameters.firstIndex(where: { $0.name == name }) {
            return try model.tensor(of: .parameters, index, on: executor)
        }
        if let index = model.statistics.firstIndex(where: { $0.name == name }) {
            return try model.statistic(index, on: executor)
        }
        throw unknown(name, model.parameters.map(\.name) + model.statistics.map(\.name))
    }

    /// The gradient of the last step's mean loss with respect to a trained tensor, in PyTorch's layout; zeros before the first
    /// step. Weight decay is the optimizer's, and not in it. After steps of `trainEpoch` in `mixed-float16`, the scale that the
    /// loss has now is taken for that of the step.
    ///
    /// - Throws: `ResinError(.usage)` where there is none of that name, or it is frozen.
    public func gradient(_ name: String) throws -> Safetensors.Entry {
        guard let index = model.parameters.firstIndex(where: { $0.name == name }) else {
            throw unknown(name, parameterNames)
        }
        guard model.parameters[index].isTrained else {
            throw ResinError(.usage, "'\(name)' is frozen and has no gradient")
        }
        let entry = try model.tensor(of: .gradients, index, on: executor)
        guard let scale = try stepLossScale ?? lossScale()?.scale, scale != 1 else { return entry }
        return Safetensors.Entry(entry.name, shape: entry.shape, values: entry.values.map { $0 / scale })
    }

    private func unknown(_ name: String, _ names: [String]) -> ResinError {
        ResinError(
            .usage, "the network has no tensor '\(name)'; there are:",
            lines: names.map { "\n  \($0)" }.joined())
    }

    // MARK: Files

    /// Takes weights, found for the network, as those of the next step. The optimizer's state and the steps taken stay: for a
    /// training that begins from them, before its first step.
    public func load(_ weights: NetworkWeights) throws { try model.load(weights, on: executor) }

    /// Writes a checkpoint as two files: weights as other programs read them, and what the next step depends on besides.
    ///
    /// - Throws: `ResinError`: `.notFinite` that names the tensor that is not finite, `.cannotWrite`.
    public func writeCheckpoint(weights: String, optimizer: String) throws {
        let checkpoint = try checkpoint()
        if let name = checkpoint.firstNotFinite {
            throw ResinError(
                .notFinite,
                "tensor '\(name)' is not finite: nothing is written to \(weights); use a smaller "
                    + "learning rate, or go back to an earlier checkpoint")
        }
        try checkpoint.optimizer.write(to: optimizer)
        try checkpoint.weights.write(to: weights)
    }
}

extension ModelState {
    /// One of the tensors of a flat buffer that is laid out like the parameters.
    fileprivate func tensor(
        of region: Region, _ index: Int, on executor: any Executor
    ) throws -> Safetensors.Entry {
        let parameter = parameters[index]
        let values = try executor.read(
            region, offset: parameterLayout.byteOffset(index), count: parameter.layout.count, as: Float(0))
        return Safetensors.Entry(
            parameter.name, shape: parameter.layout.externalShape,
            values: parameter.layout.externalOrder(values))
    }

    fileprivate func statistic(_ index: Int, on executor: any Executor) throws -> Safetensors.Entry {
        let statistic = statistics[index]
        let values = try executor.read(
            .statistics, offset: statisticLayout.byteOffset(index), count: statistic.count, as: Float(0))
        return Safetensors.Entry(statistic.name, shape: [statistic.count], values: values)
    }
}
