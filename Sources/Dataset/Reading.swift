import ResinTensor

/// What is known of a set before a pixel of it is read: from names and from files' headers.
public struct DatasetOutline: Sendable {
    public let name: String
    public let classNames: [String]
    /// Of training and test images, those within the limits: `[count, height, width, channels]`.
    public let train, test: Shape
    /// What the pixels take of the machine's memory, and reading them besides.
    public let byteCount: Int
    /// Of any size, decoded when they are needed; the shapes are what they come to.
    public var arePhotographs = false
}

/// What is done where images of a folder cannot be read.
public enum BadImagePolicy: String, Codable, Sendable, CaseIterable {
    /// All of them are listed, and nothing is read.
    case stop
    /// They are left out, and it is said.
    case skip
}

/// How much of a set is read, and for which network.
struct Reading {
    /// Height and width that the network takes.
    var side: Int?
    var limit: Int?
    var limitTest: Int?
    /// Whether images are turned as their EXIF data say.
    var honoursOrientation = true
    var onBadImage = BadImagePolicy.stop
    var willRead: (DatasetOutline) throws -> Void = { _ in }

    /// To be called before the first pixel is read.
    ///
    /// - Throws: `ResinError(.outOfMemory)` where the machine has no memory for the set; what the caller's
    ///   own plan throws.
    func begin(_ outline: DatasetOutline) throws {
        try HostMemory.check(
            outline.byteCount,
            for: "\(outline.name): reading \(outline.train.images.grouped) training and "
                + "\(outline.test.images.grouped) test images of \(outline.train.height)×\(outline.train.width)",
            advice: "use a smaller --limit, --limit-test or --resize, or raise the limit (ulimit -v)")
        try willRead(outline)
    }

    /// What images of one size come to: an axis longer than the network's would lose pixels in the device's
    /// interpolation between neighbours, so both are then reduced here; enlarging is the device's work.
    func size(height: Int, width: Int) -> (height: Int, width: Int) {
        guard let side, height > side || width > side else { return (height, width) }
        return (side, side)
    }

    /// - Throws: `ResinError(.usage)` where the limit is below 1 or more than there are.
    static func count(of count: Int, limit: Int?) throws -> Int {
        guard let limit else { return count }
        guard (1...count).contains(limit) else {
            throw ResinError(
                .usage,
                "The first \(limit) images were asked for, but the set holds \(count): give 1 to \(count).")
        }
        return limit
    }
}

extension Dataset {
    package var outline: DatasetOutline {
        DatasetOutline(
            name: name, classNames: classNames, train: train.shape, test: test.shape,
            byteCount: train.shape.count + test.shape.count)
    }

    /// What is read of a set that was made in memory. Mean and deviation stay those of the whole.
    func read(_ reading: Reading) throws -> Dataset {
        let size = reading.size(height: train.height, width: train.width)
        func part(_ set: any ImageSource, _ limit: Int?) throws -> any ImageSource {
            try set.prefix(limit ?? set.count).resized(
                toHeight: size.height, width: size.width, classCount: classNames.count)
        }
        var dataset = self
        dataset.train = try part(train, reading.limit)
        dataset.test = try part(test, reading.limitTest)
        return dataset
    }
}
