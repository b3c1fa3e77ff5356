/// Philox4x32-10, the counter-based random generator of Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3" (SC 2011). The numbers are a pure function of key and counter, so dropout, shuffling,
/// augmentation and initialisation are the same on every executor and after a resume. `Kernels/shared/philox.cl`
/// holds the same function for devices.
public struct Philox: Sendable {
    public typealias Block = SIMD4<UInt32>

    /// The two key words.
    public var key: SIMD2<UInt32>

    /// A generator for one purpose: `seed` is the run's, `stream` tells apart what draws from it.
    public init(seed: UInt64, stream: Stream) {
        key = SIMD2(
            UInt32(truncatingIfNeeded: seed) ^ stream.rawValue,
            UInt32(truncatingIfNeeded: seed >> 32))
    }

    /// Keeps draws for different purposes apart under one seed. The values are part of what a seed means: never
    /// renumber them.
    public enum Stream: UInt32, Sendable {
        case initialisation = 0x9E37_0001
        case shuffling = 0x9E37_0002
        case augmentation = 0x9E37_0003
        case dropout = 0x9E37_0004
        case glyphs = 0x9E37_0005
        case split = 0x9E37_0006
        case validation = 0x9E37_0007
        case sampling = 0x9E37_0008
    }

    /// Four random words for a counter.
    public func callAsFunction(_ counter: Block) -> Block {
        var counter = counter
        var key = key
        for _ in 0..<10 {
            let first = UInt64(counter.x) * 0xD251_1F53
            let second = UInt64(counter.z) * 0xCD9E_8D57
            counter = Block(
                UInt32(second >> 32) ^ counter.y ^ key.x, UInt32(truncatingIfNeeded: second),
                UInt32(first >> 32) ^ counter.w ^ key.y, UInt32(truncatingIfNeeded: first))
            key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return counter
    }

    /// A uniform number in [0, 1) with 24 random bits, exact in single precision.
    public static func unit(_ word: UInt32) -> Float { Float(word >> 8) * 0x1p-24 }

    /// The numbers 0 ..< `count` in random order (Fisher–Yates), one order an epoch, and one for each further round and place.
    public func permutation(of count: Int, epoch: Int, round: Int = 0, place: Int = 0) -> [Int32] {
        var order = (0..<Int32(count)).map { $0 }
        for last in stride(from: count - 1, to: 0, by: -1) {
            let word = self(Block(UInt32(last), UInt32(epoch), UInt32(round), UInt32(place))).x
            // Multiply-shift; its bias is below count / 2³² and the same everywhere.
            let other = Int((UInt64(word) * UInt64(last + 1)) >> 32)
            order.swapAt(last, other)
        }
        return order
    }
}
