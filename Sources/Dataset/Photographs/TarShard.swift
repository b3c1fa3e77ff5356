import ResinTensor

/// The files of an uncompressed tar archive (POSIX.1-2001, "pax", and GNU's long names), each with its place: they are read from
/// the archive, which nobody unpacks.
struct TarShard: ~Copyable {
    struct Member {
        let name: [UInt8]
        let offset: Int
        let byteCount: Int

        var text: String { String(decoding: name, as: UTF8.self) }
    }

    private let file: ReadableFile
    private var place = 0
    /// Links and the like, which have no bytes of their own.
    private(set) var leftOut = LeftOut()

    private static let blockLength = 512
    /// Of a long name and of what stands beside it, in bytes.
    private static let longestExtension = 1 << 20

    init(_ path: String) throws { file = try ReadableFile(path) }

    func content(of member: Member, limit: Int) throws -> [UInt8] {
        try file.elements(UInt8.self, count: min(member.byteCount, limit), at: member.offset)
    }

    /// The next file.
    ///
    /// - Throws: `ResinError(.badContent)` where the archive is cut off, with the member and the place; or where there is no
    ///   header where one should be.
    mutating func next() throws -> Member? {
        var longName: [UInt8]?
        var longSize: Int?
        while place < file.byteCount {
            guard place + Self.blockLength <= file.byteCount else {
                throw cutOff("a member's header", end: place + Self.blockLength)
            }
            let header = try file.elements(UInt8.self, count: Self.blockLength, at: place)
            if header.allSatisfy({ $0 == 0 }) { return nil }
            try checkSum(of: header)
            var name = Self.text(header[0..<100])
            // POSIX's archives have the front of a longer name elsewhere; GNU's have other things there.
            if header[257..<263].elementsEqual("ustar\0".utf8), header[345] != 0 {
                name = Self.text(header[345..<500]) + [UInt8(ascii: "/")] + name
            }
            guard let size = longSize ?? Self.number(header[124..<136]), size <= 1 << 53 else {
                throw ResinError(
                    .badContent,
                    "\(file.path): at byte \(place): the size of '\(String(decoding: name, as: UTF8.self))' is no "
                        + "number; the archive is damaged, copy it again.")
            }
            let kind = header[156]
            if let longName { name = longName }
            let start = place + Self.blockLength
            guard start + size <= file.byteCount else {
                throw cutOff(
                    "'\(String(decoding: name, as: UTF8.self))', at byte \(start),", end: start + size)
            }
            place = start + (size + Self.blockLength - 1) / Self.blockLength * Self.blockLength
            switch kind {
            case UInt8(ascii: "L"): longName = Self.text(try extended(start, size)[...])
            case UInt8(ascii: "x"):
                let records = Self.records(try extended(start, size))
                longName = records["path"].map { Array($0) } ?? longName
                longSize = records["size"].flatMap { Int(String(decoding: $0, as: UTF8.self)) }
                if let size = longSize, size < 0 { longSize = nil }
                continue
            case UInt8(ascii: "g"), UInt8(ascii: "K"): continue
            case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
                while name.starts(with: "./".utf8) { name.removeFirst(2) }
                return Member(name: name, offset: start, byteCount: size)
            case UInt8(ascii: "5"): (longName, longSize) = (nil, nil)
            default:
                leftOut.add("links and the like in archives", String(decoding: name, as: UTF8.self))
                (longName, longSize) = (nil, nil)
            }
        }
        return nil
    }

    private func cutOff(_ what: String, end: Int) -> ResinError {
        ResinError(
            .badContent,
            "\(file.path): is cut off: \(what) ends at byte \(end), but the archive at byte \(file.byteCount); copy it "
                + "again.")
    }

    private func extended(_ start: Int, _ size: Int) throws -> [UInt8] {
        guard size <= Self.longestExtension else {
            throw ResinError(
                .badContent,
                "\(file.path): at byte \(start): a member's name of \(size.grouped) bytes; the archive is damaged."
            )
        }
        return try file.elements(UInt8.self, count: size, at: start)
    }

    /// All bytes, with those of the sum itself as spaces.
    private func checkSum(of header: [UInt8]) throws {
        var sum = 0
        for (place, byte) in header.enumerated() { sum += (148..<156).contains(place) ? 32 : Int(byte) }
        guard Self.number(header[148..<156]) == sum else {
            throw ResinError(
                .badContent,
                "\(file.path): at byte \(place): no member of a tar archive begins there; it is damaged or compressed. "
                    + "Only archives that are not compressed can be read in place.")
        }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }

    /// Octal digits, or GNU's binary form of large numbers.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if field.first! & 0x80 != 0 {
            guard field.first == 0x80, field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else {
                return nil
            }
            return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.drop { $0 == 32 }.prefix { $0 != 0 && $0 != 32 }
        guard digits.allSatisfy({ (48..<56).contains($0) }), digits.count <= 12 else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 - 48) }
    }

    /// "LENGTH KEY=VALUE\n", one after another.
    private static func records(_ bytes: [UInt8]) -> [String: ArraySlice<UInt8>] {
        var records: [String: ArraySlice<UInt8>] = [:]
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 32),
            let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > 0,
            length <= rest.count
        {
            let end = rest.startIndex + length
            guard space + 1 < end else { break }
            let record = rest[(space + 1)..<(end - 1)]
            if let equals = record.firstIndex(of: UInt8(ascii: "=")) {
                records[String(decoding: record[..<equals], as: UTF8.self)] = record[(equals + 1)...]
            }
            rest = rest[end...]
        }
        return records
    }
}
