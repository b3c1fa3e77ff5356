import Foundation
import ResinTensor
import Synchronization

extension Dataset {
    /// The PNG and JPEG images of a folder, `train/CLASS/…` and `test/CLASS/…`.
    ///
    /// The classes are the folders in `train`, sorted by name. A set's images come in turns, the first of
    /// every class, then the second of every class, …, sorted by name within a class, so that the first few
    /// of a set are of all classes. If all images are grey the set has one channel, otherwise three.
    ///
    /// Every image is brought to the network's size, as `RasterImage.resized` does it, without regard to its
    /// proportions: its pixels follow from it and the network's size alone. Without a network, images that
    /// all have one size keep it, and others come to the median height and width of the training images.
    ///
    /// - Parameters: as of `folder`.
    static func imageFolder(
        _ path: String, split: Double?, seed: UInt64, _ reading: Reading
    ) throws -> Dataset {
        let listing = try ImageFolder(path, split: split, seed: seed)
        let all = listing.train + listing.test
        var headers = [ImageFile.Header?](repeating: nil, count: all.count)
        try headers.withUnsafeMutableBufferPointer { headers in
            nonisolated(unsafe) let headers = headers
            try concurrently(all.count) { index in
                headers[index] = try ImageFile(all[index].path).header
            }
        }
        let train = listing.train.prefix(try Reading.count(of: listing.train.count, limit: reading.limit))
        let test = listing.test.prefix(try Reading.count(of: listing.test.count, limit: reading.limitTest))
        let trainHeaders = headers[..<listing.train.count].map { $0! }
        let testHeaders = headers[listing.train.count...].map { $0! }
        let (height, width, channels) = commonFormat(of: trainHeaders, testHeaders, side: reading.side)
        func shape(_ count: Int) -> Shape {
            Shape(images: count, height: height, width: width, channels: channels)
        }
        let outline = DatasetOutline(
            name: path, classNames: listing.classNames, train: shape(train.count), test: shape(test.count),
            byteCount: shape(train.count).count + shape(test.count).count
                + DecodingMemory.byteCount(
                    for: trainHeaders.prefix(train.count) + testHeaders.prefix(test.count)))
        try reading.begin(outline)
        let memory = DecodingMemory()
        var flaws: [String] = []
        func set(_ images: ArraySlice<ImageFolder.Labelled>) throws -> ImageSet {
            let found = Mutex<[Int: String]>([:])
            let pixels = try ImageSet.pixels(count: images.count, size: height * width * channels) {
                index, bytes in
                let file = try ImageFile(images[index].path)
                try memory.with(file.header.workingByteCount) {
                    let decoded = try file.decoded()
                    if let flaw = decoded.flaw {
                        found.withLock { $0[index] = "\(images[index].path) (\(flaw))" }
                    }
                    let fitted = decoded.image.fitted(channels: channels, height: height, width: width)
                    _ = bytes.initialize(from: fitted.pixels)
                }
            }
            flaws += found.withLock { found in found.keys.sorted().map { found[$0]! } }
            return try ImageSet(
                pixels: pixels, labels: images.map(\.label), height: height, width: width,
                channels: channels, classCount: listing.classNames.count, source: path)
        }
        let (trainSet, testSet) = (try set(train), try set(test))
        var notes = listing.notes
        if let first = flaws.first {
            notes.append(
                "\(path): \(flaws.count) damaged image\(flaws.count == 1 ? "" : "s") could be read, such as \(first)"
            )
        }
        return try measured(
            name: path, classNames: listing.classNames, train: trainSet, test: testSet, notes: notes)
    }

    private static func commonFormat(
        of train: [ImageFile.Header], _ test: [ImageFile.Header], side: Int?
    ) -> (height: Int, width: Int, channels: Int) {
        let all = train + test
        let channels = all.allSatisfy { $0.channels == 1 } ? 1 : 3
        if let side { return (side, side, channels) }
        let (height, width) = (all[0].height, all[0].width)
        if all.allSatisfy({ $0.height == height && $0.width == width }) { return (height, width, channels) }
        func median(_ extents: [Int]) -> Int { extents.sorted()[extents.count / 2] }
        return (median(train.map(\.height)), median(train.map(\.width)), channels)
    }
}

/// Lets images be decoded at once while what they take together stays within a limit, so that memory does not
/// grow with the number of processors.
private final class DecodingMemory: Sendable {
    private static let limit = 1 << 29
    private let taken = NSCondition()
    private nonisolated(unsafe) var byteCount = 0

    /// What decoding such images takes, at most.
    static func byteCount(for headers: some Sequence<ImageFile.Header>) -> Int {
        var (sum, largest) = (0, 0)
        for header in headers {
            sum += header.workingByteCount
            largest = max(largest, header.workingByteCount)
        }
        return min(sum, max(largest, limit))
    }

    /// Runs `body`, which takes so many bytes: alone, where they are more than the limit.
    func with<Result>(_ need: Int, _ body: () throws -> Result) rethrows -> Result {
        taken.lock()
        while byteCount > 0 && byteCount + need > Self.limit { taken.wait() }
        byteCount += need
        taken.unlock()
        defer {
            taken.lock()
            byteCount -= need
            taken.broadcast()
            taken.unlock()
        }
        return try body()
    }
}

/// Which files of a folder that has a `train` are which set's, and of which class.
struct ImageFolder {
    struct Labelled: Equatable {
        let path: String
        let label: Int32
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
                place < files.count ? Labelled(path: files[place], label: Int32(label)) : nil
            }
        }
    }
}
