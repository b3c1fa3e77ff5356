import ResinTensor

/// A picture as bytes, grey or colour.
public struct RasterImage: Hashable, Sendable {
    /// Pixels.
    public let height: Int
    /// Pixels.
    public let width: Int
    /// 1: grey, or 3: red, green and blue.
    public let channels: Int
    /// `[height, width, channels]`, 0 … 255.
    public let pixels: [UInt8]

    public init(height: Int, width: Int, channels: Int, pixels: [UInt8]) {
        precondition(height > 0 && width > 0 && (channels == 1 || channels == 3))
        precondition(pixels.count == height * width * channels)
        self.height = height
        self.width = width
        self.channels = channels
        self.pixels = pixels
    }

    /// Decodes a PNG, JPEG or WebP file, known by its content.
    ///
    /// The stored values are taken as they are, as by Pillow and torchvision's `ImageFolder`: gamma, colour
    /// profiles and transparency are left out; of 16 bits a channel the upper 8 are taken; CMYK comes to RGB as Pillow
    /// does it.
    ///
    /// - Parameters:
    ///   - side: of the network that it is for; a JPEG that is much larger is decoded at a half, a quarter or an
    ///     eighth, as those of a folder of images.
    ///   - honoursOrientation: whether it is turned upright, as its EXIF data say how the camera was held.
    ///   - report: gets a sentence where the file is flawed, though it can be read.
    /// - Throws: `ResinError(.missingFile)` where the file cannot be opened, `.badContent` where it is not a
    ///   regular file, none of these, damaged, or cut short, `.outOfMemory` where the machine has no
    ///   memory for an image of the size that its header says, `.failure` where the library that decodes it
    ///   is not installed.
    public init(
        contentsOf path: String, forSide side: Int? = nil, honoursOrientation: Bool = true,
        report: (String) -> Void = { _ in }
    ) throws {
        try self.init(path, forSide: side, honoursOrientation, report) { try ImageBytes(path) }
    }

    /// Decodes the bytes of a PNG, JPEG or WebP file that are in memory; otherwise as above.
    ///
    /// - Parameter name: what messages call it.
    public init(
        decoding bytes: [UInt8], name: String = "the image", forSide side: Int? = nil,
        honoursOrientation: Bool = true, report: (String) -> Void = { _ in }
    ) throws {
        try self.init(name, forSide: side, honoursOrientation, report) { ImageBytes(bytes, name: name) }
    }

    private init(
        _ path: String, forSide side: Int?, _ honoursOrientation: Bool, _ report: (String) -> Void,
        open: () throws -> ImageBytes
    ) throws {
        var header = try ImageHeader(open())
        if !honoursOrientation { header.orientation = 1 }
        let reduction = header.reduction(forSide: side)
        let size = header.size(reduction: reduction)
        let need = header.fittingByteCount(reduction: reduction)
        // What is small has room in the heap, also where a device holds all else.
        if need > 1 << 24 {
            try HostMemory.check(
                need, for: "\(path): decoding \(size) pixels",
                advice: "make the image smaller, or the limit larger (ulimit -v)")
        }
        var flaw: String?
        let pixels = try DecodingMemory.shared.with(need) {
            try [UInt8](unsafeUninitializedCapacity: size.area * header.channels) { pixels, filled in
                let pixels = UnsafeMutableBufferPointer(rebasing: pixels[..<(size.area * header.channels)])
                flaw = try header.decode(
                    open(), reduction: reduction, box: PixelBox(size), channels: header.channels, into: pixels
                )
                filled = pixels.count
            }
        }
        if let flaw { report("\(path): is damaged, but could be read (\(flaw))") }
        self.init(height: size.height, width: size.width, channels: header.channels, pixels: pixels)
    }

    /// In another number of channels, and then of another size.
    package func fitted(channels count: Int, height: Int, width: Int) -> RasterImage {
        // Grey is the same in either order, and quicker in this one.
        if channels == 1 {
            return resized(toHeight: height, width: width).converted(toChannels: count)
        }
        return converted(toChannels: count).resized(toHeight: height, width: width)
    }

    /// Grey to colour (three times the same), or colour to grey by the luma of ITU-R BT.601, as JPEG has it:
    /// 0.299 red + 0.587 green + 0.114 blue.
    public func converted(toChannels count: Int) -> RasterImage {
        precondition(count == 1 || count == 3, "an image is grey or colour, not of \(count) channels")
        if count == channels { return self }
        let converted: [UInt8]
        if count == 3 {
            converted = [UInt8](unsafeUninitializedCapacity: 3 * pixels.count) { buffer, filled in
                for (index, pixel) in pixels.enumerated() {
                    for place in 3 * index..<3 * index + 3 { buffer.initializeElement(at: place, to: pixel) }
                }
                filled = 3 * pixels.count
            }
        } else {
            converted = stride(from: 0, to: pixels.count, by: 3).map { start in
                let red = Int(pixels[start])
                let green = Int(pixels[start + 1])
                let blue = Int(pixels[start + 2])
                return UInt8((299 * red + 587 * green + 114 * blue + 500) / 1000)
            }
        }
        return RasterImage(height: height, width: width, channels: count, pixels: converted)
    }
}
