import ResinTensor

/// Where the records of a zip lie (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), with 64-bit
/// sizes or without. Checked against the file's size: after `init` every record's bytes are there, and belong
/// to no other record. Checksums are not compared, for PyTorch can be told to write none.
struct ZipDirectory {
    struct Record {
        /// Of the file.
        var bytes: Range<Int>
        /// Whether they are the content, neither compressed nor encrypted.
        var isPlain: Bool
    }

    /// By their names.
    private(set) var records: [String: Record] = [:]

    private static let byteLimit = 100_000_000

    /// - Throws: `ResinError(.badContent)` that names the file and, where it is one's fault, the record.
    init(of file: borrowing ReadableFile) throws {
        let path = file.path
        do {
            let place = try Self.place(in: file)
            guard place.bytes.count <= Self.byteLimit else {
                throw ZipFlaw("its directory takes \(place.bytes.count) bytes, of \(Self.byteLimit) at most")
            }
            let directory = ZipFields(
                try file.elements(UInt8.self, count: place.bytes.count, at: place.bytes.lowerBound))
            var spans: [Range<Int>] = []
            var offset = 0
            for _ in 0..<place.count {
                let entry = try ZipEntry(in: directory, at: &offset)
                guard records[entry.name] == nil else {
                    throw ZipFlaw("two records are called \(entry.name)")
                }
                let (header, bytes) = try entry.place(in: file, before: place.bytes.lowerBound)
                records[entry.name] = Record(bytes: bytes, isPlain: entry.isPlain)
                spans.append(header..<bytes.upperBound)
            }
            spans.sort { $0.lowerBound < $1.lowerBound }
            for (first, second) in zip(spans, spans.dropFirst()) where second.lowerBound < first.upperBound {
                throw ZipFlaw("two of its records overlap at byte \(second.lowerBound)")
            }
        } catch let flaw as ZipFlaw {
            throw ResinError(
                .badContent, "\(path) is a torn or damaged zip: \(flaw.text); fetch or copy it again")
        }
    }

    /// Where the directory lies, and how many records it has, from the end of the file.
    private static func place(in file: borrowing ReadableFile) throws -> (bytes: Range<Int>, count: Int) {
        // The end's record, a comment behind it, and the pointer to the 64-bit form's before it.
        let tailStart = max(0, file.byteCount - (20 + 22 + 65_535))
        let tail = ZipFields(
            try file.elements(UInt8.self, count: file.byteCount - tailStart, at: tailStart))
        let ends = (0...max(0, tail.bytes.count - 22)).reversed()
        let isEnd = { (end: Int) in
            try tail.holds("PK\u{5}\u{6}", at: end)
                && end + 22 + tail.integer(end + 20, 2) == tail.bytes.count
        }
        guard tail.bytes.count >= 22, let end = try ends.first(where: isEnd) else {
            throw ZipFlaw("it does not end with a directory")
        }
        var limit = tailStart + end
        var (count, size, start) = (
            try tail.integer(end + 10, 2), try tail.integer(end + 12, 4), try tail.integer(end + 16, 4)
        )
        if end >= 20, try tail.holds("PK\u{6}\u{7}", at: end - 20) {
            let place = try tail.integer(end - 12, 8)
            guard place <= limit - 20 - 56 else { throw ZipFlaw("its directory is not where it says") }
            let fields = ZipFields(try file.elements(UInt8.self, count: 56, at: place))
            guard try fields.holds("PK\u{6}\u{6}", at: 0) else {
                throw ZipFlaw("its directory is not where it says")
            }
            limit = place
            (count, size, start) = (
                try fields.integer(32, 8), try fields.integer(40, 8), try fields.integer(48, 8)
            )
        }
        guard size <= limit, start <= limit - size, count <= size / 46 else {
            throw ZipFlaw("its directory is not where it says")
        }
        return (start..<start + size, count)
    }
}

/// A record as the directory describes it.
private struct ZipEntry {
    var name: String
    let isPlain: Bool
    private var byteCount: Int
    /// Where its own header is.
    private var header: Int

    /// - Parameter place: moves behind it.
    init(in directory: ZipFields, at place: inout Int) throws {
        guard try directory.holds("PK\u{1}\u{2}", at: place) else {
            throw ZipFlaw("a record of its directory is not where it should be")
        }
        let nameLength = try directory.integer(place + 28, 2)
        let extraLength = try directory.integer(place + 30, 2)
        name = String(decoding: try directory.take(place + 46, nameLength), as: UTF8.self)
        // The first flag is encryption's.
        isPlain =
            try directory.integer(place + 10, 2) == 0 && directory.integer(place + 8, 2) & 1 == 0
        var size = try directory.integer(place + 24, 4)
        var stored = try directory.integer(place + 20, 4)
        header = try directory.integer(place + 42, 4)
        // What takes more than 32 bits is in an extra field, in this order.
        var extra = place + 46 + nameLength
        let end = extra + extraLength
        while extra + 4 <= end {
            let (kind, length) = (try directory.integer(extra, 2), try directory.integer(extra + 2, 2))
            var field = extra + 4
            extra = field + length
            func wide(_ value: inout Int) throws {
                guard kind == 1, value == 0xFFFF_FFFF, field + 8 <= min(extra, end) else { return }
                value = try directory.integer(field, 8)
                field += 8
            }
            try wide(&size)
            try wide(&stored)
            try wide(&header)
        }
        guard size == stored || !isPlain else {
            throw ZipFlaw("its record \(name.prefix(100)) has two sizes")
        }
        byteCount = stored
        place = end + (try directory.integer(place + 32, 2))
    }

    /// - Parameter end: of all that records may take.
    func place(
        in file: borrowing ReadableFile, before end: Int
    ) throws -> (header: Int, bytes: Range<Int>) {
        let outside = ZipFlaw("its record \(name.prefix(100)) lies outside of it")
        guard header <= end - 30 else { throw outside }
        let fields = ZipFields(try file.elements(UInt8.self, count: 30, at: header))
        guard try fields.holds("PK\u{3}\u{4}", at: 0) else {
            throw ZipFlaw("its record \(name.prefix(100)) is not where its directory says")
        }
        let start = header + 30 + (try fields.integer(26, 2)) + (try fields.integer(28, 2))
        guard start <= end, byteCount <= end - start else { throw outside }
        return (header, start..<start + byteCount)
    }
}

/// Numbers in bytes, the lowest first.
private struct ZipFields {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func take(_ place: Int, _ count: Int) throws -> ArraySlice<UInt8> {
        guard place <= bytes.count, count <= bytes.count - place else {
            throw ZipFlaw("its directory is shorter than it says")
        }
        return bytes[place..<place + count]
    }

    func integer(_ place: Int, _ width: Int) throws -> Int {
        guard let value = Int(exactly: try take(place, width).littleEndian) else {
            throw ZipFlaw("a size or place in it is too large")
        }
        return value
    }

    func holds(_ signature: String, at place: Int) throws -> Bool {
        try take(place, 4).elementsEqual(signature.utf8)
    }
}

/// What is wrong with a zip; the reader adds the file's name.
private struct ZipFlaw: Error {
    var text: String
    init(_ text: String) { self.text = text }
}
