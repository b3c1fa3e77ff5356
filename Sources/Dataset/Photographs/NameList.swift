/// Names in one buffer: a million of them take hardly more than their bytes. They are bytes, as the file system has them, and
/// need not be text.
struct NameList: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: Int { ends.count }
    var byteCount: Int { bytes.count }

    init() {}

    mutating func reserve(names: Int, bytes byteCount: Int) {
        ends.reserveCapacity(names)
        bytes.reserveCapacity(byteCount)
    }

    mutating func append(_ name: some Collection<UInt8>) {
        bytes.append(contentsOf: name)
        ends.append(bytes.count)
    }

    subscript(index: Int) -> ArraySlice<UInt8> { bytes[(index > 0 ? ends[index - 1] : 0)..<ends[index]] }

    func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

    /// By their bytes, which is Unicode's order of text and the same everywhere.
    func sortedIndices() -> [Int] {
        ends.indices.sorted { self[$0].lexicographicallyPrecedes(self[$1]) }
    }
}

/// Images of one class in one part of a set, by name.
struct ImageNames: Sendable {
    var names = NameList()
    /// Where each lies; empty where each is a file of its own.
    var places: [ShardPlace] = []

    var count: Int { names.count }

    func selecting(_ indices: some Collection<Int>) -> ImageNames {
        var selected = ImageNames()
        selected.names.reserve(names: indices.count, bytes: 0)
        for index in indices { selected.append(self, index) }
        return selected
    }

    func sorted() -> ImageNames { selecting(names.sortedIndices()) }

    mutating func append(_ other: ImageNames, _ index: Int) {
        names.append(other.names[index])
        if !other.places.isEmpty { places.append(other.places[index]) }
    }
}

/// A member of an archive that is read in place.
struct ShardPlace: Sendable, BitwiseCopyable {
    /// Index of the archive.
    let shard: Int32
    /// Of its bytes in the archive.
    let offset: Int
    let byteCount: Int
}
