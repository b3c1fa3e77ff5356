extension ElementType {
    /// Whether it is a floating-point type of 16 bits, in which mixed precision stores activations.
    package var isHalf: Bool { self == .bfloat16 || self == .float16 }

    /// A number's bits in a type of 16 bits: the nearest number's, ties to even; a NaN stays one.
    package func bits(of value: Float) -> UInt16 {
        switch self {
        case .bfloat16:
            let bits = value.bitPattern
            return UInt16((value.isNaN ? bits | 0x40_0000 : bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
        case .float16: return Float16(value).bitPattern
        case .float32, .int32, .uint8: preconditionFailure("\(self) has no floats of 16 bits")
        }
    }

    package func float(bits: UInt16) -> Float {
        switch self {
        case .bfloat16: Float(bitPattern: UInt32(bits) << 16)
        case .float16: Float(Float16(bitPattern: bits))
        case .float32, .int32, .uint8: preconditionFailure("\(self) has no floats of 16 bits")
        }
    }

    /// The nearest number that it has.
    package func rounded(_ value: Float) -> Float { float(bits: bits(of: value)) }
}
