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
    /// Images of a file, at most: each of the published has as many.
    private static let largestRecordCount = 10_000

    /// The folder of the files: the set's name, what the archive unpacks to, or that within the former.
    static func folder(in directory: String) -> String {
        let places = ["cifar10", folderName, "cifar10/" + folderName].map { directory + "/" + $0 }
        return places.first { FileManager.default.fileExists(atPath: $0 + "/" + testNames[0]) } ?? places[0]
    }

    static func read(
        _ files: PublishedDataset.Format.Files, of name: String, _ reading: Reading
    ) throws -> PublishedDataset.Format.Content {
        let fileCount = files.train.count + files.test.count
        try HostMemory.check(
            fileCount * largestRecordCount * recordByteCount, for: "\(name): reading \(fileCount) files")
        let train = try records(of: files.train, limit: reading.limit)
        let test = try records(of: files.test, limit: reading.limitTest)
        let size = reading.size(height: side, width: side)
        func shape(_ records: [UInt8]) -> Shape {
            Shape(
                images: records.count / recordByteCount, height: size.height, width: size.width, channels: 3)
        }
        let (trainShape, testShape) = (shape(train), shape(test))
        try reading.begin(
            DatasetOutline(
                name: name, classNames: classNames, train: trainShape, test: testShape,
                byteCount: trainShape.count + testShape.count + train.count + test.count))
        func images(_ records: [UInt8], _ paths: [String]) throws -> any ImageSource {
            try ImageSet(
                pixels: pixels(of: records),
                labels: stride(from: 0, to: records.count, by: recordByteCount).map { Int32(records[$0]) },
                height: side, width: side, channels: 3, classCount: classNames.count,
                source: paths.joined(separator: ", ")
            ).resized(toHeight: size.height, width: size.width, classCount: classNames.count)
        }
        return PublishedDataset.Format.Content(
            classes: PublishedDataset.Format.Classes(names: classNames),
            train: try images(train, files.train), test: try images(test, files.test))
    }

    /// Planes brought to pixels: NCHW to NHWC.
    private static func pixels(of records: [UInt8]) throws -> [UInt8] {
        try ImageSet.pixels(count: records.count / recordByteCount, size: 3 * planeByteCount) {
            index, bytes in
            let first = index * recordByteCount + 1
            for place in bytes.indices {
                bytes.initializeElement(
                    at: place, to: records[first + place % 3 * planeByteCount + place / 3])
            }
        }
    }

    /// The records of files that follow each other, or the first of them.
    private static func records(of paths: [String], limit: Int?) throws -> [UInt8] {
        var all: [UInt8] = []
        var left = max(limit ?? .max, 1)
        for path in paths where left > 0 {
            let records = try records(in: path, limit: left)
            left -= records.count / recordByteCount
            for start in stride(from: 0, to: records.count, by: recordByteCount)
            where Int(records[start]) >= classNames.count {
                throw ResinError(
                    .badContent,
                    "\(path): label of image \(start / recordByteCount) is \(records[start]); with "
                        + "\(classNames.count) classes labels are 0 to \(classNames.count - 1). Fetch or "
                        + "copy the file again.")
            }
            all += records
        }
        _ = try Reading.count(of: all.count / recordByteCount, limit: limit)
        return all
    }

    private static func records(in path: String, limit: Int) throws -> [UInt8] {
        let file = try GzipFile(path: path)
        let count = min(limit, largestRecordCount)
        let bytes = try file.read(atMost: count * recordByteCount)
        guard !bytes.isEmpty, bytes.count.isMultiple(of: recordByteCount) else {
            throw ResinError(
                .badContent,
                "\(path): size: expected a multiple of \(recordByteCount) bytes, a label and 32×32×3 pixels an "
                    + "image (30730000 for the published 10,000 images), found \(bytes.count); the file is cut "
                    + "short or is no CIFAR-10 batch, fetch or copy it again.")
        }
        // Fewer images than the limit end where the file does.
        guard try bytes.count / recordByteCount == limit || file.isAtEnd() else {
            throw ResinError(
                .badContent,
                "\(path): size: expected at most \(largestRecordCount.grouped) images of \(recordByteCount) bytes, "
                    + "but there is more; it is no CIFAR-10 batch, fetch or copy it again.")
        }
        return bytes
    }
}
