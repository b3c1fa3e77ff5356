/// How often each value is in each channel. Counting is exact, whatever the number of pixels and of processors, and quick.
struct PixelHistogram: Sendable {
    private let channels: Int
    /// `[channel, value]`.
    private var counts: [Int]

    init(channels: Int) {
        self.channels = channels
        counts = [Int](repeating: 0, count: channels * 256)
    }

    /// Takes in pixels, `[…, channels]`.
    mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        counts.withUnsafeMutableBufferPointer { counts in
            var channel = 0
            for byte in bytes {
                counts[channel * 256 + Int(byte)] += 1
                channel = channel + 1 == channels ? 0 : channel + 1
            }
        }
    }

    mutating func add(_ other: PixelHistogram) {
        for place in counts.indices { counts[place] += other.counts[place] }
    }

    /// Mean and standard deviation (of the population), a channel each, on the 0 … 1 scale, rounded to `decimals`
    /// places.
    func statistics(decimals: Int) -> (mean: [Float], standardDeviation: [Float]) {
        let pixelCount = Double(counts.prefix(256).reduce(0, +))
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        func rounded(_ value: Double) -> Float { Float((value * scale).rounded() / scale) }

        var means: [Float] = []
        var deviations: [Float] = []
        for channel in 0..<channels {
            var sum = 0
            var sumOfSquares = 0
            for value in 0..<256 {
                let occurrences = counts[channel * 256 + value]
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
