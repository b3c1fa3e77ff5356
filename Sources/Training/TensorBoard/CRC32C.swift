/// The checksum of records: CRC-32C (Castagnoli; RFC 3720, appendix B.4), reflected, by a table of what each byte leaves.
package enum CRC32C {
    /// The polynomial, its lowest power in the highest bit.
    private static let polynomial: UInt32 = 0x82F6_3B78

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { rest, _ in rest >> 1 ^ (rest & 1 == 1 ? polynomial : 0) }
    }

    package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        let table = table
        return ~bytes.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }

    /// As TFRecord files have it: turned by 15 bits, and a constant added, since the checksum of what ends in its own
    /// checksum says nothing.
    package static func masked(of bytes: some Sequence<UInt8>) -> UInt32 {
        let sum = checksum(of: bytes)
        return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
    }
}
