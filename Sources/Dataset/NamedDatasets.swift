import Foundation
import ResinTensor

extension Dataset {
    /// What `named` knows.
    public static let knownNames = ["glyphs"] + IDXDataset.all.map(\.name)

    /// A set by its name, or a folder of images by its path.
    ///
    /// - Parameters:
    ///   - directory: Where named sets lie; see `named`.
    ///   - side: Height and width that the network takes; for folders, see `folder`.
    ///   - split: For folders, see there.
    ///   - seed: What the images of `glyphs` and the split of a folder follow from.
    /// - Errors: those of `named` and `folder`.
    public static func load(
        _ source: String, directory: String? = nil, side: Int? = nil, split: Double? = nil, seed: UInt64
    ) throws -> Dataset {
        let isName = !source.contains("/") && !FileManager.default.fileExists(atPath: source)
        if knownNames.contains(source) || isName {
            guard split == nil else {
                throw ResinError(
                    .usage, "'\(source)' has test images of its own; --split is for folders of images.")
            }
            return try named(source, directory: directory, seed: seed)
        }
        return try folder(source, side: side, split: split, seed: seed)
    }

    /// What a configuration calls a source: a known name as it is, a folder by its absolute path.
    public static func identity(of source: String) -> String {
        if knownNames.contains(source) { return source }
        let isFile = source.contains("/") || FileManager.default.fileExists(atPath: source)
        return isFile ? URL(fileURLWithPath: source).standardizedFileURL.path : source
    }

    /// A set by its name: `glyphs` is made on the spot, the others are read from `directory`/`name`.
    ///
    /// - Parameters:
    ///   - directory: Where named sets lie, one folder each; by default `defaultDirectory()`.
    ///   - seed: What the images of `glyphs` follow from; sets read from files do not depend on it.
    /// - Errors: `.usage` for an unknown name, `.missingFile` where files of the set are not there,
    ///   `.badContent` where they are not what they should be.
    public static func named(_ name: String, directory: String? = nil, seed: UInt64) throws -> Dataset {
        if name == "glyphs" { return try glyphs(seed: seed) }
        guard let set = IDXDataset.all.first(where: { $0.name == name }) else {
            throw ResinError(
                .usage,
                "There is no data set '\(name)', and no folder of that name here; known are "
                    + "\(knownNames.joined(separator: ", ")).")
        }
        return try set.read(from: directory ?? defaultDirectory())
    }

    /// Where named sets lie unless a folder is given: `$RESIN_DATA`, else `resin/datasets` in the user's
    /// cache folder (`$XDG_CACHE_HOME`, else `~/.cache`).
    public static func defaultDirectory(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let directory = environment["RESIN_DATA"], !directory.isEmpty { return directory }
        // The XDG specification asks to ignore a path that is not absolute.
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            return cache + "/resin/datasets"
        }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/resin/datasets"
    }
}

/// A published set of four IDX files.
private struct IDXDataset: Sendable {
    let name: String
    let classNames: [String]
    /// Of the training images, on the 0 … 1 scale, as everyone uses them.
    let mean: Float
    let standardDeviation: Float
    /// Where its authors or keepers publish the four files.
    let address: String

    static let all = [
        IDXDataset(
            name: "mnist", classNames: (0..<10).map(String.init), mean: 0.1307, standardDeviation: 0.3081,
            address: "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        IDXDataset(
            name: "fashion-mnist",
            classNames: [
                "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot",
            ],
            mean: 0.2860, standardDeviation: 0.3530,
            address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    ]

    private static let fileNames = [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]

    func read(from directory: String) throws -> Dataset {
        let folder = directory + "/" + name
        let found = Self.fileNames.map { Self.find($0, in: folder) }
        let paths = found.compactMap { $0 }
        guard paths.count == found.count else {
            let missing = zip(Self.fileNames, found).filter { $0.1 == nil }.map { $0.0 }
            throw ResinError(
                .missingFile,
                "\(folder): missing \(missing.joined(separator: ", ")) (each may end in .gz). Put the "
                    + "files from \(address) there; if the folder "
                    + "'\(name)' lies elsewhere, name the folder that holds it with --data-dir or RESIN_DATA."
            )
        }
        return try Dataset(
            name: name, classNames: classNames,
            train: ImageSet(imagesPath: paths[0], labelsPath: paths[1], classCount: classNames.count),
            test: ImageSet(imagesPath: paths[2], labelsPath: paths[3], classCount: classNames.count),
            mean: [mean], standardDeviation: [standardDeviation])
    }

    /// The file under its present or its older, dotted name (`train-images.idx3-ubyte`), plain or gzip.
    private static func find(_ fileName: String, in folder: String) -> String? {
        let dotted = fileName.replacingOccurrences(of: "-idx", with: ".idx")
        return [fileName, fileName + ".gz", dotted, dotted + ".gz"]
            .map { folder + "/" + $0 }
            .first { FileManager.default.fileExists(atPath: $0) }
    }
}
