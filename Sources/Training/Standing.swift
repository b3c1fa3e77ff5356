import ResinTensor

/// The steps of an epoch, as far as its line of metrics needs them.
struct TrainedEpoch: Equatable, Sendable {
    var number: Int
    var loss, accuracy: Double
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
                "\(epoch.number) " + numbers.map { "\($0)" }.joined(separator: " ")
        }
        return metadata
    }

    init(_ metadata: [String: String]) {
        epochsDone = metadata["epoch"].flatMap { Int($0) } ?? 0
        if let accuracy = metadata[Self.bestAccuracy].flatMap(Double.init),
            let epoch = metadata[Self.bestEpoch].flatMap({ Int($0) })
        {
            best = Best(accuracy: accuracy, epoch: epoch)
        }
        let parts = (metadata[Self.unevaluatedEpoch] ?? "").split(separator: " ")
        let numbers = parts.dropFirst().compactMap { Double($0) }
        if numbers.count == 4, let epoch = Int(parts[0]), epoch == epochsDone {
            unevaluated = TrainedEpoch(
                number: epoch, loss: numbers[0], accuracy: numbers[1], seconds: numbers[2],
                stepSeconds: numbers[3])
        }
    }
}

extension RunFolder {
    /// How far the run in it has come, without its weights; nil where no checkpoint is whole.
    public func standing() throws -> Standing? {
        try checkpoints().newestMetadata().map(Standing.init)
    }
}
