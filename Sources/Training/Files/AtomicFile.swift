import Foundation
import ResinTensor

/// Writes a file so that its path always shows the whole old content or the whole new one, through crashes,
/// full disks and power failures: temporary file, fsync, rename, fsync of the folder. A link stays and the file
/// that it names is replaced; a pipe or a device, such as /dev/stdout, is written to.
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

    /// Throws where `write` could not even begin: to be asked before work that takes long.
    public static func check(_ path: String) throws {
        let calls = FileCalls()
        if try !isStream(path) { _ = try PendingFile(for: FileCalls.resolved(path), calls: calls) }
    }

    package static func write(
        to path: String, calls: FileCalls,
        _ fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        if try isStream(path) { return try writeStream(path, calls, fill) }
        let path = FileCalls.resolved(path)
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

    /// Whether it is there and is neither a file nor, which is an error, a folder.
    private static func isStream(_ path: String) throws -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        if status.st_mode & S_IFMT == S_IFDIR {
            throw FileCallFailure(call: .create, path: path, code: EISDIR).error(writing: path)
        }
        return status.st_mode & S_IFMT != S_IFREG
    }

    private static func writeStream(
        _ path: String, _ calls: FileCalls,
        _ fill: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        do {
            let descriptor = try calls.openForWriting(path)
            defer { try? calls.close(descriptor, of: path) }
            try fill { try calls.write($0, to: descriptor, of: path) }
        } catch let failure as FileCallFailure {
            throw failure.error(writing: path)
        }
    }

    /// Makes a file that grows over the limit (`ulimit -f`) an ordinary error, EFBIG, where the system would
    /// end the process by SIGXFSZ. It changes the whole process, so the program calls it, once, at its start;
    /// the library never does.
    public static func ignoreFileSizeSignal() {
        signal(SIGXFSZ, SIG_IGN)
    }
}
