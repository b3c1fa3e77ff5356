import Foundation

extension TrainingConfiguration {
    /// What `config.json` holds, flat: `optimizer.lr` and its value, sorted by key.
    package var fields: [(key: String, value: String)] {
        // Plain values: cannot fail.
        let data = try! JSONEncoder().encode(self)
        return try! JSONDecoder().decode(JSONValue.self, from: data).leaves(under: "")
    }
}

/// Any JSON, to be shown.
private enum JSONValue: Decodable {
    case leaf(String)
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        if let members = try? [String: JSONValue](from: decoder) {
            self = .object(members)
            return
        }
        if let elements = try? [JSONValue](from: decoder) {
            self = .leaf(elements.map(\.text).joined(separator: ", "))
            return
        }
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .leaf("none")
        } else if let flag = try? value.decode(Bool.self) {
            self = .leaf("\(flag)")
        } else if let number = try? value.decode(Int.self) {
            self = .leaf("\(number)")
        } else if let number = try? value.decode(UInt64.self) {
            self = .leaf("\(number)")
        } else if let number = try? value.decode(Float.self) {
            self = .leaf("\(number)")
        } else {
            self = .leaf(try value.decode(String.self))
        }
    }

    private var text: String {
        switch self {
        case .leaf(let text): text
        case .object(let members): "\(members.count) members"
        }
    }

    func leaves(under key: String) -> [(key: String, value: String)] {
        switch self {
        case .leaf(let text): [(key, text)]
        case .object(let members):
            members.sorted { $0.key < $1.key }
                .flatMap { $0.value.leaves(under: key.isEmpty ? $0.key : "\(key).\($0.key)") }
        }
    }
}
