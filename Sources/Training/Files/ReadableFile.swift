import Foundation
import ResinTensor

/// A regular file open for reading at any place. Reading, unlike mapping, gives an error and not a signal
/// where the file is cut off meanwhile.
package struct ReadableFile: ~Copyable {
    package let path: String
    package let byteCount: Int
    private let descriptor: Int32

    /// Throws `.missingFile` where there is no such file, or no leave to read it.
    package init(_ path: String) throws {
        // Non-blocking: opening a named pipe would otherwise wait for its writer.
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard opened >= 0 else {
            let code = errno
            let advice = code == ENOENT ? "check the path" : "check the permissions"
            throw ResinError(
                .missingFile, "cannot read \(path): \(String(cString: strerror(code))); \(advice)")
        }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            throw ResinError(.badContent, "cannot read \(path): it is a folder or a device; name a file")
        }
        self.path = path
        byteCount = Int(status.st_size)
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Fills `buffer` with the bytes from `offset` on.
    borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
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
    package borrowing func elements<Element: BitwiseCopyable>(
        _ type: Element.Type, count: Int, at offset: Int
    ) throws -> [Element] {
        try [Element](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            let exact = UnsafeMutableRawBufferPointer(
                start: buffer.baseAddress, count: count * MemoryLayout<Element>.stride)
            try read(into: exact, at: offset)
            initializedCount = count
        }
    }
}
