import Foundation
import ResinTensor

extension PublishedDataset.File {
    package enum Origin: Equatable, Sendable {
        /// Byte for byte.
        case published
        /// The published bytes in another gzip container, or in none.
        case publishedContent
        case other
    }

    /// Whether a file is the published one, by SHA-256.
    package func check(_ path: String) throws -> Origin {
        if try ReadableFile(path).byteCount == bytes.byteCount, try Checksum.ofFile(path) == bytes.sha256 {
            return .published
        }
        guard let content else { return .other }
        do {
            let sum = try Checksum.ofContent(path, limit: content.byteCount)
            return sum == content.sha256 ? .publishedContent : .other
        } catch let error as ResinError where error.kind == .badContent {
            // A gzip stream that is cut short or damaged.
            return .other
        }
    }
}

extension PublishedDataset {
    /// What was found out about a set's files.
    package struct Verification: Sendable {
        /// Each published file that is there, and how it was known.
        package var files: [(path: String, origin: File.Origin)]
        package var trainCount: Int
        package var testCount: Int
        /// What differs from the published set: numbers of images, classes' shares, mean, deviation.
        package var differences: [String]

        /// Whether all files have the published bytes.
        package var isPublished: Bool { !files.isEmpty && files.allSatisfy { $0.origin != .other } }
    }

    /// Reads the whole set and compares it with what is known of the published one: SHA-256 of the files, and
    /// number of images, images a class, mean and deviation of the pixels.
    ///
    /// - Throws: `ResinError(.missingFile)`, `.badContent` where the files cannot be read.
    package func verify(in directory: String) throws -> Verification {
        let set = try read(from: directory)
        var result = Verification(
            files: [], trainCount: set.train.count, testCount: set.test.count, differences: [])
        // The archive that files come from lies above them.
        let folders = [folder(in: directory), directory + "/" + name, directory]
        for file in files {
            let stem = file.name.hasSuffix(".gz") ? String(file.name.dropLast(3)) : file.name
            guard let path = folders.lazy.compactMap({ Format.find(stem, in: $0) }).first else { continue }
            result.files.append((path, try file.check(path)))
        }
        for (split, images, counts) in [("training", set.train, trainCounts), ("test", set.test, testCounts)]
        {
            let expected = counts.reduce(0, +)
            if images.count != expected {
                result.differences.append("\(images.count) \(split) images, published are \(expected)")
            }
            for (label, count) in counts.enumerated() {
                let found = images.labels.count { $0 == Int32(label) }
                if found != count {
                    result.differences.append(
                        "\(found) \(split) images of class '\(classNames[label])', published are \(count)")
                }
            }
        }
        let (found, deviation) = try set.train.pixelStatistics(decimals: 4)
        if found != mean {
            result.differences.append("mean \(found) of the training images, published is \(mean)")
        }
        if deviation != standardDeviation {
            result.differences.append(
                "standard deviation \(deviation) of the training images, published is \(standardDeviation)")
        }
        return result
    }
}
