import Foundation
import ResinTensor

/// The right to write in a run's folder, which one process has at a time: an advisory lock on a hidden file
/// there. The system lets it go when the process is gone, however it ended; child programs do not get it.
package final class RunLock: Sendable {
    package static let fileName = ".resin.lock"

    /// What to tell where the file system has no locks; nothing is held then.
    package let warning: String?
    private let path: String
    private let descriptor: Int32

    /// Throws `ResinError(.usage)` that names the process which has the folder, `.cannotWrite` where no file
    /// can be made in it.
    package init(folder: String, calls: FileCalls = FileCalls()) throws {
        path = folder + "/" + Self.fileName
        var opened: Int32 = -1
        var warning: String?
        do throws(FileCallFailure) {
            repeat {
                if opened >= 0 { close(opened) }
                opened = try calls.openForAppending(path)
                do throws(FileCallFailure) {
                    try calls.lock(opened, of: path)
                } catch {
                    // POSIX leaves it open which of the two says that somebody has it.
                    if error.code == EAGAIN || error.code == EACCES { throw error }
                    warning =
                        "the file system of \(folder) has no locks (\(String(cString: strerror(error.code)))): "
                        + "see to it yourself that no other process trains there"
                }
                // Who had it before removes the file: a lock counts only where others will look for it.
            } while warning == nil && !Self.isThere(opened, at: path)
        } catch {
            if opened >= 0 { close(opened) }
            throw error.call == .lock ? Self.taken(folder) : error.error(writing: path)
        }
        self.warning = warning
        descriptor = opened
        if warning == nil {
            // Where this fails, on a full disk, others hear less.
            _ = ftruncate(descriptor, 0)
            let text = "\(getpid()) \(Self.hostName)\n"
            _ = text.withCString { write(descriptor, $0, strlen($0)) }
        }
    }

    deinit {
        removeFile()
        close(descriptor)
    }

    /// Gives the file's name back, so that the folder can be removed.
    package func removeFile() {
        if Self.isThere(descriptor, at: path) { unlink(path) }
    }

    /// Throws as `init` does where a process has the folder, and takes nothing.
    package static func check(folder: String) throws {
        let descriptor = open(folder + "/" + fileName, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var request = FileCalls.wholeFileLock
        let isKnown = fcntl(descriptor, FileCalls.getLockOfDescriptor, &request) == 0
        if isKnown, request.l_type != Int16(F_UNLCK) { throw taken(folder) }
    }

    private static func taken(_ folder: String) -> ResinError {
        let bytes = (try? ReadableFile(folder + "/" + fileName).prefix(1 << 10)) ?? []
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(whereSeparator: \.isWhitespace)
        // It may not have come to writing its number.
        let holder = parts.count == 2 ? "process \(parts[0]) on \(parts[1])" : "another process"
        return ResinError(
            .usage,
            "\(folder) is taken: \(holder) is training there; wait until it ends, stop it, or use another "
                + "folder")
    }

    private static func isThere(_ descriptor: Int32, at path: String) -> Bool {
        var (held, named) = (stat(), stat())
        return fstat(descriptor, &held) == 0 && stat(path, &named) == 0
            && held.st_dev == named.st_dev && held.st_ino == named.st_ino
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        // Not `ProcessInfo`'s, which may ask the network.
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
