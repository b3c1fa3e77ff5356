import Foundation
import ResinTensor

/// What lies in a folder that a run is to go to.
enum RunFolderContent: Equatable {
    /// Nothing, or what a run that was killed while it started has left and no other program would.
    case nothing
    /// The configuration of a run that has written nothing else: there is nothing to go on from, or to lose.
    case unstartedRun
    case run(isResumable: Bool)
    /// Names of files and folders that are no run's: they are somebody's, whatever they are called.
    case others([String])

    /// A folder that is not there holds nothing; throws `.cannotWrite` where it cannot be looked into.
    init(of folder: String) throws {
        let names = try Self.names(in: folder).filter { name in
            name != RunLock.fileName && !(TemporaryName(name).map { RunFolder.owns($0.target) } ?? false)
        }
        let isResumable = !CheckpointSlots(in: folder).pairs.isEmpty
        if names.isEmpty {
            self = .nothing
        } else if names.contains(RunFolder.configurationName),
            isResumable || Self.isConfiguration(folder + "/" + RunFolder.configurationName)
        {
            let isStarted = names.contains { RunFolder.owns($0) && $0 != RunFolder.configurationName }
            self = isStarted ? .run(isResumable: isResumable) : .unstartedRun
        } else {
            self = .others(names)
        }
    }

    static func names(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return []
        } catch {
            throw ResinError(
                .cannotWrite,
                "cannot write \(folder): what lies there cannot be listed; is it a folder, and may you read it?"
            )
        }
    }

    /// Whether it looks like a run's. Whatever else may be wrong with it, no other program's `config.json`
    /// has these.
    private static func isConfiguration(_ path: String) -> Bool {
        struct Marks: Decodable {
            struct Optimizer: Decodable { var name: String }
            var network: String
            var optimizer: Optimizer
        }
        guard let file = try? ReadableFile(path), file.byteCount < 1 << 24,
            let bytes = try? file.elements(UInt8.self, count: file.byteCount, at: 0)
        else { return false }
        return (try? JSONDecoder().decode(Marks.self, from: Data(bytes))) != nil
    }
}
