import CZlib
import Foundation
import ResinTensor

/// Reads a file's bytes in order, through gzip where the content is gzip, whatever the file is called.
struct GzipFile: ~Copyable {
    let path: String
    /// An upper bound of the bytes that can come out of the file, of which more are never asked memory for.
    let maximumByteCount: Int
    private let file: gzFile

    /// Deflate makes at most so many bytes of one.
    static let largestExpansion = 1_032

    /// - Errors: `.missingFile` where the file cannot be opened, `.badContent` where it is no regular file.
    init(path: String) throws {
        let opened = try ReadableFile(path)
        let descriptor = try opened.duplicateDescriptor()
        guard let file = gzdopen(descriptor, "rb") else {
            close(descriptor)
            throw ResinError(.failure, "\(path): zlib cannot read it; is there memory left?")
        }
        gzbuffer(file, 1 << 18)
        self.path = path
        self.file = file
        maximumByteCount = opened.byteCount * (gzdirect(file) == 1 ? 1 : Self.largestExpansion)
    }

    deinit { gzclose_r(file) }

    /// Fills the start of `buffer` and returns how many bytes there were: fewer than asked only at the end.
    ///
    /// - Errors: `.badContent` for a gzip stream that is cut short or damaged.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let wanted = UInt32(min(buffer.count - filled, 1 << 30))
            let got = gzread(file, buffer.baseAddress! + filled, wanted)
            // At the end of a stream that is cut short gzread returns what there was; only gzerror tells.
            var status: Int32 = Z_OK
            let text = gzerror(file, &status)
            guard got >= 0, status == Z_OK || status == Z_STREAM_END else {
                throw ResinError(.badContent, message(status: status, text: text))
            }
            if got == 0 { break }
            filled += Int(got)
        }
        return filled
    }

    /// At most `limit` bytes from here on: fewer where the file ends before.
    func read(atMost limit: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = try read(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: limit))
        }
    }

    /// Whether there is nothing more. Where there is not, zlib has compared the checksum at the stream's end.
    func isAtEnd() throws -> Bool {
        var excess: UInt8 = 0
        return try withUnsafeMutableBytes(of: &excess) { try read(into: $0) } == 0
    }

    /// The bytes from here on, piece by piece.
    func forEachChunk(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 1)
        defer { chunk.deallocate() }
        while case let count = try read(into: chunk), count > 0 {
            try body(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
    }

    private func message(status: Int32, text: UnsafePointer<CChar>?) -> String {
        let fault =
            switch status {
            case Z_BUF_ERROR: "the gzip stream is cut short"
            case Z_DATA_ERROR:
                "the gzip stream is damaged (\(text.map { String(cString: $0) } ?? "data error"))"
            case Z_ERRNO: "cannot be read (\(String(cString: strerror(errno))))"
            default: "cannot be read (zlib status \(status))"
            }
        return "\(path): \(fault); fetch or copy the file again."
    }
}
