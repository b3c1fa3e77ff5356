import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// Trains a network on a data set that lies on the executor's device.
///
/// A step sends nothing but its uniforms; everything random follows from the configuration's seed and the
/// step's number, so equal configurations give equal bits on one device, interrupted and resumed or not.
public final class Trainer {
    public let network: Network
    public let configuration: TrainingConfiguration
    public let memory: MemoryPlan
    public var device: DeviceDescription { executor.device }
    /// Optimizer steps taken since the run began.
    public internal(set) var step = 0
    /// The epoch that the next step belongs to, from 1.
    public var epoch: Int { step / stepsPerEpoch + 1 }
    /// The last batch of an epoch is left out where it would be smaller; the next epoch's order is another.
    public let stepsPerEpoch: Int

    package let executor: any Executor
    package internal(set) var model: ModelState
    package let dataset: Dataset
    let plans: RunPlans
    private let training: any Executable
    private let evaluator: Evaluator
    /// Exchanges the weights and their moving averages, where these are kept.
    private let exchange: (any Executable)?
    private let feed: any ImageFeed
    /// Metrics of this epoch's steps that are no longer in the device's slots: those before a resume or an
    /// evaluation.
    var earlierRows: [StepMetrics] = []
    var firstSlot = 0
    /// What a step takes; nil before the first, in which a driver may also compile.
    private var stepSeconds: Double?
    /// What the last step's loss was multiplied by, where `trainStep` took it and losses are.
    var stepLossScale: Float?

    /// Where training is within an epoch.
    public struct Progress: Sendable {
        public var epoch: Int
        public var epochs: Int
        /// Steps of this epoch that are done.
        public var step: Int
        public var steps: Int
        /// Over the epoch so far.
        public var loss: Double
        public var accuracy: Double
        public var imagesPerSecond: Double
        /// Until the end of the last epoch, without evaluations.
        public var secondsLeft: Double
    }

    /// - Parameter weights: what begins otherwise than drawn at random.
    /// - Throws: `ResinError`: `.usage` where network, data and batch do not go together, `.outOfMemory`
    ///   where the plan does not fit the device.
    package init(
        _ network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        _ loading: ImageLoading = ImageLoading(), startingFrom weights: NetworkWeights? = nil,
        on executor: any Executor
    ) throws {
        let checksum = try configuration.check(network, dataset)
        self.network = network
        self.dataset = dataset
        var configuration = configuration
        configuration.imageSize = [dataset.train.height, dataset.train.width]
        configuration.dataChecksum = checksum
        configuration.takeLabels(of: dataset)
        if let weights { configuration.replaced = try weights.missing(from: network) }
        self.configuration = configuration
        self.executor = executor
        stepsPerEpoch = dataset.train.count / configuration.batch
        let images = StepImages(dataset.train, .train, configuration, loading)
        let testImages = StepImages(dataset.evaluated.images, .test, configuration.ofShard, loading)
        let inputs = RunInputs.images(train: images, test: testImages)
        plans = try RunPlans(network, inputs, configuration, on: executor)
        try plans.checkThatItFits(network, inputs, configuration, on: executor)
        memory = plans.memory
        try executor.makeRoom(for: plans.trainingPlan, plans.evaluationPlan)
        model = ModelState(plans.training.gradients, isTrained: true)
        feed = try images.feed(plans.trainInput, on: executor)
        let testFeed = try testImages.feed(plans.testInput, on: executor)
        if configuration.precision.scalesLoss { try executor.write(LossScale()) }
        training = try model.initialise(
            configuration.initialiser, seed: configuration.seed, on: executor,
            while: { [plans] in try executor.prepare(plans.trainingPlan) })
        if let weights { try model.load(weights, on: executor) }
        try configuration.writeLossOperands(dataset, on: executor, trains: true)
        evaluator = try Evaluator(
            plans.evaluation, plan: plans.evaluationPlan, configuration.ofShard, dataset.evaluated.images,
            dataset.labelSets, testFeed, on: executor)
        exchange = try plans.exchangePlan.map { try executor.prepare($0) }
    }

    /// Images that were left out because they cannot be read: when the set was read, or when their turn came.
    package var skippedImages: [UnreadableImage] {
        dataset.skipped + feed.skippedImages(of: dataset.train) + evaluator.skippedImages
    }

    /// What weights are chosen by.
    package var evaluated: (part: DatasetPart, images: any ImageSource) { dataset.evaluated }

    /// What a step costs by layer, without times.
    public func costs(note: String) -> StepProfile {
        StepProfile(plans.trainingPlan.nodes, batch: configuration.batch, seconds: nil, note: note)
    }

    /// What the plateau schedule has seen of the evaluations.
    package var plateau = Plateau()

    public func learningRate(atStep step: Int) -> Float {
        configuration.schedule.learningRate(
            base: configuration.optimizer.learningRate, step: step, stepsPerEpoch: stepsPerEpoch,
            epochs: configuration.epochs, reductions: plateau.reductions)
    }

    // MARK: Training

    /// Trains to the end of the current epoch.
    ///
    /// - Parameters:
    ///   - progress: called now and then, from the calling thread.
    ///   - shouldStop: asked before each step, and within one that takes long, which is then given up.
    /// - Returns: mean loss and accuracy of the epoch's steps, and how many steps were left out of them and of
    ///   the training because their loss was not finite; nil when it was stopped.
    /// - Throws: `ResinError(.notFinite)` when a loss is not finite and the configuration says to stop, when no
    ///   step's was finite, and when the weights or running statistics are not after the epoch's last step.
    public func trainEpoch(
        progress: (Progress) -> Void = { _ in }, shouldStop: () -> Bool = { false }
    ) throws -> (loss: Double, accuracy: Double, skippedSteps: Int)? {
        let clock = ContinuousClock()
        let start = clock.now
        let epoch = epoch
        let firstStep = step % stepsPerEpoch
        var unsynchronised = 0
        // Steps to run ahead of the device: few enough to stay responsive, many enough to keep it busy.
        var stepsAhead = 1
        for slot in firstStep..<stepsPerEpoch {
            guard !shouldStop(), try runStep(slot, shouldStop: shouldStop) else { return nil }
            unsynchronised += 1
            if unsynchronised == stepsAhead || slot == stepsPerEpoch - 1 {
                try training.synchronize()
                let seconds = (clock.now - start) / .seconds(1)
                let stepSeconds = seconds / Double(slot + 1 - firstStep)
                self.stepSeconds = stepSeconds
                stepsAhead = min(max(Int(0.25 / stepSeconds), 1), 64)
                unsynchronised = 0
                let means = try metricsOfEpoch(stepsDone: slot + 1)
                let left = (configuration.epochs - epoch + 1) * stepsPerEpoch - slot - 1
                progress(
                    Progress(
                        epoch: epoch, epochs: configuration.epochs, step: slot + 1, steps: stepsPerEpoch,
                        loss: means.loss, accuracy: means.accuracy,
                        imagesPerSecond: Double(configuration.batch) / stepSeconds,
                        secondsLeft: Double(left) * stepSeconds))
            }
        }
        let means = try metricsOfEpoch(stepsDone: stepsPerEpoch)
        let intro = "after epoch \(epoch), step \(stepsPerEpoch) of \(stepsPerEpoch)"
        if means.skippedSteps == stepsPerEpoch {
            throw ResinError(
                .notFinite,
                "the loss was not finite in any step of epoch \(epoch): all \(stepsPerEpoch) were left out; "
                    + "\(firstNotFiniteInWords(stepOfEpoch: stepsPerEpoch - 1)). \(advice())")
        }
        // The next step's loss would show it, but this was the last one before a checkpoint.
        if let name = try model.firstNotFinite(on: executor) {
            throw ResinError(
                .notFinite,
                "the weights are not finite \(intro); the first tensor that is not finite is '\(name)'. \(advice())"
            )
        }
        return means
    }

    /// Takes the next `count` steps and returns each one's mean loss.
    package func takeSteps(_ count: Int) throws -> [Double] {
        try (0..<count).map { _ in
            let slot = step % stepsPerEpoch
            _ = try runStep(slot, shouldStop: { false })
            return try StepMetrics.sum(executor, .train, slots: slot..<slot + 1)[.loss]
                / Double(configuration.batch)
        }
    }

    /// False where it was given up: the trainer is then as it was before.
    ///
    /// - Parameter learningRate: nil for the schedule's.
    func runStep(
        _ slot: Int, learningRate: Float? = nil, shouldStop: () -> Bool
    ) throws -> Bool {
        let images = FeedStep(epoch: epoch, slot: slot)
        guard let rows = try feed.begin(images, shouldStop: shouldStop) else { return false }
        if slot == 0 {
            earlierRows = []
            firstSlot = 0
        }
        let uniforms = StepUniforms(
            seed: configuration.seed, step: step + 1, firstImage: rows.first,
            imageCount: configuration.batch, slot: slot,
            learningRate: learningRate ?? self.learningRate(atStep: step),
            optimizer: configuration.optimizer.rule)
        stepLossScale = nil
        let isWhole = try training.run(uniforms, expectedSeconds: stepSeconds, shouldStop: shouldStop)
        try feed.end()
        guard isWhole else {
            try model.restoreStatistics(on: executor)
            return false
        }
        step += 1
        return true
    }

    /// Makes a step's images ready, for something else than the step.
    ///
    /// - Parameter body: takes where they are, as `StepUniforms.firstImage` counts, and which of the training set they are.
    func withImages(of step: FeedStep, _ body: (_ first: Int, _ images: [Int32]) throws -> Void) throws {
        let orders = EpochOrders(configuration.sampler, dataset.train.labels, seed: configuration.seed)
        let batch = configuration.batch
        let images = orders.order(ofEpoch: step.epoch)[step.slot * batch..<(step.slot + 1) * batch]
        let rows = try feed.begin(step, shouldStop: { false })!
        defer { try? feed.end() }
        try body(rows.first, Array(images))
    }

    /// Means over the steps so far whose loss was finite, and the number of the others.
    private func metricsOfEpoch(
        stepsDone: Int
    ) throws -> (loss: Double, accuracy: Double, skippedSteps: Int) {
        let rows = earlierRows + (try StepMetrics.rows(executor, .train, slots: firstSlot..<stepsDone))
        var sum = StepMetrics()
        var skippedSteps = 0
        for (step, row) in rows.enumerated() {
            if row[.notFinite] > 0 {
                if configuration.onNaN == .stop { throw notFinite(stepOfEpoch: step) }
                skippedSteps += 1
            } else {
                sum += row
            }
        }
        if let lossScale = try lossScale(), lossScale.scale < 1 {
            throw ResinError(
                .notFinite,
                "gradients are too large for float16 in epoch \(epoch), step \(stepsDone) of \(stepsPerEpoch), even where "
                    + "the loss is multiplied by \(lossScale.scale). Use a smaller --lr, another --init, or --precision "
                    + "mixed, whose bfloat16 has the range of float32.")
        }
        let images = Double(max(rows.count - skippedSteps, 1) * configuration.batch)
        return (sum[.loss] / images, sum[.correct] / images, skippedSteps)
    }

    /// Where gradients are scaled, by how much now, and how many steps had to be left out.
    public func lossScale() throws -> LossScale? {
        configuration.precision.scalesLoss ? try executor.read(.lossScale, count: 1, as: LossScale())[0] : nil
    }

    /// Loss and accuracy on the test images; nil when it was stopped.
    public func evaluate(
        keepsLogits: Bool = false, shouldStop: () -> Bool = { false }
    ) throws -> Evaluation? {
        try evaluator.evaluate(
            seed: configuration.seed, keepsLogits: keepsLogits, shouldStop: shouldStop)
    }

    /// The same of the weights' moving averages; nil where none are kept, too.
    public func evaluateAverages(shouldStop: () -> Bool = { false }) throws -> Evaluation? {
        guard let exchange else { return nil }
        let nothing = StepUniforms(seed: 0, step: 1, imageCount: 1)
        try exchange.run(nothing)
        let result = Result { try evaluate(shouldStop: shouldStop) }
        try exchange.run(nothing)
        return try result.get()
    }

    /// Names where the numbers broke: a parameter, or else the first layer, of a step taken with the weights
    /// as they are now, whose values are not finite.
    func notFinite(stepOfEpoch: Int) -> ResinError {
        let epoch = (step - 1) / stepsPerEpoch + 1
        let intro = "the loss is not finite in epoch \(epoch), step \(stepOfEpoch + 1) of \(stepsPerEpoch)"
        return ResinError(
            .notFinite,
            "\(intro); \(firstNotFiniteInWords(stepOfEpoch: stepOfEpoch)). \(advice(skipHelps: true))")
    }

    private func advice(skipHelps: Bool = false) -> String {
        var ways = ["Use a smaller --lr", "another --init"]
        if configuration.precision == .mixedFloat16 { ways.append("--precision mixed for its larger range") }
        if skipHelps { ways.append("--on-nan skip to leave such steps out") }
        let last = ways.removeLast()
        return ways.joined(separator: ", ") + (ways.count > 1 ? ", or " : " or ") + last + "."
    }

    private func firstNotFiniteInWords(stepOfEpoch: Int) -> String {
        do {
            return try firstNotFinite(stepOfEpoch: stepOfEpoch)
                ?? "the weights have become finite again since"
        } catch {
            return "the place could not be found (\(error))"
        }
    }

    private func firstNotFinite(stepOfEpoch: Int) throws -> String? {
        if let name = try model.firstNotFinite(on: executor) {
            return "the first tensor that is not finite is '\(name)'"
        }
        var graph = plans.training.gradients
        graph.nodes.removeAll { $0.pass == .backward || $0.outputs.isEmpty }
        graph.results = plans.training.layerOutputs.map(\.value)
        let executable = try executor.prepare(executor.makePlan(graph) as Plan)
        let epoch = (step - 1) / stepsPerEpoch
        let images = FeedStep(epoch: epoch + 1, slot: stepOfEpoch)
        let rows = try feed.begin(images, shouldStop: { false })!
        defer { try? feed.end() }
        let batch = configuration.ofShard.batch
        for shard in 0..<configuration.shards {
            var uniforms = StepUniforms(
                seed: configuration.seed, step: epoch * stepsPerEpoch + stepOfEpoch + 1,
                firstImage: rows.first + shard * batch, imageCount: batch)
            uniforms.shard = UInt32(shard)
            try executable.run(uniforms)
            for (name, value) in plans.training.layerOutputs
            where !(try executable.read(value).allSatisfy(\.isFinite)) {
                return "the first layer that is not finite is '\(name)'"
            }
        }
        return nil
    }
}
