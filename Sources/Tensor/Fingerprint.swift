extension Sequence<UInt8> {
    /// A number of 64 bits that texts which differ practically never share: FNV-1a. It is the same on every machine.
    package var fingerprint: UInt64 {
        reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
