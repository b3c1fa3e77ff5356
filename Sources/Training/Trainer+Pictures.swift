import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

/// A picture in a run's report, and what it is of.
public struct ReportPicture: Sendable {
    public var image: RasterImage
    public var caption: String

    public init(_ image: RasterImage, caption: String) {
        self.image = image
        self.caption = caption
    }
}

extension Trainer {
    /// The first images of the first step as the network saw them: cropped, turned and coloured as the augmentation has it,
    /// before the normalisation.
    ///
    /// - Parameter count: at most so many.
    package func seenImages(_ count: Int) throws -> [ReportPicture] {
        var graph = plans.training.gradients
        guard let last = graph.nodes.last(where: { $0.pass == .input && graph.isImage($0.outputs.first) })
        else { return [] }
        graph.nodes = graph.nodes.filter { $0.pass == .input && graph.isImage($0.outputs.first) }
        graph.results = [last.outputs[0]]
        let executable = try executor.prepare(executor.makePlan(graph) as Plan)
        var shown: [ReportPicture] = []
        try withImages(of: FeedStep(epoch: 1, slot: 0)) { first, images in
            let size = configuration.ofShard.batch
            try executable.run(
                StepUniforms(seed: configuration.seed, step: 1, firstImage: first, imageCount: size))
            let values = try executable.read(last.outputs[0])
            let shape = graph.shape(of: last.outputs[0])
            for (row, image) in images.prefix(min(count, size)).enumerated() {
                let picture = picture(
                    values[row * shape.count / size..<(row + 1) * shape.count / size], shape)
                let labels = dataset.classesOfLabels[Int(dataset.train.labels[Int(image)])]
                let names = labels.map { dataset.classNames[Int($0)] }
                shown.append(ReportPicture(picture, caption: names.joined(separator: ", ")))
            }
        }
        return shown
    }

    /// Of normalised values, 0 … 255 again; of other numbers of channels than grey's and colours' the first is shown.
    private func picture(_ values: ArraySlice<Float>, _ shape: Shape) -> RasterImage {
        let channels = shape.channels == 3 ? 3 : 1
        var pixels: [UInt8] = []
        pixels.reserveCapacity(shape.height * shape.width * channels)
        for pixel in 0..<shape.height * shape.width {
            for channel in 0..<channels {
                let value = values[values.startIndex + pixel * shape.channels + channel]
                let byte =
                    255 * (value * configuration.standardDeviation[channel] + configuration.mean[channel])
                pixels.append(byte.isFinite ? UInt8(min(max(byte.rounded(), 0), 255)) : 0)
            }
        }
        return RasterImage(height: shape.height, width: shape.width, channels: channels, pixels: pixels)
    }
}

extension Graph {
    fileprivate func isImage(_ value: ValueID?) -> Bool { value.map { shape(of: $0).rank == 4 } ?? false }
}
