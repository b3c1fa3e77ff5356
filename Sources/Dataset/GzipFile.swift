import CZlib
import Foundation
import ResinTensor

/// Reads a file's bytes in order, through gzip where the content is gzip, whatever the file is called.
struct GzipFile: ~Copyable {
    let path: String
    /// An upper bound of the bytes that can come out of the file.
    let maximumByteCount: Int
    private let file: gzFile

    /// - Errors: `.missingFile` where the file cannot be opened.
    init(path: String) throws {
        guard let file = gzopen(path, "rb") else {
            throw ResinError(
                .missingFile,
                "\(path): cannot be opened (\(String(cString: strerror(errno)))); check the path and the "
                    + "permissions.")
        }
        gzbuffer(file, 1 << 18)
        self.path = path
        self.file = file
        var status = stat()
        let byteCount = stat(path, &status) == 0 ? Int(status.st_size) : 0
        // Deflate makes at most 1,032 bytes of one.
        maximumByteCount = byteCount * (gzdirect(file) == 1 ? 1 : 1_032)
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

    /// All bytes from here on.
    func readAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachChunk { bytes += $0 }
        return bytes
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
