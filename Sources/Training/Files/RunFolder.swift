import Foundation
import ResinTensor

/// The folder of one training run: `config.json`, `metrics.jsonl`, `metrics.csv`, `log.txt`, `report.html`
/// and the checkpoints. Who trains there has it alone, for as long as a copy of this value lives.
public struct RunFolder: Sendable {
    public let path: String
    /// `nil` where it is only read.
    private let lock: RunLock?

    /// A new run's folder: `out`, or `runs/NETWORK-N` with the smallest N from 1 that is free.
    ///
    /// Throws `ResinError(.usage)` where `out` holds somebody's files, a run and `overwrite` is not given, or
    /// a run that is under way, and `.cannotWrite` where nothing can be written there. With `overwrite` the
    /// old run's files stay until `removePreviousRun`: a start that fails costs nothing.
    public init(newRunOf network: String, out: String? = nil, runs: String = "runs", overwrite: Bool = false)
        throws
    {
        if let out {
            // Before anything is made there, and again once nobody else can.
            try Self.check(newRunIn: out, overwrite: overwrite)
            path = Self.withoutTrailingSlash(out)
            try Self.makeFolders(path)
        } else {
            try Self.makeFolders(runs)
            path = try Self.firstFree(runs + "/" + network.replacing("/", with: "-"))
        }
        lock = try RunLock(folder: path)
        try Self.check(newRunIn: path, overwrite: overwrite, isLocked: true)
    }

    /// Throws what `init(newRunOf:)` would, as far as it can be known without writing: to be asked before work
    /// that takes long.
    public static func check(newRunIn out: String, overwrite: Bool = false) throws {
        try check(newRunIn: withoutTrailingSlash(out), overwrite: overwrite, isLocked: false)
    }

    /// The folder of a run to evaluate or report on; `.missingFile` where there is none.
    public init(existing path: String) throws {
        self.path = Self.withoutTrailingSlash(path)
        lock = nil
        guard FileManager.default.fileExists(atPath: configurationPath) else {
            throw ResinError(
                .missingFile,
                "\(path) holds no run: a run's folder has a config.json and last.safetensors; check the path")
        }
    }

    /// The folder of a run to go on with: throws `.missingFile` where there is none, or none that has got as
    /// far as a checkpoint, and `.usage` where another process trains there.
    public init(resuming path: String) throws {
        try self.init(locking: RunFolder(existing: path).path)
        switch try RunFolderContent(of: self.path) {
        case .unstartedRun: throw noCheckpoint
        case .run(isResumable: false):
            // It throws where the files say themselves what has happened to them.
            _ = try checkpoints().newestConsistent()
            throw noCheckpoint
        // What is wrong with a foreign config.json shows when it is read.
        case .nothing, .run, .others: break
        }
    }

    private init(locking path: String) throws {
        self.path = path
        lock = try RunLock(folder: path)
    }

    /// What to tell of a file system that cannot keep other processes out.
    public var warning: String? { lock?.warning }

    /// In words that agree with those of `check(newRunIn:)`.
    var noCheckpoint: ResinError {
        let isUnstarted = (try? RunFolderContent(of: path)) == .unstartedRun
        return ResinError(
            .missingFile,
            isUnstarted
                ? "the run in \(path) ended before its first checkpoint: start it anew (--out \(path))"
                : "\(path) holds a run, but no checkpoint to go on from: replace it (--out \(path) --overwrite)"
        )
    }

    /// Removes the old run's own files, and no others, where a new one takes its folder: to be called once
    /// network, data and device are there and the first step is sure.
    public func removePreviousRun() throws {
        let names = try RunFolderContent.names(in: path).filter(Self.owns)
        for name in names {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder),
                isFolder.boolValue
            {
                throw ResinError(
                    .cannotWrite, "cannot replace the run in \(path): '\(name)' is a folder; move it away")
            }
        }
        // The configuration goes last: until then the folder is still recognised as a run's.
        for name in names.filter({ $0 != Self.configurationName }) + [Self.configurationName] {
            do throws(FileCallFailure) {
                try FileCalls().remove(path + "/" + name)
            } catch {
                throw error.error(writing: path + "/" + name)
            }
        }
    }

    /// Removes the folder of a run that never started, unless something lies in it.
    public func removeIfEmpty() {
        lock?.removeFile()
        rmdir(path)
    }

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

    public var configurationPath: String { path + "/" + Self.configurationName }
    public var reportPath: String { path + "/report.html" }

    static let configurationName = "config.json"

    /// Whether a file of that name is one that a run writes.
    static func owns(_ name: String) -> Bool {
        [
            "metrics.jsonl", "metrics.csv", "log.txt", "report.html", skippedName, divisionName,
            configurationName,
        ].contains(
            name)
            || CheckpointFolder.owns(name)
    }

    private static func check(newRunIn path: String, overwrite: Bool, isLocked: Bool) throws {
        if !isLocked { try RunLock.check(folder: path) }
        switch try RunFolderContent(of: path) {
        case .nothing, .unstartedRun: return
        case .run(let isResumable):
            if overwrite { return }
            let way = isResumable ? "continue it (--resume \(path)), " : ""
            throw ResinError(
                .usage,
                "\(path) holds a run already: \(way)replace it (--overwrite) or choose another folder (--out)"
            )
        case .others(let names):
            let list = names.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
            let rest = names.count > 5 ? " and \(names.count - 5) more" : ""
            throw ResinError(
                .usage,
                "\(path) holds no run, but \(list)\(rest): a run goes to a new or an empty folder; choose "
                    + "another (--out)")
        }
    }

    private static func withoutTrailingSlash(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// A folder and those that it is in, as far as they are missing.
    static func makeFolders(_ path: String) throws {
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
