import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// Says which classes images are of. Made once, it keeps plan, kernels and weights on the device, and answers any number of
/// calls from any number of tasks:
///
///     let predictor = try Predictor(run: "runs/nin-1")
///     let classes = try await predictor.predict(.file("cat.jpg"))
///     print(classes[0].className, classes[0].probability)
///
/// Images are decoded and cropped on the calls' own tasks. Those that wait while the device is busy go into its next batch
/// together; an image's result has the same bits whatever it was batched with. On a GPU, and where `plansEverySize` is off,
/// there is one batch size, and what is left of a batch is computed for nothing.
public final class Predictor: Sendable {
    public let network: Network
    /// In the order of the network's outputs.
    public let classNames: [String]
    private let loss: TrainingConfiguration.LossFunction
    public let device: DeviceDescription
    public let settings: Settings
    /// Images that the device takes at a time, at most: fewer than the settings say where its memory is small.
    public let largestBatch: Int
    /// Of the device, in bytes: weights, images, activations and scratch memory.
    public let plannedByteCount: Int
    private let preparation: ImagePreparation
    private let queue: PredictionQueue

    public struct Settings: Hashable, Sendable {
        /// Images that the device takes at a time, at most.
        public var largestBatch: Int
        /// Whether there are plans for 1, 2, 4, … images, so that few do not cost as much as many. All take the forms that
        /// serve one image best, and give the same bits. At most 64 images, then.
        public var plansEverySize: Bool
        /// Threads that decode the images of one call.
        public var decodingThreads: Int
        /// The dotted name of a layer whose values are wanted beside the classes, such as `avgpool`.
        public var featureLayer: String?
        /// The layer of `heatmap(of:for:)`; nil where there will be none.
        public var heatmapLayer: HeatmapLayer?

        public init(
            largestBatch: Int = 8, plansEverySize: Bool = true, decodingThreads: Int? = nil,
            featureLayer: String? = nil, heatmapLayer: HeatmapLayer? = nil
        ) {
            self.largestBatch = largestBatch
            self.plansEverySize = plansEverySize
            self.decodingThreads = decodingThreads ?? ProcessInfo.processInfo.activeProcessorCount
            self.featureLayer = featureLayer
            self.heatmapLayer = heatmapLayer
        }
    }

    /// The layer that a heat map is of.
    public enum HeatmapLayer: Hashable, Sendable {
        /// The last feature map before the global pooling, or the last there is.
        case last
        /// By its dotted name.
        case named(String)

        var name: String? { if case .named(let name) = self { name } else { nil } }
    }

    /// Of a network with weights that were found for it. Takes as long as its kernels take to compile, once a machine.
    ///
    /// - Parameter configuration: of the run that the weights are from: class names, normalisation, and how images come to
    ///   the network's size.
    /// - Throws: `ResinError`: `.usage` where the network takes images neither grey nor in colour, or has no layer of the
    ///   settings' name, `.outOfMemory` where not even one image at a time fits the device, `.noDevice` where it fails.
    public init(
        _ network: Network, weights: NetworkWeights, _ configuration: TrainingConfiguration,
        device: ComputeDevice, settings: Settings = Settings()
    ) throws {
        guard settings.largestBatch >= 1, settings.decodingThreads >= 1,
            !settings.plansEverySize || settings.largestBatch <= 64
        else {
            throw ResinError(
                .usage,
                "a predictor's batch is 1 or more (\(settings.largestBatch)), at most 64 with plansEverySize, and it has "
                    + "one decoding thread or more (\(settings.decodingThreads))")
        }
        self.network = network
        self.settings = settings
        classNames = configuration.classNames
        loss = configuration.loss
        var configuration = configuration
        configuration.precision = device.precision
        preparation = try ImagePreparation(network, configuration)
        // A GPU's sums may depend on the batch.
        let hasSizes = settings.plansEverySize && device.details.type != .gpu && settings.largestBatch > 1
        let executor = try device.makeExecutor(imagesOfChoice: hasSizes ? 1 : nil)
        let largest = try MemoryPlan.largestBatch(
            upTo: settings.largestBatch, on: executor
        ) { [preparation] batch in
            try PredictionEngine.memory(network, configuration, preparation, batch: batch, on: executor)
        }
        largestBatch = max(largest, 1)
        let engine = try PredictionEngine(
            network, weights, configuration, preparation,
            sizes: hasSizes ? Self.sizes(upTo: largestBatch) : [largestBatch],
            featureLayer: settings.featureLayer, heatmapLayer: settings.heatmapLayer, on: executor)
        self.device = engine.device
        plannedByteCount = engine.plannedByteCount
        if settings.plansEverySize { try engine.warmUp() }
        queue = PredictionQueue(engine, largestBatch: largestBatch)
    }

    /// Of a run's best weights, or of a file of weights that lies in a run's folder.
    ///
    /// - Parameters:
    ///   - path: the run's folder, or the file.
    ///   - device: nil for the best there is.
    /// - Throws: `ResinError`: also `.missingFile` and `.badContent` where the run cannot be read.
    public convenience init(
        run path: String, device: ComputeDevice? = nil, settings: Settings = Settings()
    ) throws {
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        let file = isThere && isFolder.boolValue ? path + "/best.safetensors" : path
        let weights = try Safetensors(weightsOf: file)
        let folder = (file as NSString).deletingLastPathComponent
        let run = try RunFolder(existing: folder.isEmpty ? "." : folder)
        let configuration = try run.configuration(as: TrainingConfiguration.self)
        let network = try configuration.knownNetwork(from: run.configurationPath)
        try self.init(
            network, weights: NetworkWeights(weights, from: file, for: network), configuration,
            device: device ?? .best(), settings: settings)
    }

    private static func sizes(upTo largest: Int) -> [Int] {
        var sizes = [1]
        while 2 * sizes.last! < largest { sizes.append(2 * sizes.last!) }
        return largest == 1 ? sizes : sizes + [largest]
    }

    // MARK: Predictions

    /// All classes of an image, the likeliest first.
    ///
    /// - Throws: `ResinError`: `.missingFile` or `.badContent` where the image cannot be read, `.notFinite` where an output
    ///   is not finite, `.usage` once the predictor is closed; `CancellationError` where the task is cancelled while the
    ///   image waits.
    public func predict(_ image: InputImage) async throws -> [Prediction] {
        try await results(for: [image])[0].get().classes
    }

    /// The same of many images; the first that cannot be read is thrown.
    public func predict(_ images: [InputImage]) async throws -> [[Prediction]] {
        try await results(for: images).map { try $0.get().classes }
    }

    /// What the network makes of each image, or why that one could not be read or has no finite outputs.
    ///
    /// While a batch is on the device the next is decoded.
    ///
    /// - Throws: what fails on the device; `ResinError(.usage)` once the predictor is closed; `CancellationError`.
    public func results(
        for images: [InputImage]
    ) async throws -> [Result<PredictedImage, ResinError>] {
        var results: [Result<PredictedImage, ResinError>] = []
        results.reserveCapacity(images.count)
        try await withThrowingTaskGroup(of: [Result<PredictedImage, ResinError>].self) { group in
            var isUnderWay = false
            for first in stride(from: 0, to: images.count, by: largestBatch) {
                let batch = images[first..<min(first + largestBatch, images.count)]
                let prepared = try await prepare(batch)
                if isUnderWay { results += try await group.next()! }
                group.addTask { try await self.results(for: prepared) }
                isUnderWay = true
            }
            if isUnderWay { results += try await group.next()! }
        }
        return results
    }

    private typealias Prepared = Result<(image: RasterImage, flaw: String?), ResinError>

    /// Decodes images, several at a time.
    private func prepare(_ images: ArraySlice<InputImage>) async throws -> [Prepared] {
        if images.count == 1 { return [try prepare(images.first!)] }
        return try await withThrowingTaskGroup(of: (Int, Prepared).self) { group in
            var prepared = [Prepared?](repeating: nil, count: images.count)
            for (index, image) in images.enumerated() {
                if index >= settings.decodingThreads {
                    let (place, result) = try await group.next()!
                    prepared[place] = result
                }
                group.addTask {
                    try Task.checkCancellation()
                    return (index, try self.prepare(image))
                }
            }
            for try await (place, result) in group { prepared[place] = result }
            return prepared.map { $0! }
        }
    }

    private func prepare(_ image: InputImage) throws -> Prepared {
        do {
            return .success(try preparation.prepare(image))
        } catch let error as ResinError {
            return .failure(error)
        }
    }

    private func results(for prepared: [Prepared]) async throws -> [Result<PredictedImage, ResinError>] {
        var rows = try await queue.predict(prepared.compactMap { try? $0.get().image.pixels })[...]
        return prepared.map { image in
            image.flatMap { image in
                let row = rows.removeFirst()
                guard row.logits.areFinite else { return .failure(notFinite) }
                return .success(
                    PredictedImage(
                        classes: Prediction.classes(row.logits, classNames, loss), features: row.features,
                        flaw: image.flaw))
            }
        }
    }

    private var notFinite: ResinError {
        ResinError(
            .notFinite,
            "the outputs of network '\(network.name)' are not finite for the image, though its weights are: they are too "
                + "large; take another checkpoint")
    }

    // MARK: Heat maps

    /// Where in an image a class is seen: Grad-CAM (Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via
    /// gradient-based localization", ICCV 2017) of the settings' `heatmapLayer`.
    ///
    /// - Parameter label: of the network's outputs; nil for the likeliest class.
    /// - Throws: as `predict`; `ResinError(.usage)` where there is no such class, or the settings name no layer.
    public func heatmap(of image: InputImage, for label: Int? = nil) async throws -> Heatmap {
        if let label, !classNames.indices.contains(label) {
            throw ResinError(
                .usage, "there is no class \(label): the network has \(classNames.count), counted from 0")
        }
        let picture = try prepare(image).get().image
        let bytes = picture.pixels
        let row = try await queue.predict([bytes])[0]
        guard row.logits.areFinite else { throw notFinite }
        let classes = Prediction.classes(row.logits, classNames, loss)
        let shown = label.flatMap { label in classes.first { $0.index == label } } ?? classes[0]
        let map = try await queue.run { try $0.heatmap(bytes, of: shown.index) }
        return Heatmap(
            layer: map.layer, prediction: shown, height: map.extent.height, width: map.extent.width,
            values: map.values,
            picture: picture.resized(toHeight: network.input.height, width: network.input.width))
    }

    // MARK: The end

    /// Gives the device back. Calls that wait throw; what is on the device is done first. A predictor that nobody holds any
    /// more closes by itself.
    public func close() async { await queue.close() }
}
