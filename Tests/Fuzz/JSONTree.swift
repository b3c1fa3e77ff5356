import Foundation

/// JSON as a tree that keeps what is no JSON, too: leaves are texts, and a name may come twice.
indirect enum JSONTree {
    case leaf(String)
    case list([JSONTree])
    case object([(name: String, value: JSONTree)])

    /// Of text that is JSON.
    init(_ text: String) throws {
        self = Self(
            value: try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed))
    }

    private init(value: Any) {
        if let object = value as? [String: Any] {
            self = .object(object.sorted { $0.key < $1.key }.map { ($0.key, JSONTree(value: $0.value)) })
        } else if let list = value as? [Any] {
            self = .list(list.map { JSONTree(value: $0) })
        } else {
            let data = try! JSONSerialization.data(withJSONObject: value, options: .fragmentsAllowed)
            self = .leaf(String(decoding: data, as: UTF8.self))
        }
    }

    var text: String {
        switch self {
        case .leaf(let text): text
        case .list(let elements): "[\(elements.map(\.text).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\(JSONTree(value: $0.name).text):\($0.value.text)" }.joined(separator: ","))}"
        }
    }

    var isText: Bool {
        if case .leaf(let text) = self { text.hasPrefix("\"") } else { false }
    }

    var isNumber: Bool {
        if case .leaf(let text) = self { Double(text) != nil } else { false }
    }

    /// Values in it, itself included.
    var count: Int {
        switch self {
        case .leaf: 1
        case .list(let elements): elements.reduce(1) { $0 + $1.count }
        case .object(let members): members.reduce(1) { $0 + $1.value.count }
        }
    }

    /// Changes the value of that number, in the order of the text; nothing in its place takes it away.
    func changing(_ number: Int, _ change: (JSONTree) -> [JSONTree]) -> JSONTree {
        var number = number - 1
        func replaced(_ value: JSONTree) -> [JSONTree] {
            defer { number -= value.count }
            if number == 0 { return change(value) }
            return (0..<value.count).contains(number) ? [value.changing(number, change)] : [value]
        }
        if number < 0 { return change(self).first ?? .leaf("") }
        switch self {
        case .leaf: return self
        case .list(let elements): return .list(elements.flatMap(replaced))
        case .object(let members):
            return .object(
                members.flatMap { member in replaced(member.value).map { (member.name, $0) } })
        }
    }
}
