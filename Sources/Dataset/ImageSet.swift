import ResinTensor

/// Images of one size with a label each: a training or a test set, held as bytes.
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
    public let labels: [UInt8]

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
        pixels: [UInt8], labels: [UInt8], height: Int, width: Int, channels: Int, classCount: Int,
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
        if let index = labels.firstIndex(where: { Int($0) >= classCount }) {
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

    /// Of a set already checked.
    private init(firstOf set: ImageSet, _ count: Int) {
        self.count = count
        height = set.height
        width = set.width
        channels = set.channels
        pixels = Array(set.pixels.prefix(count * set.height * set.width * set.channels))
        labels = Array(set.labels.prefix(count))
    }

    /// The first `n` images.
    ///
    /// - Errors: `.usage` where `n` is below 1 or more than there are.
    public func prefix(_ n: Int) throws -> ImageSet {
        let n = try Reading.count(of: count, limit: n)
        return n == count ? self : ImageSet(firstOf: self, n)
    }

    /// Mean and standard deviation (of the population) of all pixels, a channel each, on the 0 … 1 scale,
    /// rounded to `decimals` places.
    public func pixelStatistics(decimals: Int) -> (mean: [Float], standardDeviation: [Float]) {
        // Counting values is exact, whatever the number of pixels and of processors, and quick.
        let share = 1 << 24 / channels * channels
        let parts = (pixels.count + share - 1) / share
        var counts = [Int](repeating: 0, count: parts * channels * 256)
        counts.withUnsafeMutableBufferPointer { counts in
            nonisolated(unsafe) let counts = counts
            pixels.withUnsafeBufferPointer { pixels in
                concurrently(parts) { part in
                    let first = part * channels * 256
                    var channel = 0
                    for pixel in pixels[part * share..<min((part + 1) * share, pixels.count)] {
                        counts[first + channel * 256 + Int(pixel)] += 1
                        channel = channel + 1 == channels ? 0 : channel + 1
                    }
                }
            }
        }
        let histograms = (0..<channels * 256).map { value in
            (0..<parts).reduce(0) { $0 + counts[$1 * channels * 256 + value] }
        }
        let pixelCount = Double(count * height * width)
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        func rounded(_ value: Double) -> Float { Float((value * scale).rounded() / scale) }

        var means: [Float] = []
        var deviations: [Float] = []
        for channel in 0..<channels {
            var sum = 0
            var sumOfSquares = 0
            for value in 0..<256 {
                let occurrences = histograms[channel * 256 + value]
                sum += occurrences * value
                sumOfSquares += occurrences * value * value
            }
            let mean = Double(sum) / pixelCount
            let variance = max(Double(sumOfSquares) / pixelCount - mean * mean, 0)
            means.append(rounded(mean / 255))
            deviations.append(rounded(variance.squareRoot() / 255))
        }
        return (means, deviations)
    }
}
