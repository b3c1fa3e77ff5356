import Foundation
import ResinTensor

/// JSON that came from a file, read strictly: no key twice, nested no deeper than a stack bears.
package enum JSONText {
    /// Of a configuration with the longest names, or a million epochs.
    private static let byteLimit = 1 << 29

    /// The bytes of a file of text.
    package static func bytes(of path: String, limit: Int = byteLimit) throws -> [UInt8] {
        let file = try ReadableFile(path)
        guard file.byteCount <= limit else {
            throw ResinError(
                .badContent, "\(path): has \(file.byteCount) bytes, more than \(limit); is it another file?")
        }
        return try file.elements(UInt8.self, count: file.byteCount, at: 0)
    }

    /// - Parameter place: a path, for errors; or a path and a line.
    /// - Throws: `ResinError(.badContent)`.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], place: String
    ) throws -> Value {
        // Some editors begin a file with a mark of its encoding.
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        do {
            var scanner = try HeaderScanner(bytes)
            try scanner.skipValue()
            try scanner.end()
        } catch let flaw as HeaderFlaw {
            throw ResinError(.badContent, "\(place) is not right JSON: \(flaw.text)")
        }
        let decoder = JSONDecoder()
        decoder.userInfo[.place] = place
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw error.badContent(in: place, [] as [ValueRule<Value>])
        }
    }

    /// What every decoder of a type with rules ends in.
    package static func checked<Value>(
        by rules: [ValueRule<Value>], in decoder: any Decoder, _ decode: () throws -> Value
    ) throws -> Value {
        let place = decoder.userInfo[.place] as? String ?? "\(Value.self)"
        do {
            let value = try decode()
            for rule in rules { try rule.check(value) }
            return value
        } catch let error as DecodingError {
            throw error.badContent(in: place, rules)
        } catch let fault as ValueFault {
            throw fault.badContent(in: place)
        }
    }
}

extension CodingUserInfoKey {
    fileprivate static let place = CodingUserInfoKey(rawValue: "place")!
}
