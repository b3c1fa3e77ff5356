import ResinTensor

/// Images of any size that have been decoded.
public struct DecodedPhotographs: PhotographSource {
    private let images: [RasterImage]
    public let labels: [Int32]
    public let shape: Shape

    /// - Parameters:
    ///   - images: at least one; all grey, or all in colour.
    ///   - size: that they come to where one size is wanted.
    public init(_ images: [RasterImage], labels: [Int32], size: PixelSize) {
        precondition(images.count == labels.count && images.allSatisfy { $0.channels == images[0].channels })
        self.images = images
        self.labels = labels
        shape = Shape(
            images: images.count, height: size.height, width: size.width, channels: images[0].channels)
    }

    public func size(of image: Int) -> PixelSize {
        PixelSize(height: images[image].height, width: images[image].width)
    }

    public func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) {
        let fitted = images[image].resized(toHeight: height, width: width)
        _ = bytes.update(fromContentsOf: fitted.pixels)
    }

    public func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) {
        let source = images[image]
        source.pixels.withUnsafeBufferPointer { copy(box, of: $0, width: source.width, to: bytes) }
    }
}

extension PhotographSource {
    /// Copies a part of an image's bytes.
    ///
    /// - Parameter width: of the image.
    package func copy(
        _ box: PixelBox, of image: UnsafeBufferPointer<UInt8>, width: Int,
        to bytes: UnsafeMutableBufferPointer<UInt8>
    ) {
        let length = box.width * channels
        for row in 0..<box.height {
            let start = ((box.top + row) * width + box.left) * channels
            let target = UnsafeMutableBufferPointer(rebasing: bytes[row * length..<(row + 1) * length])
            _ = target.update(fromContentsOf: image[start..<start + length])
        }
    }
}
