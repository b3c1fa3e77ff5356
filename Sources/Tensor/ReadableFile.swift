import Foundation

/// A regular file open for reading at any place: the one way in which files are read. Reading, unlike
/// mapping, gives an error and not a signal where the file is cut off meanwhile.
package struct ReadableFile: ~Copyable {
    package let path: String
    package let byteCount: Int
    private let descriptor: Int32

    /// - Throws: `ResinError`: `.missingFile` where there is no such file, or no leave to read it;
    ///   `.badContent` where it is anything but a regular file, and so might have no end or never begin.
    package init(_ path: String) throws { try self.init(path, at: path) }

    /// - Parameters:
    ///   - path: what messages call the file.
    ///   - location: where it is, ended by a zero: a file's name need not be text.
    package init(_ path: String, at location: UnsafePointer<CChar>) throws {
        // Non-blocking: opening a named pipe would otherwise wait for its writer.
        let opened = open(location, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard opened >= 0 else { throw Self.cannotOpen(path, errno) }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            throw Self.notRegular(path, status.st_mode)
        }
        self.path = path
        byteCount = Int(status.st_size)
        descriptor = opened
    }

    deinit { close(descriptor) }

    private static func cannotOpen(_ path: String, _ code: Int32) -> ResinError {
        // A socket that has a name cannot even be opened.
        if code == ENXIO { return notRegular(path, S_IFSOCK) }
        let advice =
            switch code {
            case ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP: "check the path"
            case EMFILE, ENFILE: "too many files are open: raise the limit (ulimit -n)"
            default: "check the permissions"
            }
        return ResinError(.missingFile, "cannot read \(path): \(String(cString: strerror(code))); \(advice)")
    }

    private static func notRegular(_ path: String, _ mode: mode_t) -> ResinError {
        let found =
            switch mode & S_IFMT {
            case S_IFDIR: "a folder"
            case S_IFIFO: "a named pipe"
            case S_IFSOCK: "a socket"
            default: "a device"
            }
        return ResinError(
            .badContent, "cannot read \(path): it is \(found), not a regular file; name a file")
    }

    /// Fills `buffer` with the bytes from `offset` on.
    package borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw ResinError(
                    .badContent, "cannot read \(path): \(String(cString: strerror(errno))); check the disk")
            }
            guard count > 0 else {
                throw ResinError(
                    .badContent,
                    "\(path) is torn: it ended at byte \(offset + done) while it was read; is something "
                        + "writing it?")
            }
            done += count
        }
    }

    /// `count` elements of a plain number type from `offset` on.
    ///
    /// - Throws: also `ResinError(.outOfMemory)` where the machine has no memory for them: a file may have
    ///   holes, and be larger than any disk.
    package borrowing func elements<Element: BitwiseCopyable>(
        _ type: Element.Type, count: Int, at offset: Int
    ) throws -> [Element] {
        let size = count * MemoryLayout<Element>.stride
        if size > 1 << 26 { try HostMemory.check(size, for: path) }
        return try [Element](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            try read(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: size), at: offset)
            initializedCount = count
        }
    }

    /// The first bytes: all of them, where there are not more than `limit`.
    package borrowing func prefix(_ limit: Int) throws -> [UInt8] {
        try elements(UInt8.self, count: min(byteCount, limit), at: 0)
    }

    /// The same open file for a library that reads by itself, from its start, and closes it.
    package borrowing func duplicateDescriptor() throws -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Self.cannotOpen(path, errno) }
        return copy
    }
}
