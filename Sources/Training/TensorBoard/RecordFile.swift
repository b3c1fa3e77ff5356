import Foundation
import ResinTensor

/// A new file of records as TensorFlow has them (TFRecord). Each is its length in eight bytes, their masked CRC-32C in four,
/// the record, and its masked CRC-32C in four; numbers have their lowest byte first.
///
/// What is appended is with the system at once: a reader beside the program sees it. It is not synchronised, since no run
/// goes on from it.
final class RecordFile: Sendable {
    let path: String
    private let descriptor: Int32
    private let calls = FileCalls()

    /// - Throws: `FileCallFailure`, of code `EEXIST` where there is a file of that name.
    init(new path: String) throws(FileCallFailure) {
        self.path = path
        descriptor = try calls.create(path)
    }

    deinit { _ = close(descriptor) }

    /// Appends records, all or none; throws `ResinError(.cannotWrite)`.
    func append(_ records: [[UInt8]]) throws {
        let bytes = records.flatMap(Self.framed)
        let size = lseek(descriptor, 0, SEEK_END)
        do throws(FileCallFailure) {
            try bytes.withUnsafeBufferPointer { buffer throws(FileCallFailure) in
                try calls.write(UnsafeRawBufferPointer(buffer), to: descriptor, of: path)
            }
        } catch {
            // Readers give a file up at a record that is torn.
            _ = ftruncate(descriptor, size)
            throw error.error(writing: path)
        }
    }

    private static func framed(_ record: [UInt8]) -> [UInt8] {
        let length = UInt64(record.count).littleEndianBytes
        return length + CRC32C.masked(of: length).littleEndianBytes + record
            + CRC32C.masked(of: record).littleEndianBytes
    }
}

extension FixedWidthInteger {
    fileprivate var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian, Array.init) }
}
