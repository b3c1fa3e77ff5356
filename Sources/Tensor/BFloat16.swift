extension Float {
    /// The upper half of the nearest number that has no lower one, ties to even; a NaN stays one.
    package var bfloat16Bits: UInt16 {
        let bits = bitPattern
        return UInt16((isNaN ? bits | 0x40_0000 : bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    package init(bfloat16Bits bits: UInt16) { self.init(bitPattern: UInt32(bits) << 16) }
}
