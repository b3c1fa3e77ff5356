/// Where a test input's numbers come from: a pure function of the input's place and the element's index,
/// short enough to be written again in `make_goldens.py`, with values that float32 holds exactly.
package enum CaseData: Hashable, Sendable {
    /// −1 ..< 1, 24 random bits: what a rounding to tf32, bfloat16 or half would change.
    case uniform
    /// ½ ..< 1½: variances and scales.
    case positive
    /// 16 ..< 18: a mean far from zero, on which a variance of squares loses its digits.
    case offset
    /// −64 ..< 64: logits whose exponentials leave float32's range.
    case large
    /// −3 … 3, so that all sums are exact and ties are frequent.
    case integers
    /// 0 … 255.
    case bytes
    /// 0 ..< the count: labels, and the order of images.
    case below(Int)
    /// These very numbers.
    case listed([Float])
    /// These very words, which need not be numbers that a float holds.
    case words([Int32])

    /// Element `index` of the case's input number `input`.
    package subscript(index: Int, input input: Int) -> Float {
        let word = splitMix(UInt64(index + 1) &+ UInt64(input + 1) << 40)
        return switch self {
        case .uniform: Float(word >> 40) * 0x1p-23 - 1
        case .positive: Float(word >> 41) * 0x1p-23 + 0.5
        case .offset: Float(word >> 44) * 0x1p-19 + 16
        case .large: Float(word >> 40) * 0x1p-17 - 64
        case .integers: Float((word >> 33) % 7) - 3
        case .bytes: Float(word >> 56)
        case .below(let count): Float((word >> 33) % UInt64(count))
        case .listed(let numbers): numbers[index]
        case .words(let words): Float(words[index])
        }
    }

    package func values(count: Int, input: Int) -> [Float] {
        (0..<count).map { self[$0, input: input] }
    }

    /// The name that `make_goldens.py` knows it by.
    var name: String {
        switch self {
        case .uniform: "uniform"
        case .positive: "positive"
        case .offset: "offset"
        case .large: "large"
        case .integers: "integers"
        case .bytes: "bytes"
        case .below(let count): "below \(count)"
        case .listed(let numbers): "listed " + numbers.map { "\($0)" }.joined(separator: " ")
        case .words(let words): "words " + words.map { "\($0)" }.joined(separator: " ")
        }
    }
}

/// SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014).
package func splitMix(_ counter: UInt64) -> UInt64 {
    var word = counter &* 0x9E37_79B9_7F4A_7C15
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
}
