import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// Every byte that training takes on the device, known before the first launch.
public struct MemoryPlan: Hashable, Sendable {
    public var parameters: Int
    public var gradients: Int
    public var optimizerState: Int
    /// The data set's bytes, labels and order.
    public var dataset: Int
    /// Activations, their gradients and scratch memory.
    public var arena: Int
    /// The largest single allocation.
    public var largest: Int

    public var total: Int { parameters + gradients + optimizerState + dataset + arena }

    package init(training: Plan, evaluation: Plan?, optimizer: Op.Optimizer?, dataset: Int) {
        let flat = training.parameterLayout.byteCount
        // The statistics twice: those of the last step that was finite are kept.
        parameters = flat + 2 * training.statisticLayout.byteCount
        gradients = optimizer == nil ? 0 : flat
        optimizerState = (optimizer?.stateCount ?? 0) * flat
        self.dataset = dataset
        arena = max(training.arenaByteCount, evaluation?.arenaByteCount ?? 0)
        // The arena comes in pieces.
        largest = max(
            flat, dataset, training.largestBlockByteCount, evaluation?.largestBlockByteCount ?? 0)
    }

    /// "plan: 1,234 MB on the device: …".
    public var description: String {
        "\(Self.megabytes(total)): parameters \(Self.megabytes(parameters)), gradients "
            + "\(Self.megabytes(gradients)), optimizer \(Self.megabytes(optimizerState)), data set "
            + "\(Self.megabytes(dataset)), activations and scratch \(Self.megabytes(arena))"
    }

    package static func megabytes(_ byteCount: Int) -> String { byteCount.megabytes }
}

extension ImageSet {
    /// What it takes on the device.
    package var byteCount: Int { pixels.count + labels.count + 4 * count }
}

/// The plans of a run, and whether they fit the device.
package struct RunPlans {
    package let training: TrainingGraph
    package let evaluation: EvaluationGraph
    package let trainingPlan: Plan
    package let evaluationPlan: Plan
    package let memory: MemoryPlan

    package init(
        _ network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        on executor: any Executor
    ) throws {
        training = try TrainingGraph(network, images: dataset.train, configuration)
        evaluation = try EvaluationGraph(network, images: dataset.test, configuration)
        trainingPlan = executor.makePlan(training.graph)
        evaluationPlan = executor.makePlan(evaluation.graph)
        memory = MemoryPlan(
            training: trainingPlan, evaluation: evaluationPlan, optimizer: configuration.optimizer.op,
            dataset: dataset.train.byteCount + dataset.test.byteCount)
    }

    /// - Throws: `ResinError(.outOfMemory)` with need, have, and the largest batch that fits.
    package func checkThatItFits(
        _ network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        on executor: any Executor
    ) throws {
        let limits = executor.memoryLimits
        func fits(_ memory: MemoryPlan) -> Bool {
            memory.total <= limits.total && memory.largest <= limits.allocation
        }
        if fits(memory) { return }
        // Need grows with the batch: halve the interval.
        var fitting = 0
        var failing = configuration.batch
        while failing - fitting > 1 {
            var smaller = configuration
            smaller.batch = (fitting + failing) / 2
            if fits(try RunPlans(network, dataset, smaller, on: executor).memory) {
                fitting = smaller.batch
            } else {
                failing = smaller.batch
            }
        }
        let advice =
            fitting > 0
            ? "the largest batch that fits is \(fitting): use --batch \(fitting)"
            : "not even a batch of 1 fits: use a smaller --resize or --limit, or another --device"
        let device = executor.device
        throw ResinError(
            .outOfMemory,
            "training with batch \(configuration.batch) needs \(memory.description); \(device.name) has "
                + "\(MemoryPlan.megabytes(limits.total)), at most \(MemoryPlan.megabytes(limits.allocation)) in "
                + "one piece; \(advice)")
    }
}
