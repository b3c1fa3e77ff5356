/// The bytes of a tar archive, written as POSIX.1-1988 ("ustar") has it, apart from the reader that is tested.
///
/// - Parameter members: names and contents. A name of more than 100 bytes goes before as GNU's long name, or as pax's.
public func tar(_ members: [(String, [UInt8])], usesPax: Bool = false, isEnded: Bool = true) -> [UInt8] {
    func octal(_ value: Int, _ count: Int) -> [UInt8] {
        let digits = Array(String(value, radix: 8).utf8)
        return [UInt8](repeating: 48, count: count - 1 - digits.count) + digits + [0]
    }
    func padded(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: count - bytes.count)
    }
    func member(_ name: [UInt8], _ type: Character, _ content: [UInt8]) -> [UInt8] {
        var header = padded(Array(name.prefix(100)), 100)
        header += octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.count, 12) + octal(0, 12)
        header += [UInt8](repeating: 32, count: 8) + [type.asciiValue!] + [UInt8](repeating: 0, count: 100)
        header += Array("ustar\0".utf8) + Array("00".utf8)
        header = padded(header, 512)
        let sum = header.reduce(0) { $0 + Int($1) }
        header.replaceSubrange(148..<156, with: octal(sum, 7) + [32])
        return header + padded(content, (content.count + 511) / 512 * 512)
    }
    var archive: [UInt8] = []
    for (name, content) in members {
        let bytes = Array(name.utf8)
        if name.hasSuffix("/") {
            archive += member(bytes, "5", [])
            continue
        }
        if bytes.count > 100, usesPax {
            // The record's length counts its own digits.
            var length = bytes.count + 7
            while String(length).utf8.count + bytes.count + 7 != length { length += 1 }
            archive += member(Array("pax".utf8), "x", Array("\(length) path=\(name)\n".utf8))
        } else if bytes.count > 100 {
            archive += member(Array("././@LongLink".utf8), "L", bytes + [0])
        }
        archive += member(bytes, "0", content)
    }
    return archive + [UInt8](repeating: 0, count: isEnded ? 1024 : 0)
}
