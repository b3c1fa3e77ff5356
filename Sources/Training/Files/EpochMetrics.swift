import Foundation
import ResinDataset
import ResinTensor

/// What an epoch came to: one line of `metrics.jsonl` and of `metrics.csv`.
public struct EpochMetrics: Codable, Equatable, Sendable {
    /// Counts from 1.
    public var epoch: Int
    public var trainLoss = Double.nan
    /// Share of images in 0 ... 1.
    public var trainAccuracy = Double.nan
    public var testLoss = Double.nan
    public var testAccuracy = Double.nan
    /// At the end of the epoch.
    public var learningRate = Double.nan
    public var seconds = Double.nan
    public var imagesPerSecond = Double.nan
    /// Share of images whose class is among the five most probable; not a number where there are no more than five.
    public var testTop5Accuracy = Double.nan
    /// Mean, of the epoch's training steps.
    public var stepMilliseconds = Double.nan
    /// Training steps that were left out because their loss was not finite (`--on-nan skip`).
    public var skippedSteps = 0
    /// In place of the test's where a run has validation images: those that choose the best weights.
    public var validationLoss: Double?
    public var validationAccuracy: Double?
    public var validationTop5Accuracy: Double?
    /// Of the weights' moving averages, in runs that keep them: these choose the best weights then.
    public var averagedTestLoss: Double?
    public var averagedTestAccuracy: Double?
    public var averagedValidationLoss: Double?
    public var averagedValidationAccuracy: Double?

    /// What chooses the best weights: validation's, or the test's.
    public var evaluated: (part: DatasetPart, loss: Double, accuracy: Double, top5Accuracy: Double) {
        guard let validationAccuracy else { return (.test, testLoss, testAccuracy, testTop5Accuracy) }
        return (
            .validation, validationLoss ?? .nan, validationAccuracy, validationTop5Accuracy ?? .nan
        )
    }

    /// Takes an evaluation's results over.
    mutating func record(_ evaluation: Evaluation, of part: DatasetPart) {
        switch part {
        case .test:
            (testLoss, testAccuracy, testTop5Accuracy) = (
                evaluation.loss, evaluation.accuracy, evaluation.top5Accuracy ?? .nan
            )
        case .validation:
            (validationLoss, validationAccuracy, validationTop5Accuracy) = (
                evaluation.loss, evaluation.accuracy, evaluation.top5Accuracy
            )
        }
    }

    /// Takes over what the moving averages give.
    mutating func record(averages evaluation: Evaluation, of part: DatasetPart) {
        switch part {
        case .test: (averagedTestLoss, averagedTestAccuracy) = (evaluation.loss, evaluation.accuracy)
        case .validation:
            (averagedValidationLoss, averagedValidationAccuracy) = (evaluation.loss, evaluation.accuracy)
        }
    }

    /// Loss and accuracy of the moving averages, on what chooses the best weights; nil where there are none.
    public var averaged: (loss: Double, accuracy: Double)? {
        let (loss, accuracy) =
            validationAccuracy == nil
            ? (averagedTestLoss, averagedTestAccuracy)
            : (averagedValidationLoss, averagedValidationAccuracy)
        return accuracy.map { (loss ?? .nan, $0) }
    }

    /// What chooses the best weights: the averages' accuracy, where there are any.
    var decidingAccuracy: Double { averaged?.accuracy ?? evaluated.accuracy }

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
        case validationLoss = "validation_loss"
        case validationAccuracy = "validation_accuracy"
        case validationTop5Accuracy = "validation_top5_accuracy"
        case averagedTestLoss = "ema_test_loss"
        case averagedTestAccuracy = "ema_test_accuracy"
        case averagedValidationLoss = "ema_validation_loss"
        case averagedValidationAccuracy = "ema_validation_accuracy"
    }

    /// An epoch of which nothing is known yet.
    public init(epoch: Int) { self.epoch = epoch }

    /// - Throws: `ResinError(.badContent)` that names the key, what its value is and what it may be.
    public init(from decoder: any Decoder) throws {
        self = try JSONText.checked(by: Self.rules, in: decoder) { try Self(unchecked: decoder) }
    }

    private init(unchecked decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(epoch: try values.value(.epoch))
        for key in CodingKeys.allCases {
            // Lines of the first versions do not have the last ten.
            let isOptional = CodingKeys.allCases.suffix(10).contains(key)
            switch Self.place(of: key) {
            case .count(let place):
                self[keyPath: place] =
                    isOptional ? try values.optional(key) ?? 0 : try values.value(key)
            case .number(let place):
                self[keyPath: place] =
                    (isOptional ? try values.optional(key) : try values.value(key, as: Double?.self)) ?? .nan
            case .addition(let place): self[keyPath: place] = try values.optional(key)
            }
        }
    }

    package static let rules: [ValueRule<EpochMetrics>] = CodingKeys.allCases.map { key in
        let numbers: (allowed: String, range: ClosedRange<Double>) =
            switch key {
            case .epoch: (ValueRule<Self>.words(1...Limits.epochs), 1...Double(Limits.epochs))
            case .skippedSteps: (ValueRule<Self>.words(0...Limits.steps), 0...Double(Limits.steps))
            case .trainAccuracy, .testAccuracy, .testTop5Accuracy, .validationAccuracy,
                .validationTop5Accuracy, .averagedTestAccuracy, .averagedValidationAccuracy:
                ("a number from 0 to 1, or null", 0...1)
            // Single precision's; a loss near zero may be rounded to just below.
            case .trainLoss, .testLoss, .validationLoss, .averagedTestLoss, .averagedValidationLoss,
                .learningRate, .seconds, .imagesPerSecond, .stepMilliseconds:
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

    private enum Place {
        case count(WritableKeyPath<EpochMetrics, Int>)
        case number(WritableKeyPath<EpochMetrics, Double>)
        /// What not every run has.
        case addition(WritableKeyPath<EpochMetrics, Double?>)
    }

    private static func place(of key: CodingKeys) -> Place {
        switch key {
        case .epoch: .count(\.epoch)
        case .trainLoss: .number(\.trainLoss)
        case .trainAccuracy: .number(\.trainAccuracy)
        case .testLoss: .number(\.testLoss)
        case .testAccuracy: .number(\.testAccuracy)
        case .learningRate: .number(\.learningRate)
        case .seconds: .number(\.seconds)
        case .imagesPerSecond: .number(\.imagesPerSecond)
        case .testTop5Accuracy: .number(\.testTop5Accuracy)
        case .stepMilliseconds: .number(\.stepMilliseconds)
        case .skippedSteps: .count(\.skippedSteps)
        case .validationLoss: .addition(\.validationLoss)
        case .validationAccuracy: .addition(\.validationAccuracy)
        case .validationTop5Accuracy: .addition(\.validationTop5Accuracy)
        case .averagedTestLoss: .addition(\.averagedTestLoss)
        case .averagedTestAccuracy: .addition(\.averagedTestAccuracy)
        case .averagedValidationLoss: .addition(\.averagedValidationLoss)
        case .averagedValidationAccuracy: .addition(\.averagedValidationAccuracy)
        }
    }

    private func count(_ key: CodingKeys) -> Int? {
        if case .count(let place) = Self.place(of: key) { self[keyPath: place] } else { nil }
    }

    private func value(_ key: CodingKeys) -> Double {
        switch Self.place(of: key) {
        case .count(let place): Double(self[keyPath: place])
        case .number(let place): self[keyPath: place]
        case .addition(let place): self[keyPath: place] ?? .nan
        }
    }

    private func text(_ key: CodingKeys) -> String { count(key).map { "\($0)" } ?? "\(value(key))" }

    /// Nil where it is not, or where there is none.
    func finite(_ key: CodingKeys) -> Double? { value(key).isFinite ? value(key) : nil }
}
