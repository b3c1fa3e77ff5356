import ResinTensor
import Synchronization

extension Dataset {
    /// The photographs of a listing: an index of them, of which each is decoded when it is asked for.
    ///
    /// A part's images come in turns, the first of every class, then the second of every class, …, sorted by name within
    /// a class, so that the first few of a part are of all classes. If all images are grey the set has one channel,
    /// otherwise three.
    ///
    /// `ImageSource.read` brings an image to the network's size, as `RasterImage.resized` does it, without regard to its
    /// proportions: its pixels follow from it and the network's size alone. Without a network, images that all have one
    /// size keep it, and others come to the median height and width of the training images.
    ///
    /// - Throws: `ResinError`: `.badContent` where images cannot be read: all of them are listed. `.outOfMemory` where the
    ///   machine has no memory for what decoding them takes, before any of them is decoded.
    static func photographs(_ listing: ImageListing, _ reading: Reading) throws -> Dataset {
        var notes = listing.notes
        var parts = Parts(
            train: PhotographIndex(root: listing.root, shards: listing.shards, classes: listing.train),
            test: PhotographIndex(root: listing.root, shards: listing.shards, classes: listing.test),
            validation: listing.validation.map {
                PhotographIndex(root: listing.root, shards: listing.shards, classes: $0)
            })
        var skipped = try parts.readHeaders(reading, of: listing.name)
        let format = parts.commonFormat(side: reading.side)
        func source(_ index: PhotographIndex, _ limit: Int?) throws -> PhotographFolder {
            PhotographFolder(
                index, number: try Reading.count(of: index.count, limit: limit), size: format.size,
                channels: format.channels, side: reading.side)
        }
        var train = try source(parts.train, reading.limit)
        var test = try source(parts.test, reading.limitTest)
        var validation = try parts.validation.flatMap { $0.count > 0 ? try source($0, nil) : nil }
        let all = [train, test] + [validation].compactMap { $0 }
        var outline = DatasetOutline(
            name: listing.name, classNames: listing.classNames, train: train.shape, test: test.shape,
            byteCount: all.reduce(0) { max($0, $1.byteCount) })
        outline.arePhotographs = true
        try reading.begin(outline)

        let survey: PhotographSurvey
        if all.reduce(0, { $0 + $1.decodedByteCount }) <= PhotographSurvey.wholeByteCount {
            let meter = LoadingMeter(.decoding, of: all.reduce(0) { $0 + $1.count })
            let surveys = try all.map { try PhotographSurvey($0, Array(0..<$0.count), meter) }
            try surveys.settle(reading, of: listing.name, all)
            skipped += surveys.flatMap(\.unreadable)
            survey = surveys[0]
            train = train.removing(surveys[0].unreadable.map(\.index))
            test = test.removing(surveys[1].unreadable.map(\.index))
            validation = validation?.removing(surveys[2].unreadable.map(\.index))
            let flaws = surveys.flatMap(\.flaws)
            if let first = flaws.first {
                notes.append(
                    "\(listing.name): \(flaws.count) damaged image\(flaws.count == 1 ? "" : "s") could be read, such "
                        + "as \(first)")
            }
        } else {
            let images = PhotographSurvey.sample(of: train.count)
            let meter = LoadingMeter(.decoding, of: images.count)
            let sample = [try PhotographSurvey(train, images, meter)]
            try sample.settle(reading, of: listing.name, [train])
            skipped += sample[0].unreadable
            survey = sample[0]
            train = train.removing(survey.unreadable.map(\.index))
            notes.append(
                "\(listing.name): mean and deviation are those of \(survey.imageCount.grouped) of "
                    + "\(train.count.grouped) training images")
        }
        if let first = skipped.first {
            notes.append(
                "\(listing.name): skipped \(skipped.count.grouped) image\(skipped.count == 1 ? "" : "s") that cannot "
                    + "be read, such as \(first.reason)")
        }
        for (part, count) in [("train", train.count), ("test", test.count)] where count == 0 {
            throw ResinError(.badContent, "\(listing.name): none of the images to \(part) with can be read.")
        }
        let (mean, standardDeviation) = survey.histogram.statistics(decimals: 4)
        try checkContrast(standardDeviation, of: listing.name)
        var dataset = try Dataset(
            name: listing.name, classNames: listing.classNames, train: train, test: test, mean: mean,
            standardDeviation: standardDeviation, notes: notes)
        dataset.validation = validation.flatMap { $0.count > 0 ? $0 : nil }
        dataset.labelSets = listing.labelSets
        dataset.skipped = skipped
        dataset.isDivided = listing.isDivided
        return dataset
    }

    private struct Parts {
        var train, test: PhotographIndex
        var validation: PhotographIndex?

        /// - Returns: what is skipped.
        mutating func readHeaders(_ reading: Reading, of name: String) throws -> [UnreadableImage] {
            let unreadable = (
                train: try train.readHeaders(honoursOrientation: reading.honoursOrientation),
                test: try test.readHeaders(honoursOrientation: reading.honoursOrientation),
                validation: try validation?.readHeaders(honoursOrientation: reading.honoursOrientation) ?? []
            )
            let all = unreadable.train + unreadable.test + unreadable.validation
            if all.isEmpty { return [] }
            let count = train.count + test.count + (validation?.count ?? 0)
            guard reading.onBadImage == .skip else { throw all.error(of: name, imageCount: count) }
            train = train.removing(unreadable.train.map(\.index))
            test = test.removing(unreadable.test.map(\.index))
            validation = validation?.removing(unreadable.validation.map(\.index))
            for (part, index) in [("train", train), ("test", test)] where index.count == 0 {
                throw ResinError(
                    .badContent, "\(name): none of the images to \(part) with can be read.",
                    lines: "\n" + all.prefix(20).map { "  " + $0.reason }.joined(separator: "\n"))
            }
            return all
        }

        func commonFormat(side: Int?) -> (size: PixelSize, channels: Int) {
            let indices = [train, test] + [validation].compactMap { $0 }
            var isGrey = true
            var isOneSize = true
            let first = train.header(0).size(reduction: 1)
            for index in indices {
                for image in 0..<index.count where isGrey || isOneSize {
                    let header = index.header(image)
                    isGrey = isGrey && header.channels == 1
                    isOneSize = isOneSize && header.size(reduction: 1) == first
                }
            }
            let channels = isGrey ? 1 : 3
            if let side { return (PixelSize(height: side, width: side), channels) }
            if isOneSize { return (first, channels) }
            func median(_ extent: KeyPath<PixelSize, Int>) -> Int {
                (0..<train.count).map { train.header($0).size(reduction: 1)[keyPath: extent] }.sorted()[
                    train.count / 2]
            }
            return (PixelSize(height: median(\.height), width: median(\.width)), channels)
        }
    }
}

/// What decoding images tells of them.
struct PhotographSurvey: Sendable {
    private(set) var histogram: PixelHistogram
    private(set) var imageCount = 0
    /// In the images' order.
    private(set) var unreadable: [UnreadableImage] = []
    /// Of those that could be read nevertheless: a path and what is wrong.
    private(set) var flaws: [String] = []

    /// A set of no more bytes is decoded whole before it is used.
    static let wholeByteCount = 1 << 30

    /// Images of a larger set, at even distances.
    static func sample(of count: Int) -> [Int] {
        let number = min(count, 2048)
        return (0..<number).map { $0 * count / number }
    }

    init(_ source: PhotographFolder, _ images: [Int], _ meter: LoadingMeter) throws {
        let size = source.height * source.width * source.channels
        let batch = 16
        struct Found {
            var histogram: PixelHistogram
            var imageCount = 0
            var unreadable: [UnreadableImage] = []
            var flaws: [(image: Int, text: String)] = []
        }
        let total = Mutex(Found(histogram: PixelHistogram(channels: source.channels)))
        try concurrently((images.count + batch - 1) / batch) { part in
            defer { meter.add(min(batch, images.count - part * batch)) }
            var found = Found(histogram: PixelHistogram(channels: source.channels))
            try Scratch.whole.with(size) { bytes in
                for image in images[part * batch..<min((part + 1) * batch, images.count)] {
                    do {
                        if let flaw = try source.readReportingFlaw(image, into: bytes) {
                            found.flaws.append((image, "\(source.path(of: image)) (\(flaw))"))
                        }
                        found.histogram.add(UnsafeBufferPointer(bytes))
                        found.imageCount += 1
                    } catch let error as ResinError where error.kind != .failure {
                        found.unreadable.append(source.unreadable(image, error))
                    }
                }
            }
            total.withLock {
                $0.histogram.add(found.histogram)
                $0.imageCount += found.imageCount
                $0.unreadable += found.unreadable
                $0.flaws += found.flaws
            }
        }
        let found = total.withLock { $0 }
        histogram = found.histogram
        imageCount = found.imageCount
        unreadable = found.unreadable.sorted { $0.index < $1.index }
        flaws = found.flaws.sorted { $0.image < $1.image }.map(\.text)
    }
}

extension [PhotographSurvey] {
    /// - Throws: where images cannot be read and none may be skipped.
    fileprivate func settle(_ reading: Reading, of name: String, _ sources: [PhotographFolder]) throws {
        let unreadable = flatMap(\.unreadable)
        guard reading.onBadImage == .skip || unreadable.isEmpty else {
            throw unreadable.error(of: name, imageCount: sources.reduce(0) { $0 + $1.count })
        }
    }
}
