import ResinDataset
import ResinPlan
import ResinTensor
import ResinTraining

extension Heatmap {
    /// Where in images that were mistaken the classes are seen that they were taken for, for a run's report: a picture for each
    /// mistake. None where they cannot be made: the training is done, and no fault of its report may spoil it.
    ///
    /// - Parameters:
    ///   - weights: a file of those that made the mistakes.
    ///   - device: which gets a copy of the network of its own.
    public static func pictures(
        of mistakes: [Evaluation.Mistake], _ trainer: Trainer, weights path: String, device: ComputeDevice
    ) -> [RasterImage] {
        (try? made(of: mistakes, trainer, path, device)) ?? []
    }

    private static func made(
        of mistakes: [Evaluation.Mistake], _ trainer: Trainer, _ path: String, _ device: ComputeDevice
    ) throws -> [RasterImage] {
        // The reference takes seconds for each.
        guard !mistakes.isEmpty, device.details.type != .reference,
            2 * trainer.memory.total <= trainer.executor.memoryLimits.total
        else { return [] }
        var (device, configuration) = (device, trainer.configuration)
        (device.precision, configuration.precision) = (.float32, .float32)
        let network = trainer.network
        let preparation = try ImagePreparation(network, configuration)
        let engine = try PredictionEngine(
            network, NetworkWeights(Safetensors(contentsOf: path), from: path, for: network), configuration,
            preparation, sizes: [1], featureLayer: nil, heatmapLayer: .last,
            on: device.makeExecutor(imagesOfChoice: nil))
        let images = trainer.evaluated.images
        return try mistakes.map { mistake in
            let image = try preparation.prepare(.pixels(RasterImage(images, mistake.image))).image
            let map = try engine.heatmap(image.pixels, of: mistake.predicted)
            let prediction = Prediction(
                index: mistake.predicted, className: configuration.classNames[mistake.predicted],
                probability: mistake.probability)
            return Heatmap(
                layer: map.layer, prediction: prediction, height: map.extent.height, width: map.extent.width,
                values: map.values,
                picture: image.resized(toHeight: network.input.height, width: network.input.width)
            ).overlay()
        }
    }
}

extension RasterImage {
    /// An image of a set, in its own size.
    fileprivate init(_ images: any ImageSource, _ image: Int) throws {
        let photographs = images as? any PhotographSource
        let size = photographs?.size(of: image) ?? PixelSize(height: images.height, width: images.width)
        let pixels = try [UInt8](unsafeUninitializedCapacity: size.area * images.channels) { pixels, filled in
            let pixels = UnsafeMutableBufferPointer(rebasing: pixels[..<(size.area * images.channels)])
            if let photographs {
                try photographs.read(image, PixelBox(size), into: pixels)
            } else {
                try images.read(image, into: pixels)
            }
            filled = pixels.count
        }
        self.init(height: size.height, width: size.width, channels: images.channels, pixels: pixels)
    }
}
