import Foundation
import ResinTensor

/// Writes a file so that its path always shows the whole old content or the whole new one, through crashes,
/// full disks and power failures: temporary file, fsync, rename, fsync of the folder.
///
/// A failure is `ResinError(.cannotWrite)`, such as
/// `cannot write runs/nin-1/config.json: No space left on device (while writing); the disk or your quota is
/// full: free space; the previous file is untouched`.
public enum AtomicFile {
    /// Writes the bytes that `fill` hands to its argument, chunk after chunk; they are not gathered in
    /// memory. Where `fill` throws, the file stays as it was.
    public static func write(
        to path: String, _ fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        try write(to: path, calls: FileCalls(), fill)
    }

    public static func write(_ bytes: some ContiguousBytes, to path: String) throws {
        try write(to: path) { append in try bytes.withUnsafeBytes(append) }
    }

    package static func write(
        to path: String, calls: FileCalls,
        _ fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var pending = try PendingFile(for: path, calls: calls)
        try fill { try pending.append($0) }
        try pending.seal()
        try pending.place()
        do throws(FileCallFailure) {
            try calls.synchroniseFolder(FileCalls.folder(of: path))
        } catch {
            throw error.error(writing: path)
        }
    }

    /// Makes a file that grows over the limit (`ulimit -f`) an ordinary error, EFBIG, where the system would
    /// end the process by SIGXFSZ. It changes the whole process, so the program calls it, once, at its start;
    /// the library never does.
    public static func ignoreFileSizeSignal() {
        signal(SIGXFSZ, SIG_IGN)
    }
}
