import CZlib
import Foundation
import ResinTensor

extension Dataset {
    /// CRC-32 of the labels and pixels of the training and of the test images: what is equal for equal
    /// images, whatever files they came from. It finds what was changed by mistake, not by intent.
    package var checksum: String { "\(train.checksum) \(test.checksum)" }
}

extension ImageSet {
    fileprivate var checksum: String {
        var sum = labels.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        sum = pixels.withUnsafeBufferPointer { crc32_z(sum, $0.baseAddress, $0.count) }
        return String(format: "%08x", UInt32(sum))
    }
}

/// SHA-256 (FIPS 180-4), computed by coreutils' `sha256sum`.
enum Checksum {
    /// Of a file's bytes, as 64 lower-case hexadecimal digits.
    static func ofFile(_ path: String) throws -> String {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw ResinError(.missingFile, "\(path): cannot be opened; check the path and the permissions.")
        }
        return try sum(of: path) { write in
            while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty {
                try chunk.withUnsafeBytes(write)
            }
        }
    }

    /// Of what is in a gzip file, or of the file's bytes where it is none: the same for every container.
    static func ofContent(_ path: String) throws -> String {
        let file = try GzipFile(path: path)
        return try sum(of: path) { write in try file.forEachChunk(write) }
    }

    private static func sum(
        of path: String, _ feed: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> String {
        var text = ""
        let outcome = try ChildProgram.sha256sum.run(
            [], input: { pipe in try feed { try pipe.write(contentsOf: $0) } },
            output: { text += String(decoding: $0, as: UTF8.self) })
        let digits = text.prefix { $0.isHexDigit }
        guard outcome.code == 0, digits.count == 64 else {
            throw ResinError(
                .failure, "\(path): sha256sum failed (\(outcome.complaint)); is it the one of coreutils?")
        }
        return String(digits)
    }
}
