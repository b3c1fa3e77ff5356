import ResinDataset
import ResinNetworks
import ResinTensor

/// Which images the steps take, and how each becomes a row of the batch.
protocol SampleSequence {
    /// What the images come to.
    var target: PixelSize { get }
    /// In the batch's order; as many as the step has images.
    func samples(of step: FeedStep) -> [(image: Int, sample: ImageSample)]
    /// Nil behind the last.
    func step(after step: FeedStep) -> FeedStep?
}

/// Those of training: each epoch in an order of its own, changed at random.
final class TrainingSamples: SampleSequence {
    private let source: any PhotographSource
    private let labels: [Int32]
    private let policy: AugmentationPolicy
    let target: PixelSize
    private let configuration: TrainingConfiguration
    private let stepsPerEpoch: Int
    private let orders: EpochOrders

    init(_ source: any PhotographSource, _ configuration: TrainingConfiguration) {
        self.source = source
        self.configuration = configuration
        labels = source.labels
        var policy = configuration.augmentation
        (policy.fit, policy.fitShare) = (configuration.fit ?? .stretch, configuration.evalCrop)
        self.policy = policy
        target = PixelSize(configuration.input)
        stepsPerEpoch = source.count / configuration.batch
        orders = EpochOrders(configuration.sampler, labels, seed: configuration.seed)
    }

    func samples(of step: FeedStep) -> [(image: Int, sample: ImageSample)] {
        let batch = configuration.batch
        let images = orders.order(ofEpoch: step.epoch)[step.slot * batch..<(step.slot + 1) * batch].map(
            Int.init)
        var samples = images.map { image in
            var sample = policy.sample(
                of: source.size(of: image), to: target, seed: configuration.seed, epoch: step.epoch,
                image: image)
            sample.label = Int(labels[image])
            return sample
        }
        policy.mix(
            &samples, to: target, seed: configuration.seed,
            step: (step.epoch - 1) * stepsPerEpoch + step.slot + 1, shards: configuration.shards)
        return Array(zip(images, samples))
    }

    func step(after step: FeedStep) -> FeedStep? {
        if step.slot + 1 < stepsPerEpoch { return FeedStep(epoch: step.epoch, slot: step.slot + 1) }
        return step.epoch < configuration.epochs ? FeedStep(epoch: step.epoch + 1, slot: 0) : nil
    }
}

/// Those of an evaluation: the set's own order, time and again.
struct TestSamples: SampleSequence {
    private let source: any PhotographSource
    private let labels: [Int32]
    private let fit: TestFit
    private let evalCrop: Double
    let target: PixelSize
    private let batch: Int

    init(_ source: any PhotographSource, _ configuration: TrainingConfiguration) {
        self.source = source
        labels = source.labels
        // What a run did before there was a choice.
        fit = configuration.fit ?? .stretch
        evalCrop = configuration.evalCrop
        target = PixelSize(configuration.input)
        batch = configuration.batch
    }

    func samples(of step: FeedStep) -> [(image: Int, sample: ImageSample)] {
        (step.slot * batch..<min((step.slot + 1) * batch, source.count)).map { image in
            var sample = fit.sample(of: source.size(of: image), to: target, evalCrop: evalCrop)
            sample.label = Int(labels[image])
            return (image, sample)
        }
    }

    func step(after step: FeedStep) -> FeedStep? {
        let slot = step.slot + 1
        return FeedStep(epoch: step.epoch, slot: slot * batch < source.count ? slot : 0)
    }
}

extension PixelSize {
    init(_ input: ImageShape) { self.init(height: input.height, width: input.width) }
}
