/// The extents of a tensor, outermost first. Activations are `[images, height, width, channels]` (NHWC)
/// or, after a dense layer, `[images, features]`.
public struct Shape: Hashable, Sendable, CustomStringConvertible {
    public var extents: [Int]

    public init(_ extents: [Int]) {
        precondition(extents.allSatisfy { $0 > 0 }, "a shape's extents are positive, not \(extents)")
        self.extents = extents
    }

    public init(images: Int, height: Int, width: Int, channels: Int) {
        self.init([images, height, width, channels])
    }

    public var count: Int { extents.reduce(1, *) }
    public var rank: Int { extents.count }
    public subscript(axis: Int) -> Int { extents[axis] }

    /// The first extent: the batch.
    public var images: Int { extents[0] }
    /// `1` for a dense activation.
    public var height: Int { rank == 4 ? extents[1] : 1 }
    /// `1` for a dense activation.
    public var width: Int { rank == 4 ? extents[2] : 1 }
    /// The innermost extent: channels of an image, features of a dense activation.
    public var channels: Int { extents[rank - 1] }
    /// Number of pixels in all images together: what the channels are repeated over.
    public var pixels: Int { count / channels }

    /// One image's shape as files and people write it: channels × height × width, or the features alone.
    public var channelsFirst: [Int] { rank == 4 ? [channels, height, width] : Array(extents.dropFirst()) }

    public var description: String { extents.map(String.init).joined(separator: "×") }
}

extension Shape: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Int...) { self.init(elements) }
}

public enum ElementType: Hashable, Sendable {
    case float32
    /// The upper half of a float32: its range, and 8 bits of precision.
    case bfloat16
    /// IEEE 754's binary16: 11 bits of precision, magnitudes up to 65,504.
    case float16
    case int32
    case uint8

    public var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .uint8: 1
        }
    }
}
