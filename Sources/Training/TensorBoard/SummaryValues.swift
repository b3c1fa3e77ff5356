import Foundation
import ResinDataset
import ResinProtobuf
import ResinTensor
import SwiftProtobuf

// What TensorBoard shows, each under a tag; what stands before a tag's slash is the group that it is shown in.

extension EpochMetrics {
    /// The metrics under their tags. What an epoch does not have, or what is not finite, is left out.
    var summaryValues: [TensorBoardSummary.Value] {
        Self.tags.compactMap { key, tag in
            finite(key).map { value in
                .with {
                    $0.tag = tag
                    $0.simpleValue = Float(value)
                }
            }
        }
    }

    private static let tags: [(CodingKeys, String)] = CodingKeys.allCases.compactMap { key in
        tag(of: key).map { (key, $0) }
    }

    private static func tag(of key: CodingKeys) -> String? {
        switch key {
        case .trainLoss: "train/loss"
        case .trainAccuracy: "train/accuracy"
        case .testLoss: "test/loss"
        case .testAccuracy: "test/accuracy"
        case .testTop5Accuracy: "test/top5_accuracy"
        case .validationLoss: "validation/loss"
        case .validationAccuracy: "validation/accuracy"
        case .validationTop5Accuracy: "validation/top5_accuracy"
        case .averagedTestLoss: "ema_test/loss"
        case .averagedTestAccuracy: "ema_test/accuracy"
        case .averagedValidationLoss: "ema_validation/loss"
        case .averagedValidationAccuracy: "ema_validation/accuracy"
        case .learningRate: "learning_rate"
        case .imagesPerSecond: "images_per_second"
        // The step, and what says no more than the images a second.
        case .epoch, .seconds, .stepMilliseconds, .skippedSteps: nil
        }
    }
}

extension [MistakePicture] {
    /// The pictures, and a table of what they are of, the surest mistake first.
    var summaryValues: [TensorBoardSummary.Value] {
        var rows = ["| | class | taken for | probability | image |", "|---|---|---|---|---|"]
        var values: [TensorBoardSummary.Value] = []
        for (index, mistake) in enumerated() {
            let number = String(format: "%02d", index + 1)
            let cells = [
                number, mistake.label, mistake.predicted,
                String(format: "%.2f %%", 100 * mistake.probability),
                mistake.name,
            ]
            rows.append("| " + cells.map(\.tableCell).joined(separator: " | ") + " |")
            guard let picture = mistake.picture else { continue }
            values.append(
                .with {
                    $0.tag = "mistakes/\(number)"
                    $0.image.height = Int32(picture.height)
                    $0.image.width = Int32(picture.width)
                    $0.image.colorspace = Int32(picture.channels)
                    // TensorBoard shows the report's form, too, where no library makes the one that all know.
                    $0.image.encodedImageString = Data((try? picture.png()) ?? BitmapImage(picture).bytes)
                })
        }
        values.append(
            .with {
                $0.tag = "mistakes/table"
                $0.metadata.pluginData.pluginName = "text"
                $0.tensor.dtype = .dtString
                $0.tensor.tensorShape.dim = [.with { $0.size = 1 }]
                $0.tensor.stringVal = [Data(rows.joined(separator: "\n").utf8)]
            })
        return values
    }
}

extension String {
    /// In a table of Markdown.
    fileprivate var tableCell: String { controlsEscaped.replacing("|", with: "\\|") }
}

extension TensorBoardHistogramProto {
    /// Those of the values that are finite, in buckets of one width from the least to the greatest.
    init(_ values: ArraySlice<Float>, bucketCount: Int = 64) {
        self.init()
        var (least, greatest) = (Float.infinity, -Float.infinity)
        for value in values where value.isFinite {
            (least, greatest) = (Swift.min(least, value), Swift.max(greatest, value))
        }
        guard least <= greatest else { return }
        (min, max) = (Double(least), Double(greatest))
        // Of equal values there is one bucket.
        let count = least < greatest ? bucketCount : 1
        let width = (max - min) / Double(count)
        var counts = [Int](repeating: 0, count: count)
        for value in values where value.isFinite {
            let value = Double(value)
            sum += value
            sumSquares += value * value
            counts[width > 0 ? Swift.min(Int((value - min) / width), count - 1) : 0] += 1
        }
        bucket = counts.map(Double.init)
        num = bucket.reduce(0, +)
        bucketLimit = (1..<count).map { min + Double($0) * width } + [max]
    }
}
