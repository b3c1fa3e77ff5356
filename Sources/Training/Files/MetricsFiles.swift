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
    /// cannot be read is `ResinError(.badContent)`.
    public func read() throws -> [EpochMetrics] {
        let decoder = JSONDecoder()
        return try Self.wholeLines(of: jsonLinesPath).enumerated().filter { !$1.isEmpty }.map { index, line in
            do {
                return try decoder.decode(EpochMetrics.self, from: Data(line))
            } catch {
                throw ResinError(
                    .badContent,
                    "\(jsonLinesPath) line \(index + 1) is not an epoch's metrics; delete the line")
            }
        }
    }

    /// Drops the epochs after `epoch`, and torn lines, so that a run resumed from there has every epoch once.
    public func drop(after epoch: Int) throws {
        struct Numbered: Decodable { var epoch: Int }
        let decoder = JSONDecoder()
        try rewrite(jsonLinesPath) { line in
            (try? decoder.decode(Numbered.self, from: Data(line))).map { $0.epoch <= epoch } ?? false
        }
        // The table is the same epochs again, under today's header whichever version wrote it.
        guard FileManager.default.fileExists(atPath: csvPath) else { return }
        let lines = [EpochMetrics.csvHeader] + (try read().map(\.csvLine))
        try AtomicFile.write(Data(lines.map { $0 + "\n" }.joined().utf8), to: csvPath)
    }

    private func rewrite(_ path: String, keeping isKept: (ArraySlice<UInt8>) -> Bool) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let kept = try Self.wholeLines(of: path).filter(isKept)
        try AtomicFile.write(Array(kept.map { $0 + [UInt8(ascii: "\n")] }.joined()), to: path)
    }

    /// The lines that end in a line feed, without it. What follows the last one was torn by a crash, even
    /// where it looks whole: digits may be missing.
    private static func wholeLines(of path: String) throws -> [ArraySlice<UInt8>] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let file = try ReadableFile(path)
        let bytes = try file.elements(UInt8.self, count: file.byteCount, at: 0)
        return bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
    }
}
