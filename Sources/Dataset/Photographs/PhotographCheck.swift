import CZlib
import Foundation
import ResinTensor
import Synchronization

/// What there is to say of the images of a folder, a table or archives before a network is trained on them.
public struct PhotographCheck: Sendable {
    public struct Part: Sendable {
        public let name: String
        /// Of every class that any part has, in the order of their names.
        public let counts: [Int]
        /// An image may be of several classes, or of none.
        public let imageCount: Int
    }

    public struct Duplicates: Sendable {
        /// Relative to the set's folder.
        public let names: [String]
        /// Whether the images are in several parts, or of several classes.
        public let crossesParts, crossesClasses: Bool
    }

    public private(set) var classNames: [String] = []
    public private(set) var parts: [Part] = []
    /// Images by format and by kind of colours.
    public private(set) var formats: [String: Int] = [:]
    public private(set) var colours: [String: Int] = [:]
    /// Images by EXIF's number.
    public private(set) var orientations: [Int: Int] = [:]
    /// Upright, in the order of their areas: the least, the median and the largest.
    public private(set) var sizes: [PixelSize] = []
    /// Files that are equal to the byte.
    public private(set) var duplicates: [Duplicates] = []
    public private(set) var unreadable: [UnreadableImage] = []
    /// Images that can be read, though they are damaged: what decoding says of them.
    public private(set) var flaws: [String] = []
    public private(set) var leftOut: LeftOutCounts = []
    public private(set) var notes: [String] = []

    public typealias LeftOutCounts = [(kind: String, count: Int, example: String)]

    public var imageCount: Int { parts.reduce(0) { $0 + $1.imageCount } }

    /// - Parameter decodes: whether all images are decoded, and not only their headers read.
    /// - Throws: `ResinError`: `.missingFile` where there is nothing, `.usage` where it holds no images in a form that is
    ///   known, `.badContent` where a table or an archive is not right.
    public init(of path: String, decodes: Bool = false) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ResinError(.missingFile, "\(path): there is no such folder or file; check the path.")
        }
        var (root, found) = (path, ImageListing.Found?.none)
        if let images = try Dataset.foundImages(path, isFolder: isFolder.boolValue) {
            (root, found) = (images.root, images.found)
        } else if isFolder.boolValue {
            let images = try Dataset.foundUndividedImages(path)
            (root, found) = (images?.root ?? path, images?.found)
        }
        guard let found else {
            throw ResinError(
                .usage,
                "\(path): holds no images in folders of classes, tables or archives; published sets are checked by "
                    + "'resin datasets verify NAME'.")
        }
        try self.init(found, root: root, decodes: decodes)
    }

    private init(_ found: ImageListing.Found, root: String, decodes: Bool) throws {
        notes = found.notes
        leftOut = found.leftOut.counts
        let ordered = found.orderedClasses()
        let sets = found.orderedSets(of: ordered)
        let others = sets == nil ? Set(found.parts.values.flatMap(\.keys)).subtracting(ordered) : []
        classNames = ordered + others.sorted()
        let labels = sets?.names ?? classNames
        var indices: [PhotographIndex] = []
        for part in ImageListing.Part.allCases {
            guard let classes = found.parts[part] else { continue }
            let lists = labels.map { classes[$0] ?? ImageNames() }
            indices.append(PhotographIndex(root: root, shards: found.shards, classes: lists))
            let counts = lists.map(\.count)
            parts.append(
                Part(
                    name: part.name,
                    counts: sets?.sets.imagesOfClasses(counts, classCount: classNames.count) ?? counts,
                    imageCount: counts.reduce(0, +)))
        }
        var readable: [PhotographIndex] = []
        for index in indices {
            var index = index
            let bad = try index.readHeaders(honoursOrientation: true)
            unreadable += bad
            readable.append(index.removing(bad.map(\.index)))
        }
        if decodes {
            let meter = LoadingMeter(.decoding, of: readable.reduce(0) { $0 + $1.count })
            for index in readable { try decode(index, meter) }
        }
        describe(readable)
        try findDuplicates(readable)
    }

    private mutating func describe(_ indices: [PhotographIndex]) {
        var all: [PixelSize] = []
        for index in indices {
            for image in 0..<index.count {
                let header = index.header(image)
                all.append(header.size(reduction: 1))
                formats[header.format.name, default: 0] += 1
                colours[header.colours.name, default: 0] += 1
                orientations[Int(header.orientation), default: 0] += 1
            }
        }
        all.sort { ($0.area, $0.height) < ($1.area, $1.height) }
        if let least = all.first, let largest = all.last { sizes = [least, all[all.count / 2], largest] }
    }

    private mutating func decode(_ index: PhotographIndex, _ meter: LoadingMeter) throws {
        let source = PhotographFolder(
            index, number: index.count, size: PixelSize(height: 1, width: 1), channels: 3, side: nil)
        let found = Mutex((unreadable: [UnreadableImage](), flaws: [(image: Int, text: String)]()))
        try concurrently(index.count) { image in
            defer { meter.add(1) }
            let box = PixelBox(source.size(of: image))
            do {
                let flaw = try Scratch.whole.with(box.size.area * 3) { bytes in
                    try source.readReportingFlaw(image, box, into: bytes)
                }
                if let flaw { found.withLock { $0.flaws.append((image, "\(index.path(image)) (\(flaw))")) } }
            } catch let error as ResinError {
                found.withLock { $0.unreadable.append(source.unreadable(image, error)) }
            }
        }
        let (bad, flawed) = found.withLock { ($0.unreadable, $0.flaws) }
        unreadable += bad.sorted { $0.index < $1.index }
        flaws += flawed.sorted { $0.image < $1.image }.map(\.text)
    }

    /// An image of one of the parts.
    private struct Place: Hashable {
        let part, image: Int
    }

    /// By size; of those that are equal in it, by a sum of their first and last bytes; of those, by a sum of all.
    private mutating func findDuplicates(_ indices: [PhotographIndex]) throws {
        let places = indices.enumerated().flatMap { part, index in
            (0..<index.count).map { Place(part: part, image: $0) }
        }
        let bySize = Self.groups([places]) { Optional(indices[$0.part].records[$0.image].byteCount) }
        let byEnds = try Self.groups(bySize, indices, limit: 4096)
        let equal = try Self.groups(byEnds, indices, limit: .max)
        duplicates = equal.map { group in
            Duplicates(
                names: group.map { indices[$0.part].name($0.image) },
                crossesParts: Set(group.map(\.part)).count > 1,
                crossesClasses: Set(group.map { indices[$0.part].records[$0.image].label }).count > 1)
        }
    }

    /// Those of a group that have the same key, where there are several.
    private static func groups<Key: Hashable>(_ groups: [[Place]], by key: (Place) -> Key?) -> [[Place]] {
        groups.flatMap { group in
            var members: [Key: [Place]] = [:]
            for place in group {
                if let key = key(place) { members[key, default: []].append(place) }
            }
            return members.values.filter { $0.count > 1 }
        }
        .sorted { ($0[0].part, $0[0].image) < ($1[0].part, $1[0].image) }
    }

    private struct Sum: Hashable {
        var crc: UInt = 0
        /// Of another kind: two files that differ do not have both in common but by intent.
        var hash = 0
    }

    private static func groups(
        _ groups: [[Place]], _ indices: [PhotographIndex], limit: Int
    ) throws -> [[Place]] {
        let places = groups.flatMap { $0 }
        var sums = [Sum?](repeating: nil, count: places.count)
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            concurrently(places.count) { number in
                let place = places[number]
                // A file that has gone since is a duplicate of none.
                sums[number] = try? sum(of: indices[place.part].bytes(of: place.image), limit: limit)
            }
        }
        let all = Dictionary(uniqueKeysWithValues: zip(places, sums))
        return Self.groups(groups) { all[$0] ?? nil }
    }

    private static func sum(of image: consuming ImageBytes, limit: Int) throws -> Sum {
        var sum = Sum()
        var hasher = Hasher()
        let length = 1 << 16
        func take(_ start: Int, _ count: Int) throws {
            try Scratch.file.with(count) { bytes in
                try image.read(into: UnsafeMutableRawBufferPointer(bytes), at: start)
                sum.crc = crc32_z(sum.crc, bytes.baseAddress, bytes.count)
                hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
            }
        }
        if image.byteCount / 2 > limit {
            try take(0, limit)
            try take(image.byteCount - limit, limit)
        } else {
            for start in stride(from: 0, to: image.byteCount, by: length) {
                try take(start, min(length, image.byteCount - start))
            }
        }
        sum.hash = hasher.finalize()
        return sum
    }
}
