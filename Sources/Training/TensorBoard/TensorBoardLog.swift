import Foundation
import ResinProtobuf
import ResinTensor
import SwiftProtobuf

/// An event file for TensorBoard, which grows by what each epoch of a run comes to; steps are epochs.
///
/// A run that goes on begins another file in the same folder. Its first record says from which epoch on: TensorBoard then
/// drops what earlier files have of that epoch and of later ones, as `metrics.jsonl` is cut back.
public final class TensorBoardLog: Sendable {
    /// The file's.
    public let path: String
    /// Whether each parameter's distribution is written after each epoch.
    public let hasHistograms: Bool
    private let file: RecordFile

    /// Begins a file in a folder, which is made if it is missing.
    ///
    /// - Throws: `ResinError(.cannotWrite)`.
    public init(in folder: String, hasHistograms: Bool = false) throws {
        try RunFolder.makeFolders(folder)
        file = try Self.newFile(in: folder)
        path = file.path
        self.hasHistograms = hasHistograms
        try append([.with { $0.fileVersion = "brain.Event:2" }])
    }

    /// Throws what `init(in:)` would, as far as it can be known without writing: to be asked before work that takes long.
    public static func check(_ folder: String) throws {
        var (place, isFolder) = (folder, ObjCBool(false))
        while !FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) {
            let parent = FileCalls.folder(of: place)
            // Nothing can be known, not even of the folder that the program runs in.
            if parent == place { return }
            place = parent
        }
        let code: Int32 =
            if !isFolder.boolValue {
                place == folder ? EEXIST : ENOTDIR
            } else {
                access(place, W_OK | X_OK) == 0 ? 0 : errno
            }
        if code != 0 {
            throw FileCallFailure(call: .makeFolder, path: place, code: code).error(writing: folder)
        }
    }

    /// TensorBoard knows event files by their name, and reads those of a folder in the order of the names: the seconds
    /// since 1970, or one more than the newest that lies there.
    private static func newFile(in folder: String) throws -> RecordFile {
        let prefix = "events.out.tfevents."
        let earlier = FileCalls.names(in: folder).compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count).prefix { $0 != "." }) : nil
        }
        // Ten digits, so that the order of names is that of numbers.
        let limit = 9_999_999_999
        let newest = earlier.filter { (0..<limit).contains($0) }.max() ?? 0
        var seconds = max(Int(Date().timeIntervalSince1970), newest + 1)
        while true {
            let path = "\(folder)/\(prefix)\(String(format: "%010ld", seconds)).\(host).resin"
            do throws(FileCallFailure) {
                return try RecordFile(new: path)
            } catch {
                guard error.code == EEXIST, seconds < limit else { throw error.error(writing: path) }
                seconds += 1
            }
        }
    }

    /// This machine's name. Foundation's asks a name server, which may take seconds.
    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.isEmpty ? "localhost" : text.replacing("/", with: "-")
    }

    /// Says with which epoch the file begins.
    func begin(epoch: Int) throws {
        try append([
            .with {
                $0.step = Int64(epoch)
                $0.sessionLog.status = .start
            }
        ])
    }

    /// Appends what an epoch came to; it is there for readers when this returns.
    func append(_ values: [TensorBoardSummary.Value], epoch: Int) throws {
        try append([
            .with {
                $0.step = Int64(epoch)
                $0.summary.value = values
            }
        ])
    }

    private func append(_ events: [TensorBoardEvent]) throws {
        let time = Date().timeIntervalSince1970
        try file.append(
            events.map { event in
                var event = event
                event.wallTime = time
                return try event.serializedBytes()
            })
    }
}
