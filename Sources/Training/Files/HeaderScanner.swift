import Foundation

/// What is wrong with a header's text; the reader adds the file's name.
struct HeaderFlaw: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

/// A strict JSON scanner for safetensors headers. Foundation's parsers keep the last of two equal keys in
/// silence and let `1.0` and `true` pass as integers; the specification forbids the former.
struct HeaderScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) throws {
        guard String(bytes: bytes, encoding: .utf8) != nil else { throw HeaderFlaw("it is not UTF-8 text") }
        self.bytes = bytes
    }

    /// Calls `member` with every key of an object, the scanner standing before the key's value.
    mutating func object(_ member: (inout HeaderScanner, String) throws -> Void) throws {
        var keys: Set<String> = []
        try sequence(from: "{", to: "}") { scanner in
            let key = try scanner.string()
            guard keys.insert(key).inserted else { throw HeaderFlaw("the name \(key) comes twice") }
            try scanner.expect(":")
            try member(&scanner, key)
        }
    }

    /// A list of integers ≥ 0.
    mutating func integers() throws -> [Int] {
        var values: [Int] = []
        try sequence(from: "[", to: "]") { scanner in values.append(try scanner.integer()) }
        return values
    }

    mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += try escaped()
            case 0..<0x20:
                throw HeaderFlaw("a control character in a name at byte \(position - 1)")
            default:
                text.append(byte)
            }
        }
        throw HeaderFlaw("a name is not closed")
    }

    /// Passes over any value. Nesting is bounded: a hostile file must not exhaust the stack.
    mutating func skipValue(depth: Int = 0) throws {
        guard depth < 32 else { throw HeaderFlaw("it is nested too deeply") }
        switch peek() {
        case UInt8(ascii: "{"): try object { scanner, _ in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["):
            try sequence(from: "[", to: "]") { scanner in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try string()
        default:
            let start = position
            while position < bytes.count, Self.isOfWordOrNumber(bytes[position]) { position += 1 }
            guard position > start else { throw unexpected("a value") }
            let word = String(decoding: bytes[start..<position], as: UTF8.self)
            let isNumber = word.allSatisfy { "0123456789+-.eE".contains($0) } && Double(word) != nil
            guard isNumber || ["true", "false", "null"].contains(word) else {
                throw HeaderFlaw("'\(word.prefix(40))' at byte \(start) is no value")
            }
        }
    }

    /// Nothing but white space follows.
    mutating func end() throws {
        guard peek() == nil else { throw unexpected("the end") }
    }

    private mutating func sequence(
        from open: Unicode.Scalar, to close: Unicode.Scalar, _ element: (inout HeaderScanner) throws -> Void
    ) throws {
        try expect(open)
        if peek() == UInt8(ascii: close) {
            position += 1
            return
        }
        while true {
            try element(&self)
            if peek() == UInt8(ascii: ",") {
                position += 1
            } else {
                return try expect(close)
            }
        }
    }

    private mutating func integer() throws -> Int {
        guard let first = peek(), Self.isDigit(first) else { throw unexpected("an integer of at least 0") }
        let start = position
        var value = 0
        while position < bytes.count, Self.isDigit(bytes[position]) {
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverflow) = tens.addingReportingOverflow(Int(bytes[position] - UInt8(ascii: "0")))
            guard !isTooLarge, !isOverflow else { throw HeaderFlaw("a number at byte \(start) is too large") }
            value = sum
            position += 1
        }
        guard first != UInt8(ascii: "0") || position == start + 1 else {
            throw HeaderFlaw("a number at byte \(start) begins with 0")
        }
        if position < bytes.count, Self.isOfWordOrNumber(bytes[position]) { throw unexpected("an integer") }
        return value
    }

    /// What stands behind a backslash, as UTF-8.
    private mutating func escaped() throws -> [UInt8] {
        guard position < bytes.count else { throw HeaderFlaw("a name is not closed") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var value = try hexadecimalUnit()
            if value & 0xFC00 == 0xD800, bytes[position...].starts(with: Array("\\u".utf8)) {
                position += 2
                let low = try hexadecimalUnit()
                guard low & 0xFC00 == 0xDC00 else { throw HeaderFlaw("half a character at byte \(position)") }
                value = 0x10000 + (value & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw HeaderFlaw("half a character at byte \(position)")
            }
            return Array(String(Character(scalar)).utf8)
        default: throw HeaderFlaw("an unknown escape at byte \(position - 2)")
        }
    }

    private mutating func hexadecimalUnit() throws -> UInt32 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw HeaderFlaw("four hexadecimal digits expected at byte \(position)") }
        position += 4
        return value
    }

    /// The next byte that is not white space, without passing it.
    private mutating func peek() -> UInt8? {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        return position < bytes.count ? bytes[position] : nil
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws {
        guard peek() == UInt8(ascii: scalar) else { throw unexpected(String(scalar)) }
        position += 1
    }

    private func unexpected(_ expected: String) -> HeaderFlaw {
        let found =
            position < bytes.count
            ? String(decoding: bytes[position...].prefix(12), as: UTF8.self) : "its end"
        return HeaderFlaw("expected \(expected) at byte \(position), found \(found)")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isOfWordOrNumber(_ byte: UInt8) -> Bool {
        isDigit(byte) || "+-.".utf8.contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
