import Foundation
import ResinTensor

/// Images in tar archives. The class of one is what the member with its name and the ending `.cls` says (WebDataset), or the
/// folder that it is in.
struct ShardListing {
    private var images: [ImageListing.Part?: [String: ImageNames]] = [:]
    private var leftOut = LeftOut()
    private let path: String
    private let shard: Int32
    private let part: ImageListing.Part?

    private var imageCount: Int {
        images.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } }
    }

    /// The archives of a folder, or of its `train`, `val` and `test`, with the part that their names say.
    static func shards(in folder: String) throws -> [(name: String, part: ImageListing.Part?)] {
        func archives(_ path: String) throws -> [String] {
            try FolderEntries(path).entries.filter { !$0.isFolder && $0.text.lowercased().hasSuffix(".tar") }
                .map(\.text)
        }
        var shards = try archives(folder).map { ($0, part(ofShard: $0)) }
        for entry in try FolderEntries(folder).folders {
            guard let part = ImageListing.Part(entry.text) else { continue }
            shards += try archives(folder + "/" + entry.text).map { (entry.text + "/" + $0, part) }
        }
        return shards
    }

    /// "train-000.tar" and "imagenet-val-000.tar" say it.
    private static func part(ofShard name: String) -> ImageListing.Part? {
        name.split { !$0.isLetter }.lazy.compactMap { ImageListing.Part($0) }.first
    }

    static func read(
        _ root: String, _ shards: [(name: String, part: ImageListing.Part?)]
    ) throws -> ImageListing.Found {
        let meter = LoadingMeter(.listing)
        var listings = [ShardListing?](repeating: nil, count: shards.count)
        try listings.withUnsafeMutableBufferPointer { listings in
            nonisolated(unsafe) let listings = listings
            try concurrently(shards.count) { index in
                let listing = try ShardListing(root, shards[index].name, Int32(index), shards[index].part)
                listings[index] = listing
                meter.add(listing.imageCount)
            }
        }
        var found = ImageListing.Found(shards: shards.map(\.name), splitsByItself: true, ordersNumbers: true)
        var parts: [ImageListing.Part?: [String: ImageNames]] = [:]
        for listing in listings {
            found.leftOut.add(listing!.leftOut)
            for (part, classes) in listing!.images {
                parts[part, default: [:]].merge(classes) { one, other in
                    var both = one
                    for index in 0..<other.count { both.append(other, index) }
                    return both
                }
            }
        }
        if let unnamed = parts.removeValue(forKey: nil) {
            guard parts.isEmpty else {
                let name = shards.first { $0.part == nil }?.name ?? ""
                throw ResinError(
                    .badContent,
                    "\(root)/\(name): does not say whether it is to train or to test with, as others there do; call it "
                        + "such as train-\(name).")
            }
            parts[.train] = unnamed
        }
        for (part, classes) in parts {
            found.parts[part!] = classes.mapValues { $0.sorted() }
            let names = shards.filter { $0.part == part }.map(\.name)
            found.partNames[part!] = root + "/" + (names.first ?? shards[0].name)
        }
        found.settleParts(of: root)
        return found
    }

    private init(_ root: String, _ name: String, _ shard: Int32, _ part: ImageListing.Part?) throws {
        path = root + "/" + name
        self.shard = shard
        self.part = part
        var archive = try TarShard(path)
        /// Members with one name, up to its first dot, follow each other.
        var stem: ArraySlice<UInt8> = []
        var group: [TarShard.Member] = []
        var label: String?
        while let member = try archive.next() {
            let parts = member.name.split(separator: UInt8(ascii: "/"))
            guard let file = parts.last else { continue }
            if let kind = parts.lazy.compactMap({ LeftOut.kind(ofName: $0) }).first {
                leftOut.add(kind, path + "/" + member.text)
                continue
            }
            let start = member.name.count - file.count
            let dot =
                file.firstIndex(of: UInt8(ascii: ".")).map { start + $0 - file.startIndex }
                ?? member.name.count
            if !member.name[..<dot].elementsEqual(stem) {
                try add(group, label)
                (stem, group, label) = (member.name[..<dot], [], nil)
            }
            if FolderWalk.isImage(file) {
                group.append(member)
            } else if member.name[dot...].elementsEqual(".cls".utf8) {
                label = String(decoding: try archive.content(of: member, limit: 4096), as: UTF8.self)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            } else {
                leftOut.add(LeftOut.kind(ofFile: file), path + "/" + member.text)
            }
        }
        try add(group, label)
        leftOut.add(archive.leftOut)
    }

    private mutating func add(_ group: [TarShard.Member], _ label: String?) throws {
        for member in group {
            var folders = member.name.split(separator: UInt8(ascii: "/")).dropLast()
                .map { String(decoding: $0, as: UTF8.self) }[...]
            var part = part
            if part == nil, let first = folders.first.flatMap({ ImageListing.Part($0) }) {
                part = first
                folders = folders.dropFirst()
            } else if let first = folders.first, part != nil, ImageListing.Part(first) == part {
                folders = folders.dropFirst()
            }
            guard let name = label ?? folders.first, !name.isEmpty else {
                throw ResinError(
                    .badContent,
                    "\(path): the member '\(member.text)' is of no class: it is in no folder, and no member of its "
                        + "name that ends in .cls is beside it.")
            }
            images[part, default: [:]][name, default: ImageNames()].names.append(member.name)
            images[part]![name]!.places.append(
                ShardPlace(shard: shard, offset: member.offset, byteCount: member.byteCount))
        }
    }
}
