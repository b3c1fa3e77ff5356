import Foundation

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
    }

    public init(
        epoch: Int, trainLoss: Double, trainAccuracy: Double, testLoss: Double, testAccuracy: Double,
        learningRate: Double, seconds: Double, imagesPerSecond: Double, testTop5Accuracy: Double,
        stepMilliseconds: Double
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
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func number(_ key: CodingKeys) throws -> Double {
            try values.decode(Double?.self, forKey: key) ?? .nan
        }
        /// Lines of the first version do not have it.
        func laterNumber(_ key: CodingKeys) throws -> Double {
            try values.decodeIfPresent(Double.self, forKey: key) ?? .nan
        }
        self.init(
            epoch: try values.decode(Int.self, forKey: .epoch),
            trainLoss: try number(.trainLoss), trainAccuracy: try number(.trainAccuracy),
            testLoss: try number(.testLoss), testAccuracy: try number(.testAccuracy),
            learningRate: try number(.learningRate), seconds: try number(.seconds),
            imagesPerSecond: try number(.imagesPerSecond),
            testTop5Accuracy: try laterNumber(.testTop5Accuracy),
            stepMilliseconds: try laterNumber(.stepMilliseconds))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(epoch, forKey: .epoch)
        for key in CodingKeys.allCases where key != .epoch {
            try values.encode(finite(key), forKey: key)
        }
    }

    /// One JSON object. Written by hand: Foundation's encoder orders keys by chance or by alphabet. JSON
    /// knows no infinity; a value that is not finite is `null`, and not a number when read back.
    public var jsonLine: String {
        let members = CodingKeys.allCases.map { key in
            "\"\(key.rawValue)\":\(key == .epoch ? "\(epoch)" : finite(key).map { "\($0)" } ?? "null")"
        }
        return "{\(members.joined(separator: ","))}"
    }

    public static var csvHeader: String { CodingKeys.allCases.map(\.rawValue).joined(separator: ",") }

    public var csvLine: String {
        CodingKeys.allCases.map { $0 == .epoch ? "\(epoch)" : "\(value($0))" }.joined(separator: ",")
    }

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
        }
    }
}
