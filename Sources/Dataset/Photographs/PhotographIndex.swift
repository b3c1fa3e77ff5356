import Foundation
import ResinTensor
import Synchronization

/// What is kept of each image of a part of a set: its name, and what its header says. A million images take some sixty
/// megabytes; nothing of them is an object of its own.
struct PhotographIndex: Sendable {
    struct Record: BitwiseCopyable, Sendable {
        /// As stored.
        var height: Int32 = 0
        var width: Int32 = 0
        var byteCount = 0
        var label: Int32
        var format: UInt8 = 0
        var colours: UInt8 = 0
        var orientation: UInt8 = 1
        var isInterleaved = false
    }

    /// The folder that names are relative to.
    let root: String
    /// Archives, by names relative to the folder.
    let shards: [String]
    private(set) var names = NameList()
    private(set) var places: [ShardPlace] = []
    private(set) var records: [Record] = []

    var count: Int { records.count }

    /// In turns: the first of every class, then the second of every class, and so on, so that the first few are of all
    /// classes.
    init(root: String, shards: [String], classes: [ImageNames]) {
        (self.root, self.shards) = (root, shards)
        let count = classes.reduce(0) { $0 + $1.count }
        names.reserve(names: count, bytes: classes.reduce(0) { $0 + $1.names.byteCount })
        records.reserveCapacity(count)
        if classes.contains(where: { !$0.places.isEmpty }) { places.reserveCapacity(count) }
        for turn in 0..<(classes.map(\.count).max() ?? 0) {
            for (label, images) in classes.enumerated() where turn < images.count {
                names.append(images.names[turn])
                if !images.places.isEmpty { places.append(images.places[turn]) }
                records.append(Record(label: Int32(label)))
            }
        }
    }

    /// Without some, which are given in their order.
    func removing(_ indices: [Int]) -> PhotographIndex {
        if indices.isEmpty { return self }
        var rest = PhotographIndex(root: root, shards: shards, classes: [])
        rest.names.reserve(names: count, bytes: names.byteCount)
        var next = indices[...]
        for index in 0..<count {
            if next.first == index {
                next.removeFirst()
                continue
            }
            rest.names.append(names[index])
            rest.records.append(records[index])
            if !places.isEmpty { rest.places.append(places[index]) }
        }
        return rest
    }

    /// Relative to the folder; of a member of an archive that is the archive's, then its own.
    func name(_ image: Int) -> String {
        places.isEmpty ? names.text(image) : shards[Int(places[image].shard)] + "/" + names.text(image)
    }

    func path(_ image: Int) -> String { root + "/" + name(image) }

    func header(_ image: Int) -> ImageHeader {
        let record = records[image]
        return ImageHeader(
            format: .init(rawValue: record.format)!,
            storedSize: PixelSize(height: Int(record.height), width: Int(record.width)),
            colours: .init(rawValue: record.colours)!, orientation: record.orientation,
            isInterleaved: record.isInterleaved, byteCount: record.byteCount)
    }

    func bytes(of image: Int) throws -> ImageBytes {
        if places.isEmpty {
            let name = names[image]
            let length = root.utf8.count + 1 + name.count
            return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { location in
                var place = 0
                func add(_ byte: UInt8) {
                    location[place] = CChar(bitPattern: byte)
                    place += 1
                }
                root.utf8.forEach(add)
                add(UInt8(ascii: "/"))
                name.forEach(add)
                add(0)
                return ImageBytes(try ReadableFile(path(image), at: location.baseAddress!))
            }
        }
        let place = places[image]
        return ImageBytes(
            try ReadableFile(root + "/" + shards[Int(place.shard)]), name: path(image), at: place.offset,
            byteCount: place.byteCount)
    }

    /// Reads all headers.
    ///
    /// - Returns: the images whose header cannot be read, in their order.
    mutating func readHeaders(honoursOrientation: Bool) throws -> [UnreadableImage] {
        let failures = Mutex<[UnreadableImage]>([])
        let batch = 64
        let meter = LoadingMeter(.headers, of: count)
        var records = records
        try records.withUnsafeMutableBufferPointer { records in
            nonisolated(unsafe) let records = records
            try concurrently((records.count + batch - 1) / batch) { part in
                defer { meter.add(min(batch, records.count - part * batch)) }
                for image in part * batch..<min((part + 1) * batch, records.count) {
                    do {
                        let header = try ImageHeader(bytes(of: image))
                        records[image].height = Int32(header.storedSize.height)
                        records[image].width = Int32(header.storedSize.width)
                        records[image].byteCount = header.byteCount
                        records[image].format = header.format.rawValue
                        records[image].colours = header.colours.rawValue
                        records[image].orientation = honoursOrientation ? header.orientation : 1
                        records[image].isInterleaved = header.isInterleaved
                    } catch let error as ResinError where error.kind != .failure {
                        failures.withLock {
                            $0.append(UnreadableImage(index: image, name: name(image), error: error))
                        }
                    }
                }
            }
        }
        self.records = records
        return failures.withLock { $0.sorted { $0.index < $1.index } }
    }
}

/// An image of a set that cannot be read.
public struct UnreadableImage: Sendable, Equatable {
    /// In its part of the set.
    package let index: Int
    /// Relative to the set's folder.
    public let name: String
    package let error: ResinError

    package init(index: Int, name: String, error: ResinError) {
        (self.index, self.name, self.error) = (index, name, error)
    }

    /// Names the file and says what is wrong.
    public var reason: String { error.message }
}

extension [UnreadableImage] {
    /// Lines of a list, at most.
    private static var longestList: Int { 1000 }

    /// One error for all of them.
    func error(of set: String, imageCount: Int) -> ResinError {
        if count == 1 { return self[0].error }
        let more = count > Self.longestList ? ["and \((count - Self.longestList).grouped) more"] : []
        return ResinError(
            .badContent,
            "\(set): \(count.grouped) of \(imageCount.grouped) images cannot be read; mend them, take them away, or "
                + "leave them out with --on-bad-image skip:",
            lines: "\n" + (prefix(Self.longestList).map { "  " + $0.reason } + more).joined(separator: "\n"))
    }
}
