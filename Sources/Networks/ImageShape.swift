import ResinTensor

/// One image's channels × height × width, as people and files write it: "1×224×224".
public struct ImageShape: Hashable, Sendable {
    public var channels: Int
    public var height: Int
    public var width: Int

    public init(channels: Int, height: Int, width: Int) {
        precondition(channels > 0 && height > 0 && width > 0, "an image's extents are positive")
        self.channels = channels
        self.height = height
        self.width = width
    }

    /// A square image.
    public init(channels: Int, side: Int) { self.init(channels: channels, height: side, width: side) }

    /// The shape of one image of a batch.
    package init(_ batch: Shape) {
        self.init(channels: batch.channels, height: batch.height, width: batch.width)
    }

    /// Reads "1x224x224": channels × height × width.
    ///
    /// - Throws: `ResinError(.usage)` when the text is anything else.
    public init(parsing text: String) throws {
        let extents = text.split(omittingEmptySubsequences: false) { "xX×".contains($0) }
            .map { Int($0) ?? 0 }
        guard Self.isWithinLimits(extents) else {
            throw ResinError(
                .usage,
                "'\(text)' is not an image shape; write channels, height and width as 1x224x224: it must be "
                    + Self.allowed)
        }
        self.init(channels: extents[0], height: extents[1], width: extents[2])
    }

    /// Whether these are channels, height and width of images whose sizes in bytes can be counted.
    package static func isWithinLimits(_ extents: [Int]) -> Bool {
        extents.count == 3 && extents.allSatisfy { $0 > 0 } && extents[0] <= Limits.channels
            && max(extents[1], extents[2]) <= Limits.side
            && extents.reduce(1, *) <= Limits.imageValues
    }

    package static let allowed =
        "channels, height and width, each from 1 to \(Limits.side) and together at most "
        + "\(Limits.imageValues) values"

    /// Channels × height × width.
    public var valueCount: Int { channels * height * width }

    /// A batch of such images on the device.
    package func batch(of images: Int) -> Shape {
        Shape(images: images, height: height, width: width, channels: channels)
    }
}

extension ImageShape: CustomStringConvertible {
    public var description: String { "\(channels)×\(height)×\(width)" }
}

extension ImageShape: Codable {
    /// `[channels, height, width]`.
    public init(from decoder: any Decoder) throws {
        let extents = try [Int](from: decoder)
        guard Self.isWithinLimits(extents) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "it is \(extents.prefix(8))"))
        }
        self.init(channels: extents[0], height: extents[1], width: extents[2])
    }

    public func encode(to encoder: any Encoder) throws {
        try [channels, height, width].encode(to: encoder)
    }
}
