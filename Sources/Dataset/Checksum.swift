import CZlib
import Foundation
import ResinTensor

extension Dataset {
    /// Of the training and of the test images, `ImageSource.checksum`: what is equal for equal images. It finds what was
    /// changed by mistake, not by intent.
    ///
    /// - Parameter saved: one that the result will be compared with. Runs from before folders of images were known by
    ///   their files' names have sums of pixels.
    package func checksum(comparableWith saved: String? = nil) throws -> String {
        if let saved, !saved.contains(PhotographFolder.checksumMark) {
            return "\(try train.pixelChecksum()) \(try test.pixelChecksum())"
        }
        let parts = [train, test] + [validation].compactMap { $0 }
        let sums = try parts.map { try $0.checksum() } + [labelSets?.checksum].compactMap { $0 }
        return sums.joined(separator: " ")
    }
}

extension ImageSource {
    public func checksum() throws -> String { try pixelChecksum() }

    /// CRC-32 of labels and bytes, whatever files they came from.
    func pixelChecksum() throws -> String {
        let labels = labels
        // As wide as class numbers have to be: a byte where it is enough, as in runs from when none was larger.
        let isNarrow = labels.allSatisfy { $0 <= UInt8.max }
        var sum =
            isNarrow
            ? labels.map(UInt8.init).withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
            : labels.withUnsafeBytes { crc32_z(0, $0.baseAddress, $0.count) }
        try forEachPart { sum = crc32_z(sum, $1.baseAddress, $1.count) }
        return String(format: "%08x", UInt32(sum))
    }
}

/// SHA-256 (FIPS 180-4), computed by coreutils' `sha256sum`.
enum Checksum {
    /// Of a file's bytes, as 64 lower-case hexadecimal digits.
    static func ofFile(_ path: String) throws -> String {
        let file = try ReadableFile(path)
        return try sum(of: path) { write in
            for start in stride(from: 0, to: file.byteCount, by: 1 << 20) {
                let count = min(1 << 20, file.byteCount - start)
                try file.elements(UInt8.self, count: count, at: start).withUnsafeBytes(write)
            }
        }
    }

    /// Of what is in a gzip file, or of the file's bytes where it is none: the same for every container.
    ///
    /// - Returns: nil where there are more bytes than `limit`.
    static func ofContent(_ path: String, limit: Int) throws -> String? {
        struct Excess: Error {}
        let file = try GzipFile(path: path)
        var left = limit
        do {
            return try sum(of: path) { write in
                try file.forEachChunk { chunk in
                    left -= chunk.count
                    if left < 0 { throw Excess() }
                    try write(chunk)
                }
            }
        } catch is Excess {
            return nil
        }
    }

    static func ofBytes(_ bytes: [UInt8]) throws -> String {
        try sum(of: "labels") { write in try bytes.withUnsafeBytes(write) }
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
