import Foundation
import ResinTensor

/// What an epoch came to: one line of `metrics.jsonl` and of `metrics.csv`.
public struct EpochMetrics: Codable, Equatable, Sendable {
    /// Counts from 1.
    public var epoch: Int
    public var trainLoss: Double
    /// Share of images in 0 ... 1.
    public var trainAccuracy: Double
    public var testLoss: Double
    public var testAccuracy: Double
    /// At the end of the epoch.
    public var learningRate: Double
    public var seconds: Double
    public var imagesPerSecond: Double
    /// Share of images whose class is among the five most probable; not a number where there are no more than five.
    public var testTop5Accuracy: Double
    /// Mean, of the epoch's training steps.
    public var stepMilliseconds: Double
    /// Training steps that were left out because their loss was not finite (`--on-nan skip`).
    public var skippedSteps: Int

    /// The order is that of the files' columns.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case epoch
        case trainLoss = "train_loss"
        case trainAccuracy = "train_accuracy"
        case testLoss = "test_loss"
        case testAccuracy = "test_accuracy"
        case learningRate = "learning_rate"
        case seconds
        case imagesPerSecond = "images_per_second"
        case testTop5Accuracy = "test_top5_accuracy"
        case stepMilliseconds = "step_milliseconds"
        case skippedSteps = "skipped_steps"
    }

    public init(
        epoch: Int, trainLoss: Double, trainAccuracy: Double, testLoss: Double, testAccuracy: Double,
        learningRate: Double, seconds: Double, imagesPerSecond: Double, testTop5Accuracy: Double,
        stepMilliseconds: Double, skippedSteps: Int = 0
    ) {
        self.epoch = epoch
        self.trainLoss = trainLoss
        self.trainAccuracy = trainAccuracy
        self.testLoss = testLoss
        self.testAccuracy = testAccuracy
        self.learningRate = learningRate
        self.seconds = seconds
        self.imagesPerSecond = imagesPerSecond
        self.testTop5Accuracy = testTop5Accuracy
        self.stepMilliseconds = stepMilliseconds
        self.skippedSteps = skippedSteps
    }

    /// - Throws: `ResinError(.badContent)` that names the key, what its value is and what it may be.
    public init(from decoder: any Decoder) throws {
        self = try JSONText.checked(by: Self.rules, in: decoder) { try Self(unchecked: decoder) }
    }

    private init(unchecked decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func number(_ key: CodingKeys) throws -> Double {
            try values.value(key, as: Double?.self) ?? .nan
        }
        /// Lines of the first versions do not have it.
        func laterNumber(_ key: CodingKeys) throws -> Double {
            try values.optional(key) ?? .nan
        }
        self.init(
            epoch: try values.value(.epoch),
            trainLoss: try number(.trainLoss), trainAccuracy: try number(.trainAccuracy),
            testLoss: try number(.testLoss), testAccuracy: try number(.testAccuracy),
            learningRate: try number(.learningRate), seconds: try number(.seconds),
            imagesPerSecond: try number(.imagesPerSecond),
            testTop5Accuracy: try laterNumber(.testTop5Accuracy),
            stepMilliseconds: try laterNumber(.stepMilliseconds),
            skippedSteps: try values.optional(.skippedSteps) ?? 0)
    }

    package static let rules: [ValueRule<EpochMetrics>] = CodingKeys.allCases.map { key in
        let numbers: (allowed: String, range: ClosedRange<Double>) =
            switch key {
            case .epoch: (ValueRule<Self>.words(1...Limits.epochs), 1...Double(Limits.epochs))
            case .skippedSteps: (ValueRule<Self>.words(0...Limits.steps), 0...Double(Limits.steps))
            case .trainAccuracy, .testAccuracy, .testTop5Accuracy: ("a number from 0 to 1, or null", 0...1)
            // Single precision's; a loss near zero may be rounded to just below.
            case .trainLoss, .testLoss, .learningRate, .seconds, .imagesPerSecond, .stepMilliseconds:
                ("a number from -1 to 1e39, or null", -1...1e39)
            }
        return ValueRule(key.rawValue, nil, numbers.allowed) { metrics in
            let value = metrics.value(key)
            return value.isFinite && !numbers.range.contains(value) ? metrics.text(key) : nil
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        for key in CodingKeys.allCases {
            if let count = count(key) {
                try values.encode(count, forKey: key)
            } else {
                try values.encode(finite(key), forKey: key)
            }
        }
    }

    /// One JSON object. Written by hand: Foundation's encoder orders keys by chance or by alphabet. JSON
    /// knows no infinity; a value that is not finite is `null`, and not a number when read back.
    public var jsonLine: String {
        let members = CodingKeys.allCases.map { key in
            "\"\(key.rawValue)\":\(finite(key) == nil ? "null" : text(key))"
        }
        return "{\(members.joined(separator: ","))}"
    }

    public static var csvHeader: String { CodingKeys.allCases.map(\.rawValue).joined(separator: ",") }

    public var csvLine: String {
        CodingKeys.allCases.map(text).joined(separator: ",")
    }

    private func count(_ key: CodingKeys) -> Int? {
        switch key {
        case .epoch: epoch
        case .skippedSteps: skippedSteps
        default: nil
        }
    }

    private func text(_ key: CodingKeys) -> String { count(key).map { "\($0)" } ?? "\(value(key))" }

    private func finite(_ key: CodingKeys) -> Double? { value(key).isFinite ? value(key) : nil }

    private func value(_ key: CodingKeys) -> Double {
        switch key {
        case .epoch: Double(epoch)
        case .trainLoss: trainLoss
        case .trainAccuracy: trainAccuracy
        case .testLoss: testLoss
        case .testAccuracy: testAccuracy
        case .learningRate: learningRate
        case .seconds: seconds
        case .imagesPerSecond: imagesPerSecond
        case .testTop5Accuracy: testTop5Accuracy
        case .stepMilliseconds: stepMilliseconds
        case .skippedSteps: Double(skippedSteps)
        }
    }
}
