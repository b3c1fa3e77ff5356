import ResinTensor
import Synchronization

/// The one way in for images: how many there are, of which size, each one's class, and its bytes, which are asked for when
/// they are needed. `ImageSet` has them in memory; another source may decode or make them.
///
/// All calls give the same at any time and on any thread.
public protocol ImageSource: Sendable {
    /// `[count, height, width, channels]`.
    var shape: Shape { get }
    /// The class of each image.
    var labels: [Int32] { get }
    /// Writes the bytes of an image, `[height, width, channels]`, 0 … 255. Called on several threads at once.
    ///
    /// - Throws: `ResinError` that names the file where it cannot be read.
    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws
    /// Gives `body` the bytes of consecutive images one after another.
    ///
    /// A source that has them so hands them out; others need not implement it.
    func withBytes<Result>(
        of images: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result
    /// Where an image is from, for people: a path relative to the set's folder. Nil where it is no file of its own.
    func name(of image: Int) -> String?
    /// The first `n` images.
    ///
    /// - Errors: `.usage` where `n` is below 1 or more than there are.
    func prefix(_ n: Int) throws -> any ImageSource
    /// What is equal for equal images, and finds what was changed by mistake, not by intent: CRC-32 of labels and bytes, unless
    /// the source has something quicker.
    func checksum() throws -> String
}

extension ImageSource {
    public var count: Int { shape.images }
    /// Pixels.
    public var height: Int { shape.height }
    /// Pixels.
    public var width: Int { shape.width }
    public var channels: Int { shape.channels }

    public func withBytes<Result>(
        of images: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result {
        let size = shape.count / count
        let bytes = try ImageSet.pixels(count: images.count, size: size) { index, bytes in
            try read(images.lowerBound + index, into: bytes)
        }
        return try bytes.withUnsafeBufferPointer(body)
    }

    /// Gives `body` all bytes, in the images' order, in parts of a few megabytes.
    ///
    /// - Parameter body: takes the index of the part's first image, too.
    package func forEachPart(_ body: (Int, UnsafeBufferPointer<UInt8>) throws -> Void) throws {
        for part in parts { try withBytes(of: part) { try body(part.lowerBound, $0) } }
    }

    private var parts: [Range<Int>] {
        let step = max((1 << 24) / (shape.count / count), 1)
        return stride(from: 0, to: count, by: step).map { $0..<min($0 + step, count) }
    }

    public func name(of image: Int) -> String? { nil }

    public func prefix(_ n: Int) throws -> any ImageSource {
        let n = try Reading.count(of: count, limit: n)
        return n == count ? self : FirstImages(source: self, number: n)
    }

    /// The same images in another size, in memory.
    func resized(toHeight newHeight: Int, width newWidth: Int, classCount: Int) throws -> any ImageSource {
        if newHeight == height && newWidth == width { return self }
        let pixels = try ImageSet.pixels(count: count, size: newHeight * newWidth * channels) {
            index, bytes in
            let image = try withBytes(of: index..<index + 1) {
                RasterImage(height: height, width: width, channels: channels, pixels: Array($0))
            }
            _ = bytes.initialize(from: image.resized(toHeight: newHeight, width: newWidth).pixels)
        }
        return try ImageSet(
            pixels: pixels, labels: labels, height: newHeight, width: newWidth, channels: channels,
            classCount: classCount)
    }

    /// Mean and standard deviation (of the population) of all pixels, a channel each, on the 0 … 1 scale,
    /// rounded to `decimals` places.
    public func pixelStatistics(decimals: Int) throws -> (mean: [Float], standardDeviation: [Float]) {
        let parts = parts
        let total = Mutex(PixelHistogram(channels: channels))
        try concurrently(parts.count) { part in
            var histogram = PixelHistogram(channels: channels)
            try withBytes(of: parts[part]) { histogram.add($0) }
            total.withLock { $0.add(histogram) }
        }
        return total.withLock { $0.statistics(decimals: decimals) }
    }
}

/// The first images of another source.
private struct FirstImages: ImageSource {
    let source: any ImageSource
    let number: Int

    var shape: Shape {
        Shape(images: number, height: source.height, width: source.width, channels: source.channels)
    }
    var labels: [Int32] { Array(source.labels.prefix(number)) }

    func name(of image: Int) -> String? { source.name(of: image) }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try source.read(image, into: bytes)
    }

    func withBytes<Result>(
        of images: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result {
        try source.withBytes(of: images, body)
    }
}
