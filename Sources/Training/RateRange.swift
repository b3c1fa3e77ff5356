import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A learning-rate range test: the loss of steps whose rate rises from one to the next (Smith, "Cyclical learning rates for
/// training neural networks", WACV 2017, §3.3; its rising by a factor is Howard and Gugger's, "fastai", 2020).
public struct RateRange: Sendable {
    public struct Point: Hashable, Sendable, Codable {
        public var rate: Float
        /// Of the step's images; nil where it is not finite.
        public var loss: Double?
        /// Over the steps so far, the last ones counting the most.
        public var smoothedLoss: Double
    }

    public private(set) var points: [Point] = []
    /// The rate at which the loss was not finite, or four times its least; nil where it never was.
    public private(set) var divergedRate: Float?

    /// Of a step before, for the next.
    private static let memory = 0.9

    /// Takes steps with the trainer, whose weights are of no use afterwards.
    ///
    /// - Parameters:
    ///   - rates: the first and the last; at least ten steps are between them.
    ///   - steps: at least 10.
    ///   - progress: gets each step's point.
    public init(
        _ trainer: Trainer, _ rates: ClosedRange<Float>, steps: Int, progress: (Point) -> Void = { _ in }
    ) throws {
        precondition(steps >= 10 && rates.lowerBound > 0)
        let growth = Double(rates.upperBound) / Double(rates.lowerBound)
        var (average, weight) = (0.0, 0.0)
        for step in 0..<steps {
            let rate = Float(Double(rates.lowerBound) * pow(growth, Double(step) / Double(steps - 1)))
            let loss = try trainer.trainStep(learningRate: rate).loss
            guard loss.isFinite else {
                divergedRate = rate
                return
            }
            average = Self.memory * average + (1 - Self.memory) * loss
            weight = Self.memory * weight + (1 - Self.memory)
            let point = Point(rate: rate, loss: loss, smoothedLoss: average / weight)
            points.append(point)
            progress(point)
            if point.smoothedLoss > 4 * least!.smoothedLoss {
                divergedRate = rate
                return
            }
        }
    }

    /// Where the smoothed loss is least.
    public var least: Point? { points.min { $0.smoothedLoss < $1.smoothedLoss } }

    /// The rate at which the smoothed loss falls the most for a rate that is larger by a factor, before it is least; nil where it
    /// never falls. As many points on either side as are needed not to follow single steps.
    public var steepest: Point? {
        guard let least, let end = points.firstIndex(of: least) else { return nil }
        let reach = max(2, points.count / 20)
        let falls = points.indices.prefix(end + 1).compactMap { index -> (index: Int, slope: Double)? in
            guard index >= reach, index + reach <= end else { return nil }
            return (index, points[index + reach].smoothedLoss - points[index - reach].smoothedLoss)
        }
        guard let best = falls.min(by: { $0.slope < $1.slope }), best.slope < 0 else { return nil }
        return points[best.index]
    }

    /// What to begin with.
    public var suggestion: Float? { steepest?.rate }
}
