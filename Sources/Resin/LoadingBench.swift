import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// Times the way of images from their files to a network's input on a device: everything of a training step but the
/// network.
public final class LoadingBench {
    /// Images of a step.
    public let batch: Int
    /// Of the part that is loaded.
    public let count: Int
    private let executor: any Executor
    private let executable: any Executable
    private let feed: any ImageFeed
    private let configuration: TrainingConfiguration
    private var steps = 0

    /// - Parameter configuration: of a network of whatever kind: its input's size, the batch, the augmentation, the seed.
    public init(
        _ images: any ImageSource, _ configuration: TrainingConfiguration, _ loading: ImageLoading,
        device: ComputeDevice
    ) throws {
        self.configuration = configuration
        batch = configuration.batch
        count = images.count
        guard batch <= count else {
            throw ResinError(.usage, "--batch is \(batch), but there are only \(count) images")
        }
        executor = try device.makeExecutor()
        let set = StepImages(images, .train, configuration, loading)
        let input = set.input(batch: batch, on: executor)
        var graph = Graph()
        let maker = ImageMaker(input, .train, configuration.input, configuration, .training)
        graph.results = [try maker.images(&graph)]
        let plan: StepPlan = executor.makePlan(graph)
        try executor.makeRoom(for: plan)
        feed = try set.feed(input, on: executor)
        executable = try executor.prepare(plan)
    }

    /// Loads all images once, in whole batches.
    ///
    /// - Returns: images a second.
    public func runEpoch() throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let stepsPerEpoch = count / batch
        for _ in 0..<stepsPerEpoch {
            let step = FeedStep(epoch: steps / stepsPerEpoch + 1, slot: steps % stepsPerEpoch)
            let rows = try feed.begin(step, shouldStop: { false })!
            steps += 1
            try executable.run(
                StepUniforms(
                    seed: configuration.seed, step: steps, firstImage: rows.first, imageCount: batch))
            try feed.end()
        }
        try executable.synchronize()
        return Double(stepsPerEpoch * batch) / ((clock.now - start) / .seconds(1))
    }
}
