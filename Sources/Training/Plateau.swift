import ResinTensor

/// How `Schedule.Kind.plateau` came to its rate: the state of PyTorch's `ReduceLROnPlateau`, which compares losses in its
/// mode 'rel' with a threshold of 1e-4. Checkpoints keep it in the metadata of the optimizer's file.
package struct Plateau: Equatable, Sendable {
    /// Infinite before there is one.
    package var bestLoss = Double.infinity
    /// Since the best, or since the last reduction.
    package var badEpochs = 0
    package var reductions = 0

    package init() {}

    /// Takes in an epoch's loss; one that is not a number is no better than any.
    package mutating func observe(_ loss: Double, patience: Int) {
        if loss < bestLoss * (1 - 1e-4) {
            bestLoss = loss
            badEpochs = 0
        } else {
            badEpochs += 1
        }
        if badEpochs > patience {
            reductions += 1
            badEpochs = 0
        }
    }

    static let key = "plateau"

    var text: String { "\(bestLoss) \(badEpochs) \(reductions)" }

    /// - Throws: `ResinError(.badContent)` for what no run writes.
    init(_ metadata: [String: String], from path: String) throws {
        let parts = metadata[Self.key]?.split(separator: " ") ?? []
        guard parts.count == 3, let loss = Double(parts[0]), let bad = Int(parts[1]),
            let reductions = Int(parts[2]), !loss.isNaN, loss >= -1,
            (0...Limits.epochs).contains(bad), (0...Limits.epochs).contains(reductions)
        else {
            throw ValueFault(
                key: Self.key, value: metadata[Self.key].map { "'\($0)'" } ?? "missing",
                allowed: "the best loss, and numbers of epochs since and of reductions"
            ).badContent(in: "\(path): metadata")
        }
        (bestLoss, badEpochs, self.reductions) = (loss, bad, reductions)
    }
}
