import Foundation
import ResinTensor

extension Dataset {
    /// The PNG and JPEG images of a folder, `train/CLASS/…` and `test/CLASS/…`.
    ///
    /// The classes are the folders in `train`, sorted by name. A set's images come in turns, the first of
    /// every class, then the second of every class, …, sorted by name within a class, so that the first few
    /// of a set are of all classes. If all images are grey the set has one channel, otherwise three.
    ///
    /// Images that all have one size keep it and their bytes, unless that is more than twice the network's:
    /// the device interpolates between neighbours, which would skip pixels. All others are brought to the
    /// network's size or, where it is not given, to the median height and width of the training images, as
    /// `RasterImage.resized` does it, without regard to their proportions.
    ///
    /// - Parameters: as of `folder`.
    static func imageFolder(_ path: String, side: Int?, split: Double?, seed: UInt64) throws -> Dataset {
        let listing = try ImageFolder(path, split: split, seed: seed)
        let files = (listing.train + listing.test).map(\.path)
        var headers = [ImageFile.Header?](repeating: nil, count: files.count)
        try headers.withUnsafeMutableBufferPointer { headers in
            nonisolated(unsafe) let headers = headers
            try concurrently(files.count) { headers[$0] = try ImageFile(files[$0]).header() }
        }
        let format = commonFormat(of: headers.map { $0! }, trainCount: listing.train.count, side: side)
        func set(_ images: [ImageFolder.Labelled]) throws -> ImageSet {
            try ImageSet(
                pixels: try pixels(of: images.map(\.path), format), labels: images.map(\.label),
                height: format.height, width: format.width, channels: format.channels,
                classCount: listing.classNames.count, source: path)
        }
        return try measured(
            name: path, classNames: listing.classNames, train: set(listing.train), test: set(listing.test),
            notes: listing.notes)
    }

    private static func commonFormat(
        of headers: [ImageFile.Header], trainCount: Int, side: Int?
    ) -> ImageFile.Header {
        let channels = headers.allSatisfy { $0.channels == 1 } ? 1 : 3
        let (height, width) = (headers[0].height, headers[0].width)
        let haveOneSize = headers.allSatisfy { $0.height == height && $0.width == width }
        if haveOneSize && max(height, width) <= 2 * (side ?? .max / 2) {
            return ImageFile.Header(height: height, width: width, channels: channels)
        }
        if let side { return ImageFile.Header(height: side, width: side, channels: channels) }
        func median(_ extents: [Int]) -> Int { extents.sorted()[extents.count / 2] }
        let train = headers.prefix(trainCount)
        return ImageFile.Header(
            height: median(train.map(\.height)), width: median(train.map(\.width)), channels: channels)
    }

    /// `[count, height, width, channels]`, decoded on all processors.
    private static func pixels(of paths: [String], _ format: ImageFile.Header) throws -> [UInt8] {
        let size = format.height * format.width * format.channels
        return try [UInt8](unsafeUninitializedCapacity: paths.count * size) { buffer, count in
            nonisolated(unsafe) let buffer = UnsafeMutableBufferPointer(rebasing: buffer[...])
            try concurrently(paths.count) { index in
                let image = try RasterImage(contentsOf: paths[index])
                    .fitted(channels: format.channels, height: format.height, width: format.width)
                _ = buffer[index * size..<(index + 1) * size].initialize(from: image.pixels)
            }
            count = paths.count * size
        }
    }
}

/// Which files of a folder that has a `train` are which set's, and of which class.
struct ImageFolder {
    struct Labelled: Equatable {
        let path: String
        let label: UInt8
    }

    private(set) var classNames: [String] = []
    private(set) var train: [Labelled] = []
    private(set) var test: [Labelled] = []
    private(set) var notes: [String] = []
    private var skipped: [String] = []

    static let endings: Set = ["png", "jpg", "jpeg"]

    init(_ path: String, split: Double?, seed: UInt64) throws {
        classNames = try Self.folders(in: path + "/train")
        guard (1...256).contains(classNames.count) else {
            throw ResinError(
                .badContent,
                "\(path)/train: holds \(classNames.count) folders; 1 to 256 are expected, one a class.")
        }
        var trainClasses = try classNames.map { try files(in: path + "/train/" + $0) }
        var testClasses = [[String]](repeating: [], count: classNames.count)
        if Self.isFolder(path + "/test") {
            guard split == nil else {
                throw ResinError(
                    .usage, "\(path): has a folder 'test'; leave --split out, or move that folder away.")
            }
            let names = try Self.folders(in: path + "/test")
            let unknown = names.filter { !classNames.contains($0) }
            guard unknown.isEmpty else {
                throw ResinError(
                    .badContent,
                    "\(path)/test: has classes that train has not: \(unknown.joined(separator: ", ")); rename "
                        + "them, or take them away.")
            }
            guard !names.isEmpty else {
                throw ResinError(.badContent, "\(path)/test: holds no folders; one a class is expected.")
            }
            for name in names {
                testClasses[classNames.firstIndex(of: name)!] = try files(in: path + "/test/" + name)
            }
        } else {
            guard let split else {
                throw ResinError(
                    .usage,
                    "\(path): has no folder 'test'; say with --split how much of 'train' is for testing, such "
                        + "as --split 0.1.")
            }
            (trainClasses, testClasses) = try divide(trainClasses, split, seed: seed, path: path)
        }
        train = Self.inTurns(trainClasses)
        test = Self.inTurns(testClasses)
        if let first = skipped.first {
            notes.append(
                "\(path): left out \(skipped.count) file\(skipped.count == 1 ? "" : "s") or folders that do "
                    + "not end in .png, .jpg or .jpeg, such as \(first)")
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// Sorted by Unicode's numbers, which is the same everywhere, and without hidden ones.
    private static func names(in path: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }
                .sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
        } catch {
            throw ResinError(.missingFile, "\(path): the folder cannot be read; check the permissions.")
        }
    }

    private static func folders(in path: String) throws -> [String] {
        try names(in: path).filter { isFolder(path + "/" + $0) }
    }

    /// A class's images, of which there must be one at least.
    private mutating func files(in path: String) throws -> [String] {
        var images: [String] = []
        for name in try Self.names(in: path) {
            let file = path + "/" + name
            let ending = (name as NSString).pathExtension.lowercased()
            if Self.endings.contains(ending) && !Self.isFolder(file) {
                images.append(file)
            } else {
                skipped.append(file)
            }
        }
        guard !images.isEmpty else {
            throw ResinError(
                .badContent,
                "\(path): the class holds no images (.png, .jpg or .jpeg); add some, or take the folder away."
            )
        }
        return images
    }

    /// Cuts a share of every class off, at least one image, and leaves at least one.
    private func divide(
        _ classes: [[String]], _ share: Double, seed: UInt64, path: String
    ) throws -> ([[String]], [[String]]) {
        guard share > 0 && share < 1 else {
            throw ResinError(.usage, "--split is \(share); it must be above 0 and below 1, such as 0.1")
        }
        let random = Philox(seed: seed, stream: .split)
        var rest: [[String]] = []
        var cut: [[String]] = []
        for (label, files) in classes.enumerated() {
            guard files.count > 1 else {
                throw ResinError(
                    .badContent,
                    "\(path)/train/\(classNames[label]): holds 1 image; --split needs at least 2 of a class, "
                        + "one to train and one to test.")
            }
            let count = min(max(Int((share * Double(files.count)).rounded()), 1), files.count - 1)
            let chosen = Set(random.permutation(of: files.count, epoch: label).prefix(count).map(Int.init))
            cut.append(files.indices.filter { chosen.contains($0) }.map { files[$0] })
            rest.append(files.indices.filter { !chosen.contains($0) }.map { files[$0] })
        }
        return (rest, cut)
    }

    private static func inTurns(_ classes: [[String]]) -> [Labelled] {
        let longest = classes.map(\.count).max() ?? 0
        return (0..<longest).flatMap { place in
            classes.enumerated().compactMap { label, files in
                place < files.count ? Labelled(path: files[place], label: UInt8(label)) : nil
            }
        }
    }
}
