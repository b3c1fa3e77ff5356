import Foundation
import ResinTensor

/// `metrics.jsonl` and `metrics.csv` of a run: the same epochs, for programs and for spreadsheets.
public struct MetricsFiles: Sendable {
    public let jsonLinesPath: String
    public let csvPath: String

    public init(folder: String) {
        jsonLinesPath = folder + "/metrics.jsonl"
        csvPath = folder + "/metrics.csv"
    }

    /// Appends an epoch to both and brings it to the disk. A trainer does so before it saves the epoch's
    /// checkpoint: a resumed run drops what is too much, but could not know what is missing.
    public func append(_ metrics: EpochMetrics) throws {
        try LineFile(jsonLinesPath, synchronised: true).append(metrics.jsonLine)
        let csv = try LineFile(csvPath, synchronised: true)
        if csv.isEmpty { try csv.append(EpochMetrics.csvHeader) }
        try csv.append(metrics.csvLine)
    }

    /// The epochs so far, none where there is no file yet. A torn last line is passed over; any other that
    /// is not an epoch's, or whose epoch does not come after that of the line before it, is
    /// `ResinError(.badContent)`.
    public func read() throws -> [EpochMetrics] { try lines().map(\.epoch) }

    private func lines() throws -> [(text: ArraySlice<UInt8>, epoch: EpochMetrics)] {
        var lines: [(text: ArraySlice<UInt8>, epoch: EpochMetrics)] = []
        for (index, text) in try Self.wholeLines(of: jsonLinesPath).enumerated() where !text.isEmpty {
            let place = "\(jsonLinesPath) line \(index + 1)"
            do {
                let epoch = try JSONText.decode(EpochMetrics.self, from: Array(text), place: place)
                if let last = lines.last?.epoch.epoch, last >= epoch.epoch {
                    let allowed = "above that of the line before it, \(last)"
                    throw ValueFault(key: "epoch", value: "\(epoch.epoch)", allowed: allowed)
                        .badContent(in: place)
                }
                lines.append((text, epoch))
            } catch let error as ResinError {
                throw ResinError(
                    .badContent, "\(error.message). It is no epoch's metrics: mend the line, or delete it")
            }
        }
        return lines
    }

    /// Drops the epochs after `epoch`, and a torn last line, so that a run resumed from there has every epoch
    /// once. Throws what `read` throws, before anything is dropped.
    public func drop(after epoch: Int) throws {
        let kept = try lines().prefix { $0.epoch.epoch <= epoch }
        try rewrite(jsonLinesPath, kept.map { Array($0.text) })
        // The table is the same epochs again, under today's header whichever version wrote it.
        try rewrite(csvPath, ([EpochMetrics.csvHeader] + kept.map(\.epoch.csvLine)).map { Array($0.utf8) })
    }

    private func rewrite(_ path: String, _ lines: [[UInt8]]) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        try AtomicFile.write(Array(lines.map { $0 + [UInt8(ascii: "\n")] }.joined()), to: path)
    }

    /// The lines that end in a line feed, without it. What follows the last one was torn by a crash, even
    /// where it looks whole: digits may be missing.
    private static func wholeLines(of path: String) throws -> [ArraySlice<UInt8>] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        return try JSONText.bytes(of: path)
            .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
    }
}
