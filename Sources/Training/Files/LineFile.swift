import Foundation
import ResinTensor

/// A log that grows by whole lines. A line that cannot be written whole is taken back, so that the next one
/// starts at a line's beginning; a torn last line of an earlier process is closed first.
public final class LineFile: Sendable {
    public let path: String
    private let descriptor: Int32
    private let isSynchronised: Bool
    private let calls: FileCalls

    /// Opens the file at its end, or creates it. With `synchronised`, a line is on the disk when `append`
    /// returns: for the few lines that a resumed run relies on.
    public convenience init(_ path: String, synchronised: Bool = false) throws {
        try self.init(path, synchronised: synchronised, calls: FileCalls())
    }

    package init(_ path: String, synchronised: Bool, calls: FileCalls) throws {
        self.path = path
        self.calls = calls
        isSynchronised = synchronised
        do {
            descriptor = try calls.openForAppending(path)
        } catch {
            throw error.error(writing: path)
        }
        let size = byteCount
        var last: UInt8 = 0
        if size > 0, pread(descriptor, &last, 1, off_t(size - 1)) == 1, last != UInt8(ascii: "\n") {
            try append("")
        }
    }

    deinit { _ = close(descriptor) }

    public var isEmpty: Bool { byteCount == 0 }

    private var byteCount: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Appends `line` and a line feed; throws `ResinError(.cannotWrite)`.
    public func append(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        let size = byteCount
        do throws(FileCallFailure) {
            // One call for the line: what several threads append is not mixed.
            try bytes.withUnsafeBufferPointer { buffer throws(FileCallFailure) in
                try calls.write(UnsafeRawBufferPointer(buffer), to: descriptor, of: path)
            }
            if isSynchronised { try calls.synchronise(descriptor, of: path) }
        } catch {
            if error.call == .write { _ = ftruncate(descriptor, off_t(size)) }
            throw error.error(writing: path)
        }
    }
}
