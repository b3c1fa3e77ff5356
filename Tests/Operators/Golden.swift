import Foundation
import ResinCases

/// What PyTorch gave for a case, as `make_goldens.py` wrote it.
struct Golden: Decodable, Sendable {
    struct Output: Decodable, Sendable {
        var shape: [Int]
        /// The largest absolute value.
        var largest: Double
        var sum: Double
        var squares: Double
        var samples: [Double]
    }
    /// The fingerprint of the case that it was made for.
    var `case`: String
    var outputs: [Output]

    static let all: [String: Golden] = {
        let file = folder.appending(path: "goldens.json")
        return (try? JSONDecoder().decode([String: Golden].self, from: Data(contentsOf: file))) ?? [:]
    }()

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Goldens")
}

extension Golden.Output {
    /// Where sample `index` was taken.
    func place(ofSample index: Int) -> Int {
        Int(splitMix(UInt64(index + 1)) % UInt64(shape.reduce(1, *)))
    }
}
