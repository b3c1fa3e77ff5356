import ResinTensor

/// Images of one size with a label each, held as bytes.
public struct ImageSet: Sendable {
    public let count: Int
    /// Pixels.
    public let height: Int
    /// Pixels.
    public let width: Int
    public let channels: Int
    /// `[count, height, width, channels]` (NHWC), 0 … 255.
    public let pixels: [UInt8]
    /// `[count]`, each below the number of classes.
    public let labels: [Int32]

    /// `[count, height, width, channels]`.
    public var shape: Shape { Shape(images: count, height: height, width: width, channels: channels) }

    /// Orders of images are lists of `Int32`.
    static func check(count: Int, source: String) throws {
        guard count <= Int(Int32.max) else {
            throw ResinError(
                .badContent,
                "\(source): \(count) images are more than the \(Int32.max) that can be told apart."
            )
        }
    }

    /// Checks that everything fits together.
    ///
    /// - Parameter source: What a message calls the set: the files it came from.
    /// - Errors: `.badContent` for images of no size, no images, numbers of pixels and labels that disagree,
    ///   and labels that are not below `classCount` (the first of them is named).
    public init(
        pixels: [UInt8], labels: [Int32], height: Int, width: Int, channels: Int, classCount: Int,
        source: String = "image set"
    ) throws {
        guard height > 0, width > 0, channels > 0 else {
            throw ResinError(
                .badContent,
                "\(source): the images are \(height)×\(width) with \(channels) channels; "
                    + "height, width and channels must be at least 1.")
        }
        guard !labels.isEmpty else {
            throw ResinError(.badContent, "\(source): holds no images; at least 1 is needed.")
        }
        try Self.check(count: labels.count, source: source)
        let (area, areaOverflow) = height.multipliedReportingOverflow(by: width)
        let (imageSize, sizeOverflow) = area.multipliedReportingOverflow(by: channels)
        let (expected, countOverflow) = imageSize.multipliedReportingOverflow(by: labels.count)
        guard !areaOverflow, !sizeOverflow, !countOverflow, expected == pixels.count else {
            throw ResinError(
                .badContent,
                "\(source): \(labels.count) labels and images of \(height)×\(width)×\(channels) need "
                    + "\(labels.count)×\(height)×\(width)×\(channels) pixel bytes, "
                    + "but there are \(pixels.count).")
        }
        if let index = labels.firstIndex(where: { !(0..<classCount).contains(Int($0)) }) {
            throw ResinError(
                .badContent,
                "\(source): label \(index) is \(labels[index]); with \(classCount) classes labels are "
                    + "0 to \(classCount - 1).")
        }
        count = labels.count
        self.height = height
        self.width = width
        self.channels = channels
        self.pixels = pixels
        self.labels = labels
    }
}

extension ImageSet: ImageSource {
    public func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) {
        withBytes(of: image..<image + 1) { _ = bytes.initialize(from: $0) }
    }

    public func withBytes<Result>(
        of images: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        let size = height * width * channels
        return try pixels.withUnsafeBufferPointer {
            try body(UnsafeBufferPointer(rebasing: $0[images.lowerBound * size..<images.upperBound * size]))
        }
    }

    /// `[count, size]`, the images made on all processors.
    static func pixels(
        count: Int, size: Int, _ make: (Int, UnsafeMutableBufferPointer<UInt8>) throws -> Void
    ) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count * size) { buffer, filled in
            nonisolated(unsafe) let buffer = buffer
            try concurrently(count) { index in
                try make(
                    index, UnsafeMutableBufferPointer(rebasing: buffer[index * size..<(index + 1) * size]))
            }
            filled = count * size
        }
    }
}
