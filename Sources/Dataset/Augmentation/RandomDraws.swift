import ResinTensor

/// Random numbers for one purpose at one place, one after another.
struct RandomDraws {
    /// What they are for: the last word of the counter, so that one augmentation does not change another's. `Op.ImageInput`
    /// has 0.
    enum Purpose: UInt32 {
        case crop = 1
        case flip, jitter, randAugment, erasing, mixing
    }

    private let philox: Philox
    private var counter: Philox.Block
    private var block = Philox.Block()
    private var left = 0

    init(seed: UInt64, _ purpose: Purpose, _ first: UInt32, _ second: UInt32) {
        philox = Philox(seed: seed, stream: .augmentation)
        counter = Philox.Block(first, second, 0, purpose.rawValue)
    }

    mutating func word() -> UInt32 {
        if left == 0 {
            block = philox(counter)
            counter.z &+= 1
            left = 4
        }
        left -= 1
        return block[3 - left]
    }

    /// In [0, 1).
    mutating func unit() -> Double { Double(word()) * 0x1p-32 }

    mutating func uniform(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * unit()
    }

    /// One of 0 ..< `count`. By multiplication and shift; the bias is below count / 2³².
    mutating func below(_ count: Int) -> Int { Int((UInt64(word()) * UInt64(count)) >> 32) }

    mutating func coin() -> Bool { word() >> 31 == 1 }

    /// With mean zero and deviation one, by Marsaglia's polar method.
    mutating func normal() -> Double {
        while true {
            let (x, y) = (2 * unit() - 1, 2 * unit() - 1)
            let square = x * x + y * y
            if square > 0 && square < 1 { return x * (-2 * PortableMath.log(square) / square).squareRoot() }
        }
    }

    /// The logarithm of a number with a gamma distribution (Marsaglia and Tsang, "A simple method for generating gamma
    /// variables", 2000), since that of a small shape may be too small for a `Double`.
    mutating func logGamma(shape: Double) -> Double {
        if shape < 1 {
            return logGamma(shape: shape + 1) + PortableMath.log(unit() + 0x1p-33) / shape
        }
        let d = shape - 1 / 3.0
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let root = 1 + c * x
            if root <= 0 { continue }
            let v = root * root * root
            if PortableMath.log(unit() + 0x1p-33) < 0.5 * x * x + d - d * v + d * PortableMath.log(v) {
                return PortableMath.log(d * v)
            }
        }
    }

    /// Of Beta(α, α).
    mutating func beta(_ alpha: Double) -> Double {
        let (one, other) = (logGamma(shape: alpha), logGamma(shape: alpha))
        return 1 / (1 + PortableMath.exp(other - one))
    }
}

/// Functions that C's libraries round differently, of operations that all machines round alike; right to a few units in
/// the last place.
enum PortableMath {
    private static let log2 = 0.693_147_180_559_945_3

    /// - Parameter x: above zero and finite.
    static func log(_ x: Double) -> Double {
        var (fraction, exponent) = (x.significand, Int(x.exponent))
        if fraction > 1.414_213_562_373_095 { (fraction, exponent) = (fraction / 2, exponent + 1) }
        // 2·artanh(s), |s| ≤ 0.172: the last of twelve terms is below 2⁻⁵⁶.
        let s = (fraction - 1) / (fraction + 1)
        let square = s * s
        let sum = (0..<12).reversed().reduce(0) { $0 * square + 1 / Double(2 * $1 + 1) }
        return Double(exponent) * log2 + 2 * s * sum
    }

    static func exp(_ x: Double) -> Double {
        if x < -700 { return 0 }
        if x > 700 { return .infinity }
        let exponent = (x / log2).rounded()
        let rest = x - exponent * log2
        // |rest| ≤ 0.347: the last term is below 2⁻⁷⁰.
        let sum = (1...16).reversed().reduce(1) { $0 * rest / Double($1) + 1 }
        return Double(sign: .plus, exponent: Int(exponent), significand: sum)
    }
}
