/// What sizes may be at most, wherever they come from. Products of all that they bound, in bytes and in
/// operations, fit an `Int`.
public enum Limits {
    /// Pixels, of height and width.
    public static let side = 1 << 14
    public static let channels = 1 << 14
    /// Channels × height × width.
    public static let imageValues = 1 << 28
    public static let classes = 1 << 14
    /// Images a step.
    public static let batch = 1 << 20
    /// Batch × channels × height × width.
    public static let batchValues = 1 << 34
    /// Images of a set: their numbers are 32-bit on a device.
    public static let images = Int(Int32.max)
    public static let epochs = 1_000_000
    /// Of a run: their numbers are 32-bit on a device.
    public static let steps = Int(UInt32.max) - 1
}

/// What one value of something may be: the same rule wherever the value comes from, a file, a recipe or an
/// option.
package struct ValueRule<Whole>: Sendable {
    /// The value's key in files, dotted where it lies deeper: "optimizer.lr".
    package let key: String
    /// What the command line calls it, where it does: "--lr".
    package let option: String?
    /// "a number above 0", behind "must be".
    package let allowed: String
    private let offence: @Sendable (Whole) -> String?

    /// - Parameter offence: the value's text where it breaks the rule; a rule without says only of what type the
    ///   value is, for a decoder's errors.
    package init(
        _ key: String, _ option: String? = nil, _ allowed: String,
        offence: @escaping @Sendable (Whole) -> String? = { _ in nil }
    ) {
        self.key = key
        self.option = option
        self.allowed = allowed
        self.offence = offence
    }

    /// A number that may be left out.
    package init<Number: Comparable & Sendable>(
        _ key: String, _ option: String? = nil, _ allowed: String, _ range: ClosedRange<Number>,
        of number: @escaping @Sendable (Whole) -> Number?
    ) {
        self.init(key, option, allowed) { whole in
            number(whole).flatMap { range.contains($0) ? nil : "\($0)" }
        }
    }

    /// A whole number that may be left out.
    package init(
        _ key: String, _ option: String? = nil, _ range: ClosedRange<Int>,
        of number: @escaping @Sendable (Whole) -> Int?
    ) {
        self.init(key, option, Self.words(range), range, of: number)
    }

    /// The rule of a part, as one of the whole.
    package func within<Outer>(
        _ outerKey: String, _ part: @escaping @Sendable (Outer) -> Whole
    ) -> ValueRule<Outer> {
        ValueRule<Outer>("\(outerKey).\(key)", option, allowed) { [offence] in offence(part($0)) }
    }

    package func check(_ whole: Whole) throws(ValueFault) {
        guard let value = offence(whole) else { return }
        throw ValueFault(key: key, option: option, value: value, allowed: allowed)
    }

    /// "a whole number from 1 to 10".
    package static func words(_ range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }
}

/// A value that breaks its rule. Who knows where it came from makes a `ResinError` of it.
package struct ValueFault: Error {
    package var key: String
    package var option: String?
    package var value: String
    package var allowed: String

    package init(key: String, option: String? = nil, value: String, allowed: String) {
        self.key = key
        self.option = option
        // A list of a million names is a value, too.
        self.value = value.count > 80 ? value.prefix(80) + "…" : value
        self.allowed = allowed
    }

    /// The value came from the command line, or from a program of one's own.
    package var usage: ResinError {
        ResinError(.usage, "\(option ?? key) is \(value); it must be \(allowed)")
    }

    /// The value came from there, a file or a line of one.
    package func badContent(in place: String) -> ResinError {
        ResinError(.badContent, "\(place): '\(key)' is \(value); it must be \(allowed)")
    }
}

extension DecodingError {
    /// What is wrong with which key, by the rules of what was to be decoded.
    package func badContent<Whole>(in place: String, _ rules: [ValueRule<Whole>]) -> ResinError {
        let (context, missing): (Context, (any CodingKey)?) =
            switch self {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                (context, nil)
            case .keyNotFound(let key, let context): (context, key)
            @unknown default: (Context(codingPath: [], debugDescription: "\(self)"), nil)
            }
        let path = context.codingPath + (missing.map { [$0] } ?? [])
        // Of a list's element the list.
        let key = path.filter { $0.intValue == nil }.map(\.stringValue).joined(separator: ".")
        let rule = rules.first { $0.key == key }.map { "; it must be \($0.allowed)" } ?? ""
        let text = missing != nil ? "is missing" : "is not right: \(context.debugDescription)"
        return ResinError(.badContent, "\(place): \(key.isEmpty ? "it" : "'\(key)'") \(text)\(rule)")
    }
}

extension KeyedDecodingContainer {
    /// `decode`, with the key in every error: Foundation's forget it where a number is none of its type's.
    package func value<Value: Decodable>(_ key: Key, as type: Value.Type = Value.self) throws -> Value {
        try naming(key) { try decode(type, forKey: key) }
    }

    /// `decodeIfPresent`, with the key in every error.
    package func optional<Value: Decodable>(_ key: Key, as type: Value.Type = Value.self) throws -> Value? {
        try naming(key) { try decodeIfPresent(type, forKey: key) }
    }

    private func naming<Value>(_ key: Key, _ decode: () throws -> Value) throws -> Value {
        do {
            return try decode()
        } catch let error where !(error is DecodingError || error is ResinError) {
            let text = "\(error)".firstMatch(of: /parsed: "(.*)"/).map { "it is \($0.1)" } ?? "\(error)"
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: codingPath + [key], debugDescription: text))
        }
    }
}
