import ResinTensor

extension Safetensors {
    /// Replaces the file at `path` atomically. Equal contents give equal bytes: tensors are ordered as by the
    /// reference implementation (wider types first, then by name), metadata by key.
    /// Throws `ResinError(.cannotWrite)`.
    public func write(to path: String) throws {
        try AtomicFile.write(to: path) { append in try forEachChunk(append) }
    }

    /// The file's bytes in order: header, then every tensor's.
    package func forEachChunk(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        let ordered = entries.sorted { first, second in
            let ranks = (first.contents.type.rank, second.contents.type.rank)
            return ranks.0 != ranks.1 ? ranks.0 < ranks.1 : first.name.precedesByBytes(second.name)
        }
        try Self.header(of: ordered, metadata).withUnsafeBytes(body)
        for entry in ordered where entry.contents.count > 0 {
            try entry.contents.withUnsafeBytes(body)
        }
    }

    /// Length and JSON text, padded with spaces so that the data begin at a multiple of 8 bytes.
    private static func header(of entries: [Entry], _ metadata: [String: String]) -> [UInt8] {
        precondition(Set(entries.map(\.name)).count == entries.count, "two tensors of one name")
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.precedesByBytes($1.key) }
            let texts = pairs.map { "\(quoted($0.key)):\(quoted($0.value))" }
            members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
        }
        var offset = 0
        for entry in entries {
            let type = entry.contents.type
            let end = offset + entry.contents.count * type.byteCount
            let shape = entry.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(quoted(entry.name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
        return Swift.withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }

    /// A JSON string literal, escaped as the reference implementation does.
    private static func quoted(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            case "\u{8}": literal += "\\b"
            case "\u{C}": literal += "\\f"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                literal += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }
}

extension String {
    /// Swift orders text by Unicode's normal forms; files are ordered by their bytes.
    fileprivate func precedesByBytes(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}
