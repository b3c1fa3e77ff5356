import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// Every byte that training takes on the device, known before the first launch.
public struct MemoryPlan: Hashable, Sendable {
    public var parameters: Int
    public var gradients: Int
    /// With moving averages of the weights, where there are any.
    public var optimizerState: Int
    /// The data set's bytes, labels and order.
    public var dataset: Int
    /// Activations, their gradients and scratch memory.
    public var arena: Int
    /// The largest single allocation.
    public var largest: Int
    /// Where the device's memory is the program's own: what is held besides while a checkpoint is written.
    package var checkpoint = 0
    /// Of the host: what is on its way from files to the device.
    package var staging = 0

    public var total: Int { parameters + gradients + optimizerState + dataset + arena }

    /// - Parameter steps: all that share the device: a training's, with or without its evaluation's, or an evaluation's.
    package init(_ steps: StepPlan..., inputs: [StepInput], on executor: any Executor) {
        let plan = StepPlan(steps.flatMap(\.plans))
        (parameters, gradients, optimizerState) = (0, 0, 0)
        var flat = 0
        var kept = 0
        for (region, byteCount) in plan.regionByteCounts {
            switch region {
            case .parameters, .statistics, .keptStatistics: parameters += byteCount
            case .gradients, .shardGradients, .shardStatistics: gradients += byteCount
            case .optimizerState, .averagedParameters, .averagedStatistics: optimizerState += byteCount
            case .keptWorkspaces: kept += byteCount
            // A few numbers, or counted with the data set.
            case .images, .labels, .order, .samples, .metrics, .activity, .lossScale, .classWeights,
                .labelSets, .outputGradients, .zeros:
                continue
            }
            flat = max(flat, byteCount)
        }
        dataset = inputs.reduce(0) { $0 + $1.byteCount }
        staging = inputs.reduce(0) { $0 + $1.stagingByteCount }
        arena = kept + executor.workingByteCount(of: plan)
        // The arena comes in pieces.
        largest = max(flat, inputs.map(\.byteCount).max() ?? 0, plan.largestBlockByteCount)
        if gradients > 0 && executor.sharesHostMemory { checkpoint = parameters + optimizerState }
    }

    /// "1,234 MB: parameters 12.3 MB, …", without what is not needed at all.
    public var description: String {
        let parts = [
            ("parameters", parameters), ("gradients", gradients), ("optimizer", optimizerState),
            ("data set", dataset), ("activations and scratch", arena),
        ]
        let words = parts.filter { $0.1 > 0 }.map { "\($0.0) \(Self.megabytes($0.1))" }
        let way = staging > 0 ? "; at most \(Self.megabytes(staging)) of the host's on the way there" : ""
        return "\(Self.megabytes(total)): \(words.joined(separator: ", "))\(way)"
    }

    package static func megabytes(_ byteCount: Int) -> String { byteCount.megabytes }
}

extension MemoryPlan {
    /// What evaluating a network on such images takes.
    package init(
        evaluating network: Network, _ images: StepImages, _ configuration: TrainingConfiguration, batch: Int,
        on executor: any Executor
    ) throws {
        var configuration = configuration
        configuration.batch = batch
        let input = images.input(batch: batch, on: executor)
        let graph = try EvaluationGraph(network, input, configuration).graph
        self.init(executor.makePlan(graph), inputs: [input], on: executor)
    }

    /// Where the device's memory is the host's, with what is there besides.
    private func need(on executor: any Executor) -> Int {
        total + checkpoint + (executor.sharesHostMemory ? staging : 0)
    }

    package func fits(_ executor: any Executor) -> Bool {
        let limits = executor.memoryLimits
        return need(on: executor) <= limits.total && largest <= limits.allocation
    }

    /// The largest batch up to `batch` whose plan fits an executor, 0 where none does.
    package static func largestBatch(
        upTo batch: Int, on executor: any Executor, plan: (_ batch: Int) throws -> MemoryPlan
    ) throws -> Int {
        if try plan(batch).fits(executor) { return batch }
        // Need grows with the batch: halve the interval.
        var fitting = 0
        var failing = batch
        while failing - fitting > 1 {
            let middle = (fitting + failing) / 2
            if try plan(middle).fits(executor) {
                fitting = middle
            } else {
                failing = middle
            }
        }
        return fitting
    }

    /// Refuses a batch whose plan does not fit an executor.
    ///
    /// - Parameters:
    ///   - work: what needs the memory: "training".
    ///   - remedy: what to do where not even one image fits: "use a smaller --resize".
    /// - Throws: `ResinError(.outOfMemory)` with need, have, and the largest batch that fits.
    package static func check(
        _ work: String, batch: Int, remedy: String, on executor: any Executor,
        plan: (_ batch: Int) throws -> MemoryPlan
    ) throws {
        let fitting = try largestBatch(upTo: batch, on: executor, plan: plan)
        if fitting == batch { return }
        let advice =
            fitting > 0
            ? "the largest batch that fits is \(fitting): use --batch \(fitting)"
            : "not even a batch of 1 fits: \(remedy)"
        throw outOfMemory(try plan(batch), "\(work) with batch \(batch)", advice, on: executor)
    }

    package static func outOfMemory(
        _ plan: MemoryPlan, _ work: String, _ advice: String, on executor: any Executor
    ) -> ResinError {
        let limits = executor.memoryLimits
        let piece = min(limits.allocation, limits.total)
        let checkpoint =
            plan.checkpoint > 0 ? ", and \(megabytes(plan.checkpoint)) while a checkpoint is written" : ""
        return ResinError(
            .outOfMemory,
            "\(work) needs \(plan.description)\(checkpoint); \(executor.device.name) has "
                + "\(megabytes(limits.total)), at most \(megabytes(piece)) in one piece; \(advice)"
        )
    }
}

/// The plans of a run, and whether they fit the device.
package struct RunPlans {
    package let training: TrainingGraphs
    package let evaluation: EvaluationGraph
    package let trainingPlan: StepPlan
    package let evaluationPlan: StepPlan
    /// Exchanges the weights and their moving averages, where these are kept.
    package let exchangePlan: Plan?
    package let trainInput: StepInput
    package let testInput: StepInput
    package let memory: MemoryPlan

    package init(
        _ network: Network, _ inputs: RunInputs, _ configuration: TrainingConfiguration,
        on executor: any Executor
    ) throws {
        let network = try network.freezing(configuration.frozen)
        (trainInput, testInput) = inputs.inputs(configuration, on: executor)
        training = try TrainingGraphs(network, trainInput, configuration)
        evaluation = try EvaluationGraph(network, testInput, configuration.ofShard)
        trainingPlan = training.plan(on: executor)
        evaluationPlan = executor.makePlan(evaluation.graph)
        exchangePlan = training.averages.map { executor.makePlan($0.exchange) }
        memory = MemoryPlan(
            trainingPlan, evaluationPlan, inputs: [trainInput, testInput], on: executor)
    }

    /// - Throws: `ResinError(.outOfMemory)` with need, have, and the largest batch that fits.
    package func checkThatItFits(
        _ network: Network, _ inputs: RunInputs, _ configuration: TrainingConfiguration,
        on executor: any Executor
    ) throws {
        try MemoryPlan.check(
            "training", batch: configuration.batch,
            remedy: "use a smaller --resize or --limit, or another --device", on: executor
        ) { batch in
            if batch == configuration.batch { return memory }
            var smaller = configuration
            // A multiple of the shards.
            smaller.batch = max(batch / configuration.shards, 1) * configuration.shards
            return try RunPlans(network, inputs, smaller, on: executor).memory
        }
    }
}

/// What the steps of a run make their images from, for any batch.
package enum RunInputs {
    /// Before there are any.
    case outlined(DatasetOutline)
    case images(train: StepImages, test: StepImages)

    func inputs(
        _ configuration: TrainingConfiguration, on executor: any Executor
    ) -> (train: StepInput, test: StepInput) {
        let (batch, testBatch) = (configuration.batch, configuration.ofShard.batch)
        return switch self {
        case .outlined(let outline) where outline.arePhotographs:
            // What they will take at least: their sizes are known once the set is.
            (
                .photographs(PhotographPlan(leastOf: outline.train, batch: batch)),
                .photographs(PhotographPlan(leastOf: outline.test, batch: testBatch))
            )
        case .outlined(let outline): (.uniform(outline.train), .uniform(outline.test))
        case .images(let train, let test):
            (train.input(batch: batch, on: executor), test.input(batch: testBatch, on: executor))
        }
    }
}
