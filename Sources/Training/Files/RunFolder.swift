import Foundation
import ResinTensor

/// The folder of one training run: `config.json`, `metrics.jsonl`, `metrics.csv`, `log.txt`, `report.html`
/// and the checkpoints.
public struct RunFolder: Sendable {
    public let path: String

    /// A new run's folder: `out`, or `runs/NETWORK-N` with the smallest N from 1 that is free.
    ///
    /// Throws `ResinError(.usage)` where `out` holds a run already and `overwrite` is not given, and
    /// `.cannotWrite` where nothing can be written there. With `overwrite` the old run's files stay until
    /// `removePreviousRun`: a start that fails costs nothing.
    public init(newRunOf network: String, out: String? = nil, runs: String = "runs", overwrite: Bool = false)
        throws
    {
        if let out {
            path = Self.withoutTrailingSlash(out)
            try Self.makeFolders(path)
            if !overwrite, Self.holdsRun(path) {
                throw ResinError(
                    .usage,
                    "\(path) holds a run already: continue it (--resume \(path)), replace it "
                        + "(--overwrite) or choose another folder (--out)")
            }
        } else {
            try Self.makeFolders(runs)
            path = try Self.firstFree(runs + "/" + network.replacing("/", with: "-"))
        }
        // The only sure way to learn it: permissions, read-only and full file systems all show here.
        _ = try PendingFile(for: path + "/config.json", calls: FileCalls())
    }

    /// The folder of a run to resume, evaluate or report on; `.missingFile` where there is none.
    public init(existing path: String) throws {
        self.path = Self.withoutTrailingSlash(path)
        guard Self.holdsRun(self.path) else {
            throw ResinError(
                .missingFile,
                "\(path) holds no run: a run's folder has a config.json and last.safetensors; check the path")
        }
    }

    /// Removes the old run's own files, and no others, where a new one takes its folder: to be called once
    /// network, data and device are there and the first step is sure.
    public func removePreviousRun() throws {
        TemporaryName.removeLeftovers(in: path, calls: FileCalls())
        // The configuration goes last: until then the folder is still recognised as a run's.
        let names = FileCalls.names(in: path).filter(CheckpointFolder.owns)
        let files = ["metrics.jsonl", "metrics.csv", "log.txt", "report.html", "config.json"]
        for name in names + files {
            do throws(FileCallFailure) {
                try FileCalls().remove(path + "/" + name)
            } catch {
                throw error.error(writing: path + "/" + name)
            }
        }
    }

    /// Removes the folder of a run that never started, unless something lies in it.
    public func removeIfEmpty() { rmdir(path) }

    /// Writes `config.json`: indented, keys sorted, whole or not at all.
    public func write(configuration: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(try encoder.encode(configuration) + Data("\n".utf8), to: configurationPath)
    }

    /// Reads `config.json`; throws `.missingFile`, or `.badContent` that names the key that is not right.
    public func configuration<Configuration: Decodable>(as type: Configuration.Type) throws -> Configuration {
        try JSONText.decode(type, from: JSONText.bytes(of: configurationPath), place: configurationPath)
    }

    public var metrics: MetricsFiles { MetricsFiles(folder: path) }

    /// Opens `log.txt` at its end.
    public func log() throws -> LineFile { try LineFile(path + "/log.txt") }

    public func checkpoints(keep: Int = 2) -> CheckpointFolder { CheckpointFolder(path: path, keep: keep) }

    public var configurationPath: String { path + "/config.json" }
    public var reportPath: String { path + "/report.html" }

    private static func holdsRun(_ path: String) -> Bool {
        FileCalls.names(in: path).contains {
            $0 == "config.json" || ($0.hasSuffix(".safetensors") && !$0.hasPrefix("."))
        }
    }

    private static func withoutTrailingSlash(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private static func makeFolders(_ path: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue { return }
        let parent = FileCalls.folder(of: path)
        if parent != path, parent != "." { try makeFolders(parent) }
        do throws(FileCallFailure) {
            try FileCalls().makeFolder(path)
        } catch {
            // Another run may have made it in the meantime.
            let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            guard isThere, isFolder.boolValue else { throw error.error(writing: path) }
        }
    }

    /// Making the folder claims its number: two runs that start at once get two.
    private static func firstFree(_ stem: String) throws -> String {
        var number = 1
        while true {
            let path = "\(stem)-\(number)"
            do throws(FileCallFailure) {
                try FileCalls().makeFolder(path)
                return path
            } catch {
                guard error.code == EEXIST else { throw error.error(writing: path) }
                number += 1
            }
        }
    }
}
