import Foundation
import ResinDataset
import ResinTensor

extension RunFolder {
    static let skippedName = "skipped.csv"

    /// Writes which images a run went on without, and why; nothing where there are none.
    public func write(skipped images: [UnreadableImage]) throws {
        if images.isEmpty { return }
        let lines = ["path,reason"] + images.map { "\($0.name.csvField),\($0.reason.csvField)" }
        try AtomicFile.write(
            Data((lines.joined(separator: "\n") + "\n").utf8), to: path + "/" + Self.skippedName)
    }
}
