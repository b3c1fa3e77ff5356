import Foundation
import ResinPlan
import ResinTensor

/// A case as `make_goldens.py` reads it: one line of JSON.
private struct CaseDescription: Encodable {
    struct Input: Encodable {
        var shape: [Int]
        var data: String
    }
    var name: String
    var operation: String
    var settings: [String: [Double]]
    var inputs: [Input]
}

extension OpCase {
    package var json: String {
        let description = CaseDescription(
            name: name, operation: operation, settings: settings,
            inputs: inputs.map { .init(shape: $0.shape, data: $0.data.name) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try! encoder.encode(description)  // plain values: cannot fail
        return String(decoding: data, as: UTF8.self)
    }

    /// Of the description: tells a golden that belongs to an earlier form of its case.
    package var fingerprint: String { String(json.utf8.fingerprint, radix: 16) }
}
