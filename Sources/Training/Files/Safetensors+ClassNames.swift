import Foundation

extension Safetensors {
    static let classNamesKey = "class_names"

    /// The names of the classes that a network of these weights tells apart, in the order of its outputs; nil
    /// where the file does not say.
    public var classNames: [String]? {
        metadata[Self.classNamesKey].flatMap { try? JSONDecoder().decode([String].self, from: Data($0.utf8)) }
    }

    /// As a JSON array, for metadata holds texts only.
    static func text(ofClassNames names: [String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return String(decoding: try! encoder.encode(names), as: UTF8.self)
    }
}
