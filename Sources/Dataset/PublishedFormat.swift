import Foundation
import ResinTensor

/// The files that a published format consists of, in whatever folder they lie.
extension PublishedDataset.Format {
    /// Those of a folder.
    struct Files {
        /// Paths, in the order in which they are read.
        let train, test: [String]
        /// Names of those that are not there.
        let missing: [String]
    }

    static let idxNames = [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]

    func files(in folder: String) -> Files {
        let (train, test) =
            switch self {
            case .idx: (Array(Self.idxNames[..<2]), Array(Self.idxNames[2...]))
            case .cifar10: (CIFAR10.trainNames, CIFAR10.testNames)
            }
        func path(_ name: String) -> String? { Self.find(name, in: folder) }
        return Files(
            train: train.compactMap(path), test: test.compactMap(path),
            missing: (train + test).filter { path($0) == nil })
    }

    /// A file plain or gzip, under its present name or, for IDX files, its older, dotted one
    /// (`train-images.idx3-ubyte`).
    static func find(_ fileName: String, in folder: String) -> String? {
        let dotted = fileName.replacingOccurrences(of: "-idx", with: ".idx")
        return [fileName, fileName + ".gz", dotted, dotted + ".gz"]
            .map { folder + "/" + $0 }
            .first { FileManager.default.fileExists(atPath: $0) }
    }

    /// - Parameter paths: a set's, all of them, in the order of `Files`.
    func images(from paths: [String], classCount: Int) throws -> ImageSet {
        switch self {
        case .idx: try ImageSet(imagesPath: paths[0], labelsPath: paths[1], classCount: classCount)
        case .cifar10: try CIFAR10.images(from: paths)
        }
    }

    /// "train-images-idx3-ubyte, … (each may end in .gz)": for messages.
    func list(_ names: [String]) -> String {
        names.joined(separator: ", ") + (self == .idx ? " (each may end in .gz)" : "")
    }
}
