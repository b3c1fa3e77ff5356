import Foundation
import ResinTensor

/// CIFAR-10 in its "binary version": records of one label byte and 3,072 pixel bytes, the red plane, then the
/// green and the blue, each 32 rows of 32 pixels.
///
/// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and
/// https://www.cs.toronto.edu/~kriz/cifar.html.
enum CIFAR10 {
    static let classNames = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]
    static let trainNames = (1...5).map { "data_batch_\($0).bin" }
    static let testNames = ["test_batch.bin"]
    static let folderName = "cifar-10-batches-bin"

    static let side = 32
    private static let planeByteCount = side * side
    private static let recordByteCount = 1 + 3 * planeByteCount

    /// The folder of the files: the set's name, what the archive unpacks to, or that within the former.
    static func folder(in directory: String) -> String {
        let places = ["cifar10", folderName, "cifar10/" + folderName].map { directory + "/" + $0 }
        return places.first { FileManager.default.fileExists(atPath: $0 + "/" + testNames[0]) } ?? places[0]
    }

    /// The images of files that follow each other, planes brought to pixels: NCHW to NHWC.
    static func images(from paths: [String]) throws -> ImageSet {
        var labels: [UInt8] = []
        var pixels: [UInt8] = []
        for path in paths {
            let records = try records(in: path)
            for start in stride(from: 0, to: records.count, by: recordByteCount) {
                let label = records[start]
                guard Int(label) < classNames.count else {
                    throw ResinError(
                        .badContent,
                        "\(path): label of image \(start / recordByteCount) is \(label); with "
                            + "\(classNames.count) classes labels are 0 to \(classNames.count - 1). Fetch or "
                            + "copy the file again.")
                }
                labels.append(label)
                for place in 0..<planeByteCount {
                    for channel in 0..<3 {
                        pixels.append(records[start + 1 + channel * planeByteCount + place])
                    }
                }
            }
        }
        return try ImageSet(
            pixels: pixels, labels: labels, height: side, width: side, channels: 3,
            classCount: classNames.count, source: paths.joined(separator: ", "))
    }

    private static func records(in path: String) throws -> [UInt8] {
        let bytes = try GzipFile(path: path).readAll()
        guard !bytes.isEmpty, bytes.count.isMultiple(of: recordByteCount) else {
            throw ResinError(
                .badContent,
                "\(path): size: expected a multiple of \(recordByteCount) bytes, a label and 32×32×3 pixels an "
                    + "image (30730000 for the published 10,000 images), found \(bytes.count); the file is cut "
                    + "short or is no CIFAR-10 batch, fetch or copy it again.")
        }
        return bytes
    }
}
