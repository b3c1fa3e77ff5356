import Foundation

/// How well images are described that may have several classes or none. A class is predicted where its probability is at least
/// one half.
public struct MultiLabelMetrics: Hashable, Sendable {
    /// By class.
    public var classMetrics: [ClassMetrics]
    /// By class: the mean, over its images, of the precision among those that score at least as high (the area under the curve
    /// of precision and recall as a sum of steps, as scikit-learn's `average_precision_score` has it); nil where there are no
    /// images of it, and where there were too many outputs to keep.
    public var averagePrecision: [Double?]
    /// Share of images in 0 ... 1 of which exactly their own classes are predicted.
    public var exactMatch: Double
    /// Share of decisions, one for each class of each image, that are right.
    public var decisionAccuracy: Double

    /// The mean of the classes' average precision, of those of which there are images.
    public var meanAveragePrecision: Double? {
        let values = averagePrecision.compactMap { $0 }
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}

/// What the metrics are made of, image by image.
package struct MultiLabelCounts {
    private let classCount: Int
    private var classMetrics: [ClassMetrics]
    private var imageCount = 0
    private var exactCount = 0
    private var rightDecisions = 0
    /// By class; empty once there are too many.
    private var scores: [[(score: Float, isOwn: Bool)]]

    /// Half a gigabyte of scores.
    private static let mostScores = 1 << 26

    package init(classCount: Int) {
        self.classCount = classCount
        classMetrics = Array(
            repeating: ClassMetrics(imageCount: 0, predictionCount: 0, correctCount: 0), count: classCount)
        scores = Array(repeating: [], count: classCount)
    }

    /// - Parameters:
    ///   - logits: of an image, by class.
    ///   - classes: the image's, ascending.
    package mutating func add(_ logits: ArraySlice<Float>, classes: [Int]) {
        var own = classes[...]
        var right = 0
        imageCount += 1
        if imageCount * classCount > Self.mostScores { scores = [] }
        for (label, logit) in logits.enumerated() {
            let isOwn = own.first == label
            if isOwn { own.removeFirst() }
            let isPredicted = logit >= 0
            classMetrics[label].imageCount += isOwn ? 1 : 0
            classMetrics[label].predictionCount += isPredicted ? 1 : 0
            classMetrics[label].correctCount += isOwn && isPredicted ? 1 : 0
            right += isOwn == isPredicted ? 1 : 0
            if !scores.isEmpty { scores[label].append((logit, isOwn)) }
        }
        rightDecisions += right
        exactCount += right == classCount ? 1 : 0
    }

    package var metrics: MultiLabelMetrics {
        MultiLabelMetrics(
            classMetrics: classMetrics,
            averagePrecision: scores.isEmpty
                ? Array(repeating: nil, count: classCount) : scores.map(Self.averagePrecision),
            exactMatch: Double(exactCount) / Double(max(imageCount, 1)),
            decisionAccuracy: Double(rightDecisions) / Double(max(imageCount * classCount, 1)))
    }

    /// Σ (recall − recall before) · precision, over thresholds from the largest score on; equal scores pass one together.
    private static func averagePrecision(_ scores: [(score: Float, isOwn: Bool)]) -> Double? {
        let total = scores.count { $0.isOwn }
        if total == 0 { return nil }
        let ordered = scores.sorted { $0.score > $1.score }
        var (sum, seen, found) = (0.0, 0, 0)
        while seen < ordered.count {
            let before = found
            let score = ordered[seen].score
            repeat {
                found += ordered[seen].isOwn ? 1 : 0
                seen += 1
            } while seen < ordered.count && ordered[seen].score == score
            sum += Double(found - before) * Double(found) / Double(seen)
        }
        return sum / Double(total)
    }
}
