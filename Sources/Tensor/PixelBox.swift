/// Height and width in pixels.
public struct PixelSize: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    public var area: Int { height * width }
    public var shorterSide: Int { min(height, width) }
    /// Height × width, as files' headers and people say it.
    public var description: String { "\(height)×\(width)" }
}

/// A rectangle of an image's pixels.
public struct PixelBox: Hashable, Sendable {
    /// Of the first row.
    public var top: Int
    /// Of the first column.
    public var left: Int
    public var size: PixelSize

    public init(top: Int, left: Int, height: Int, width: Int) {
        self.top = top
        self.left = left
        size = PixelSize(height: height, width: width)
    }

    /// All of an image.
    public init(_ size: PixelSize) { self.init(top: 0, left: 0, height: size.height, width: size.width) }

    public var height: Int { size.height }
    public var width: Int { size.width }
    public var bottom: Int { top + size.height }
    public var right: Int { left + size.width }
}
