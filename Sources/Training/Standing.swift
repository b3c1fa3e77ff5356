import ResinTensor

/// The steps of an epoch, as far as its line of metrics needs them.
struct TrainedEpoch: Equatable, Sendable {
    var number: Int
    var loss, accuracy: Double
    var skippedSteps: Int
    var seconds, stepSeconds: Double
}

/// How far a run has come. Its checkpoints keep it in the metadata of the optimizer's file.
public struct Standing: Equatable, Sendable {
    public struct Best: Equatable, Sendable {
        public var accuracy: Double
        public var epoch: Int
    }

    /// Epochs whose last step is done.
    public var epochsDone: Int
    public var best: Best?
    /// The last of them, where its evaluation was broken off: it has no line of metrics yet.
    var unevaluated: TrainedEpoch?

    /// Whether no step is left, and no evaluation: the epochs are done, or the patience is at its end.
    public func isOver(_ configuration: TrainingConfiguration) -> Bool {
        if unevaluated != nil { return false }
        if epochsDone >= configuration.epochs { return true }
        guard let patience = configuration.patience, let best else { return false }
        return epochsDone - best.epoch >= patience
    }
}

extension Standing {
    private static let (bestAccuracy, bestEpoch) = ("best_accuracy", "best_epoch")
    private static let unevaluatedEpoch = "unevaluated_epoch"

    /// The epochs done are the trainer's to write: it writes `epoch` into every checkpoint.
    var metadata: [String: String] {
        var metadata: [String: String] = [:]
        if let best {
            metadata[Self.bestAccuracy] = "\(best.accuracy)"
            metadata[Self.bestEpoch] = "\(best.epoch)"
        }
        if let epoch = unevaluated {
            let numbers = [epoch.loss, epoch.accuracy, epoch.seconds, epoch.stepSeconds]
            metadata[Self.unevaluatedEpoch] =
                "\(epoch.number) \(epoch.skippedSteps) " + numbers.map { "\($0)" }.joined(separator: " ")
        }
        return metadata
    }

    /// - Parameter place: of the metadata, for errors.
    /// - Throws: `ResinError(.badContent)` for what no run writes.
    init(_ metadata: [String: String], place: String) throws {
        func number<Number: Comparable & LosslessStringConvertible>(
            _ key: String, _ range: ClosedRange<Number>, _ allowed: String
        ) throws -> Number {
            if let number = metadata[key].flatMap(Number.init), range.contains(number) { return number }
            throw ValueFault(key: key, value: metadata[key].map { "'\($0)'" } ?? "missing", allowed: allowed)
                .badContent(in: place)
        }
        func count(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
            try number(key, range, ValueRule<Self>.words(range))
        }
        epochsDone = metadata["epoch"] == nil ? 0 : try count("epoch", 0...Limits.epochs)
        if metadata[Self.bestAccuracy] != nil || metadata[Self.bestEpoch] != nil {
            best = Best(
                accuracy: try number(Self.bestAccuracy, 0...1, "a number from 0 to 1"),
                epoch: try count(Self.bestEpoch, 1...max(epochsDone, 1)))
        }
        guard let text = metadata[Self.unevaluatedEpoch] else { return }
        let parts = text.split(separator: " ")
        let numbers = parts.dropFirst(2).compactMap { Double($0) }
        guard parts.count == 6, numbers.count == 4, numbers.allSatisfy(\.isFinite),
            Int(parts[0]) == epochsDone,
            let skipped = Int(parts[1]), (0...Limits.steps).contains(skipped), numbers[3] > 0
        else {
            throw ValueFault(
                key: Self.unevaluatedEpoch, value: "'\(text)'",
                allowed: "\(epochsDone), the steps left out, loss, accuracy, and seconds of epoch and step"
            ).badContent(in: place)
        }
        unevaluated = TrainedEpoch(
            number: epochsDone, loss: numbers[0], accuracy: numbers[1], skippedSteps: skipped,
            seconds: numbers[2], stepSeconds: numbers[3])
    }
}

extension RunFolder {
    /// How far the run in it has come, without its weights; nil where no checkpoint is whole.
    public func standing() throws -> Standing? {
        try checkpoints().newestMetadata().map { try Standing($0, place: newestMetadataPlace) }
    }

    /// For errors.
    var newestMetadataPlace: String { "\(path): metadata of its newest checkpoint" }
}
