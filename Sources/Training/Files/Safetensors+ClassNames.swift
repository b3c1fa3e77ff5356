import Foundation
import ResinTensor

extension Safetensors {
    static let classNamesKey = "class_names"

    /// The names of the classes that a network of these weights tells apart, in the order of its outputs; nil
    /// where the file does not say.
    ///
    /// - Parameter path: the file's, for errors.
    /// - Throws: `ResinError(.badContent)` where what it says is no list of names.
    public func classNames(from path: String) throws -> [String]? {
        try metadata[Self.classNamesKey].map {
            try JSONText.decode(
                [String].self, from: Array($0.utf8), place: "\(path): '\(Self.classNamesKey)' of its metadata"
            )
        }
    }

    /// As a JSON array, for metadata holds texts only.
    static func text(ofClassNames names: [String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return String(decoding: try! encoder.encode(names), as: UTF8.self)
    }
}
