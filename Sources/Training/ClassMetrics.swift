import Foundation

/// How well one class is told from the others.
public struct ClassMetrics: Hashable, Sendable {
    /// Images of the class.
    public var imageCount: Int
    /// Images that are taken for it.
    public var predictionCount: Int
    /// Images of the class that are taken for it.
    public var correctCount: Int

    /// The share of those taken for it that are of it; nil where none is.
    public var precision: Double? {
        predictionCount > 0 ? Double(correctCount) / Double(predictionCount) : nil
    }

    /// The share of its images that are taken for it; nil where there are none.
    public var recall: Double? {
        imageCount > 0 ? Double(correctCount) / Double(imageCount) : nil
    }

    /// The harmonic mean of precision and recall; nil where the class neither is there nor is predicted.
    public var f1: Double? {
        let sum = imageCount + predictionCount
        return sum > 0 ? 2 * Double(correctCount) / Double(sum) : nil
    }
}

/// Which classes are taken for which.
public struct ConfusionMatrix: Hashable, Sendable {
    public let classCount: Int
    /// Numbers of images, by label × classes + predicted class, where there are any: never more than images, however many
    /// classes there are.
    private var counts: [Int: Int] = [:]

    public init(classCount: Int) { self.classCount = classCount }

    public package(set) subscript(label: Int, predicted: Int) -> Int {
        get { counts[label * classCount + predicted] ?? 0 }
        set { counts[label * classCount + predicted] = newValue > 0 ? newValue : nil }
    }

    /// The places that are not zero, row by row.
    public var entries: [(label: Int, predicted: Int, count: Int)] {
        counts.sorted { $0.key < $1.key }.map { ($0.key / classCount, $0.key % classCount, $0.value) }
    }

    /// By class.
    public var classMetrics: [ClassMetrics] {
        var metrics = [ClassMetrics](
            repeating: ClassMetrics(imageCount: 0, predictionCount: 0, correctCount: 0), count: classCount)
        for (place, count) in counts {
            let (label, predicted) = place.quotientAndRemainder(dividingBy: classCount)
            metrics[label].imageCount += count
            metrics[predicted].predictionCount += count
            if label == predicted { metrics[label].correctCount += count }
        }
        return metrics
    }
}

/// How far the probabilities that a network gives can be trusted: images by the probability of the class that they are taken
/// for, in bins of equal width (Guo et al., "On calibration of modern neural networks", ICML 2017, §2).
public struct ReliabilityDiagram: Hashable, Sendable {
    public struct Bin: Hashable, Sendable {
        public var imageCount = 0
        public var correctCount = 0
        /// Of the probabilities.
        public var probabilitySum = 0.0
    }

    /// From 0 to 1.
    public private(set) var bins = [Bin](repeating: Bin(), count: 15)

    public init() {}

    /// - Parameter probability: of the class that an image is taken for.
    mutating func add(probability: Double, isCorrect: Bool) {
        let bin = min(max(Int((probability * Double(bins.count)).rounded(.up)) - 1, 0), bins.count - 1)
        bins[bin].imageCount += 1
        bins[bin].correctCount += isCorrect ? 1 : 0
        bins[bin].probabilitySum += probability
    }

    /// The mean difference between accuracy and probability over the bins, weighted by their images; nil without images.
    public var expectedCalibrationError: Double? {
        let imageCount = bins.reduce(0) { $0 + $1.imageCount }
        if imageCount == 0 { return nil }
        return bins.reduce(0) { $0 + abs(Double($1.correctCount) - $1.probabilitySum) } / Double(imageCount)
    }
}

extension Evaluation {
    /// The mean of the classes' F1, of those that are there or predicted.
    public var macroF1: Double? { mean(\.f1) }

    /// The mean of the classes' recall, of those of which there are images: what the accuracy would be if there were as many
    /// of each. Nil where images may have several classes or none.
    public var balancedAccuracy: Double? { multiLabel == nil ? mean(\.recall) : nil }

    private func mean(_ value: (ClassMetrics) -> Double?) -> Double? {
        let values = classMetrics.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
