import ResinDataset
import ResinTensor

/// A mistake as the report and TensorBoard show it.
struct MistakePicture {
    /// What it is: its classes' names.
    var label: String
    /// What it is taken for.
    var predicted: String
    /// Of the predicted class.
    var probability: Double
    /// The image's file, or its number.
    var name: String
    /// In the data set's order.
    var image: Int
    /// Nil where it can no longer be read: what the images come from may be gone by now.
    var picture: RasterImage?

    init(_ mistake: Evaluation.Mistake, of images: any ImageSource, classNames: [String]) {
        let names = mistake.labels.map { classNames[$0] }
        label = names.isEmpty ? "no class" : names.joined(separator: ", ")
        predicted = classNames[mistake.predicted]
        probability = mistake.probability
        name = images.name(of: mistake.image) ?? "image \(mistake.image)"
        image = mistake.image
        picture = try? RasterImage(reducing: images, index: mistake.image)
    }
}

extension RasterImage {
    /// Larger images are shown by one pixel of each square of so many, to keep the report small.
    private static let largestSide = 96

    /// An image of a set, in the size that reports show. Grey, or red, green and blue; of other channels the first is shown.
    package init(reducing set: any ImageSource, index: Int) throws {
        self = try set.withBytes(of: index..<index + 1) {
            Self.reduced($0, height: set.height, width: set.width, channels: set.channels)
        }
    }

    /// In the size that reports show.
    var reduced: RasterImage {
        pixels.withUnsafeBufferPointer {
            Self.reduced($0, height: height, width: width, channels: channels)
        }
    }

    private static func reduced(
        _ image: UnsafeBufferPointer<UInt8>, height: Int, width: Int, channels: Int
    ) -> RasterImage {
        let step = max((max(height, width) + largestSide - 1) / largestSide, 1)
        let shown = channels == 3 ? 3 : 1
        var pixels: [UInt8] = []
        for row in stride(from: 0, to: height, by: step) {
            for column in stride(from: 0, to: width, by: step) {
                let pixel = (row * width + column) * channels
                pixels += image[pixel..<pixel + shown]
            }
        }
        return RasterImage(
            height: (height + step - 1) / step, width: (width + step - 1) / step, channels: shown,
            pixels: pixels)
    }
}
