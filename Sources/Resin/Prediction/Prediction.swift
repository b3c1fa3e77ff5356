import Foundation
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining

/// A class that an image may be of.
public struct Prediction: Hashable, Sendable {
    /// Of the network's output.
    public var index: Int
    public var className: String
    /// The softmax of the network's outputs.
    public var probability: Double

    /// What a network makes of single images, which take the path that the run's own took: to the data set's
    /// channels and size (see `RasterImage`), then on the device to the network's size and normalised.
    ///
    /// - Parameters:
    ///   - weights: found for the network.
    ///   - configuration: of the run that the weights are from; its batch is an upper bound.
    /// - Returns: for every image all classes, the likeliest first.
    /// - Throws: `ResinError`: `.usage` where the images are not what the network takes, `.outOfMemory` where not even
    ///   one at a time fits the device.
    public static func all(
        for images: [RasterImage], by network: Network, weights: NetworkWeights,
        _ configuration: TrainingConfiguration, device: ComputeDevice
    ) throws -> [[Prediction]] {
        if images.isEmpty { return [] }
        let set = try source(of: images, for: network, configuration)
        return try all(for: set, by: network, weights: weights, configuration, device: device)
    }

    /// The same of pictures in files, which are decoded as they are needed.
    ///
    /// - Parameter report: gets a sentence for each that is damaged but could be read.
    /// - Returns: for every picture all classes, the likeliest first, or why it could not be decoded.
    public static func all(
        for files: PhotographFiles, by network: Network, weights: NetworkWeights,
        _ configuration: TrainingConfiguration, _ loading: ImageLoading = ImageLoading(),
        device: ComputeDevice, report: (String) -> Void = { _ in }
    ) throws -> [Result<[Prediction], ResinError>] {
        if files.paths.isEmpty { return [] }
        let channels = try network.imageChannels(configuration)
        let size = configuration.imageSize(for: network)
        let source = files.source(
            channels: channels, size: PixelSize(height: size[0], width: size[1]),
            side: configuration.fit == nil ? nil : network.input.height)
        let set: any ImageSource = configuration.fit == nil ? Fitted(source: source) : source
        let predictions = try all(
            for: set, by: network, weights: weights, configuration, loading, device: device)
        let failures = source.failures
        for (image, flaw) in source.flaws.sorted(by: { $0.key < $1.key }) where failures[image] == nil {
            report("\(files.paths[image]): is damaged, but could be read (\(flaw))")
        }
        return predictions.enumerated().map { image, classes in
            failures[image].map { .failure($0) } ?? .success(classes)
        }
    }

    /// Photographs brought to one size before they come to the device.
    private struct Fitted: ImageSource {
        let source: TolerantPhotographs
        var shape: Shape { source.shape }
        var labels: [Int32] { source.labels }

        func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
            try source.read(image, into: bytes)
        }
    }

    private static func all(
        for set: any ImageSource, by network: Network, weights: NetworkWeights,
        _ configuration: TrainingConfiguration, _ loading: ImageLoading = ImageLoading(),
        device: ComputeDevice
    ) throws -> [[Prediction]] {
        let dataset = try Dataset(
            name: "the given images", classNames: configuration.classNames, train: set, test: set,
            mean: configuration.mean, standardDeviation: configuration.standardDeviation)
        var configuration = configuration
        configuration.precision = device.precision
        // Each picture has its own answer.
        var loading = loading
        loading.skipsUnreadable = false
        let executor = try device.makeExecutor()
        let steps = StepImages(set, .test, configuration, loading)
        func plan(batch: Int) throws -> MemoryPlan {
            try MemoryPlan(evaluating: network, steps, configuration, batch: batch, on: executor)
        }
        configuration.batch = try MemoryPlan.largestBatch(
            upTo: min(configuration.batch, set.count), on: executor, plan: plan)
        guard configuration.batch > 0 else {
            throw MemoryPlan.outOfMemory(
                try plan(batch: 1), "predicting one image at a time",
                "use a smaller --input, fewer images or another --device", on: executor)
        }
        let evaluation = try Evaluation(
            of: network, weights: weights, on: dataset, configuration, loading, executor: executor,
            keepsLogits: true)
        return (0..<set.count).map { image in
            let classes = network.classCount
            let logits = evaluation.logits[image * classes..<(image + 1) * classes].map(Double.init)
            // Less the largest, so that none overflows.
            let largest = logits.max()!
            let powers = logits.map { exp($0 - largest) }
            let sum = powers.reduce(0, +)
            return powers.indices
                .map {
                    Prediction(
                        index: $0, className: configuration.classNames[$0], probability: powers[$0] / sum)
                }
                .sorted { ($1.probability, $0.index) < ($0.probability, $1.index) }
        }
    }
}

extension Prediction {
    /// The images as those came that a run's network was tested on.
    private static func source(
        of images: [RasterImage], for network: Network, _ configuration: TrainingConfiguration
    ) throws -> any ImageSource {
        let size = configuration.imageSize(for: network)
        // Nobody knows them; nothing that depends on them is used.
        let labels = [Int32](repeating: 0, count: images.count)
        if configuration.fit != nil {
            let channels = try network.imageChannels(configuration)
            return DecodedPhotographs(
                images.map { $0.converted(toChannels: channels) }, labels: labels,
                size: PixelSize(height: size[0], width: size[1]))
        }
        return try ImageSet(
            pixels: images.flatMap { try $0.prepared(for: network, configuration).pixels }, labels: labels,
            height: size[0], width: size[1], channels: configuration.mean.count,
            classCount: network.classCount)
    }
}

extension Network {
    /// - Throws: `ResinError(.usage)` for a network that takes images neither grey nor in colour.
    fileprivate func imageChannels(_ configuration: TrainingConfiguration) throws -> Int {
        let channels = configuration.mean.count
        guard channels == 1 || channels == 3 else {
            throw ResinError(
                .usage, "the network takes \(channels) channels, but images are grey (1) or colour (3)")
        }
        return channels
    }
}

extension RasterImage {
    /// The image in the channels and the size of those that a run's network was trained on, from which the
    /// device goes on; most photographs get much smaller by it.
    ///
    /// - Throws: `ResinError(.usage)` for a network that takes images neither grey nor in colour.
    public func prepared(
        for network: Network, _ configuration: TrainingConfiguration
    ) throws -> RasterImage {
        let channels = try network.imageChannels(configuration)
        let size = configuration.imageSize(for: network)
        return fitted(channels: channels, height: size[0], width: size[1])
    }
}

extension TrainingConfiguration {
    fileprivate func imageSize(for network: Network) -> [Int] {
        imageSize ?? [network.input.height, network.input.width]
    }
}
