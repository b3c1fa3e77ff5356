import Foundation
import ResinTensor

/// The one door to the system calls that create, fill, name and remove files: every status passes
/// `attempt`, which repeats interrupted calls and turns a failure into a `FileCallFailure`.
package struct FileCalls: Sendable {
    package enum Call: String, Sendable {
        case create = "creating"
        case write = "writing"
        case lock = "locking"
        case synchronise = "synchronising"
        case close = "closing"
        case link = "linking"
        case rename = "renaming"
        case remove = "removing"
        case makeFolder = "making the folder"
        case synchroniseFolder = "synchronising the folder"
    }

    /// Asked before every call: an `errno` other than 0 makes the call fail with it instead of happening.
    /// Tests let the n-th call fail, or kill the process there.
    package var interfere: @Sendable (_ call: Call, _ path: String) -> Int32

    package init(interfere: @escaping @Sendable (Call, String) -> Int32 = { _, _ in 0 }) {
        self.interfere = interfere
    }

    @discardableResult
    private func attempt<Status: BinaryInteger>(
        _ call: Call, _ path: String, _ body: () -> Status
    ) throws(FileCallFailure) -> Status {
        while true {
            var code = interfere(call, path)
            // What is made to fail at closing is closed all the same.
            if code == 0 || call == .close {
                let status = body()
                if code == 0 {
                    if status >= 0 { return status }
                    code = errno
                }
            }
            // Linux has closed the descriptor even then; closing it again could hit another thread's.
            if code == EINTR, call == .close { return 0 }
            if code != EINTR { throw FileCallFailure(call: call, path: path, code: code) }
        }
    }

    /// Creates a file that did not exist, with the permissions the user's umask gives.
    package func create(_ path: String) throws(FileCallFailure) -> Int32 {
        try attempt(.create, path) { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    }

    package func openForAppending(_ path: String) throws(FileCallFailure) -> Int32 {
        try attempt(.create, path) { open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666) }
    }

    /// What is there already, such as a pipe.
    package func openForWriting(_ path: String) throws(FileCallFailure) -> Int32 {
        try attempt(.create, path) { open(path, O_WRONLY | O_CLOEXEC) }
    }

    /// Takes a lock that goes with the open file, and with the process at the latest; it does not wait.
    package func lock(_ descriptor: Int32, of path: String) throws(FileCallFailure) {
        var request = Self.wholeFileLock
        try attempt(.lock, path) { fcntl(descriptor, Self.setLockOfDescriptor, &request) }
    }

    /// For writing.
    static var wholeFileLock: flock {
        var request = flock()
        request.l_type = Int16(F_WRLCK)
        return request
    }

    // Linux's F_OFD_GETLK and F_OFD_SETLK, which its headers show to GNU's C alone.
    static let getLockOfDescriptor: Int32 = 36
    private static let setLockOfDescriptor: Int32 = 37

    /// Writes all of `bytes`, in as many calls as the system makes of it.
    package func write(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, of path: String
    ) throws(FileCallFailure) {
        var done = 0
        while done < bytes.count {
            done += try attempt(.write, path) {
                Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            }
        }
    }

    package func synchronise(_ descriptor: Int32, of path: String) throws(FileCallFailure) {
        try attempt(.synchronise, path) { fsync(descriptor) }
    }

    package func close(_ descriptor: Int32, of path: String) throws(FileCallFailure) {
        try attempt(.close, path) { Foundation.close(descriptor) }
    }

    package func link(_ source: String, to path: String) throws(FileCallFailure) {
        try attempt(.link, path) { Foundation.link(source, path) }
    }

    package func rename(_ source: String, to path: String) throws(FileCallFailure) {
        try attempt(.rename, path) { Foundation.rename(source, path) }
    }

    /// Removes a file; one that is not there is as good as removed.
    package func remove(_ path: String) throws(FileCallFailure) {
        do {
            try attempt(.remove, path) { unlink(path) }
        } catch  where error.code == ENOENT {
        }
    }

    package func makeFolder(_ path: String) throws(FileCallFailure) {
        try attempt(.makeFolder, path) { mkdir(path, 0o777) }
    }

    /// Makes renames and removals in a folder survive a power failure.
    package func synchroniseFolder(_ path: String) throws(FileCallFailure) {
        do {
            let descriptor = try attempt(.synchroniseFolder, path) {
                open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            }
            defer { _ = Foundation.close(descriptor) }
            try attempt(.synchroniseFolder, path) { fsync(descriptor) }
        } catch  where error.code == EINVAL || error.code == ENOTSUP {
            // Some network and user-space file systems have no such call; they keep their own promises.
        }
    }
}

/// A system call on a file that failed.
package struct FileCallFailure: Error, Equatable {
    package var call: FileCalls.Call
    package var path: String
    package var code: Int32

    package init(call: FileCalls.Call, path: String, code: Int32) {
        self.call = call
        self.path = path
        self.code = code
    }

    /// The same for the person who runs Resin: `target` is the file that he knows of, where the call was made
    /// on a temporary one.
    package func error(writing target: String) -> ResinError {
        ResinError(
            .cannotWrite,
            "cannot write \(target): \(String(cString: strerror(code))) (while \(call.rawValue)); \(advice)")
    }

    private var advice: String {
        if call == .synchroniseFolder {
            return "the new file is in place, but may not survive a power failure: check the disk"
        }
        return switch code {
        case ENOSPC, EDQUOT: "the disk or your quota is full: free space; the previous file is untouched"
        case EFBIG:
            "it would exceed the limit on file sizes: raise it (ulimit -f); the previous file is untouched"
        case EACCES, EPERM, EROFS:
            "writing is not allowed there: change the permissions or choose another folder"
        case EEXIST: "a file has that name: choose another"
        case EISDIR: "it is a folder: name a file, such as one in it"
        case ENOENT, ENOTDIR: "its folder is not there: make it, or choose another"
        case EMFILE, ENFILE: "too many files are open: raise the limit (ulimit -n)"
        default: "the previous file is untouched: check the disk"
        }
    }
}

extension FileCalls {
    /// The folder part of a path, "." where it has none.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of a path.
    package static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// The path that a file's path leads to where it is a symbolic link, whether that is there or not.
    package static func resolved(_ path: String) -> String {
        var path = path
        // As many as the system follows.
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let count = readlink(path, &buffer, buffer.count - 1)
            if count < 0 { break }
            let target = String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
            path = target.hasPrefix("/") ? target : folder(of: path) + "/" + target
        }
        return path
    }

    /// The names in a folder, sorted; none where it cannot be read.
    package static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
