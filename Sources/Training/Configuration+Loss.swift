import Foundation
import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

extension TrainingConfiguration {
    /// What is trained for.
    public enum LossFunction: String, Codable, CaseIterable, Sendable {
        /// Of the softmax: an image is of one class.
        case crossEntropy = "cross-entropy"
        /// Binary cross-entropy of each class's sigmoid: an image may be of several classes, or of none.
        case binary

        /// Of each class, from a network's outputs, which are finite.
        public func probabilities(_ logits: some Collection<Float>) -> [Double] {
            switch self {
            case .crossEntropy:
                // Less the largest, so that none overflows.
                let largest = Double(logits.max()!)
                let powers = logits.map { exp(Double($0) - largest) }
                let sum = powers.reduce(0, +)
                return powers.map { $0 / sum }
            case .binary: return logits.map { 1 / (1 + exp(-Double($0))) }
            }
        }
    }

    /// What a focal loss has besides the binary one; see `Op.BinaryCrossEntropy`.
    public struct Focal: Codable, Hashable, Sendable {
        /// γ.
        public var gamma: Float
        /// α.
        public var alpha: Float?

        public init(gamma: Float, alpha: Float? = nil) {
            self.gamma = gamma
            self.alpha = alpha
        }
    }

    static let lossRules: [ValueRule<TrainingConfiguration>] = [
        ValueRule("loss", "--loss", LossFunction.allNames),
        ValueRule("label_sets", nil, 1...Limits.images) { $0.labelSetCount },
        ValueRule("focal.gamma", "--focal", "above 0 and at most 10, such as 2", Float(0).nextUp...10) {
            $0.focal?.gamma
        },
        ValueRule("focal.alpha", "--focal", "from 0 to 1, such as 2,0.25", 0...Float(1)) { $0.focal?.alpha },
        ValueRule("focal", "--focal", "with --loss binary") {
            $0.focal != nil && $0.loss != .binary ? "with --loss \($0.loss.rawValue)" : nil
        },
        ValueRule("label_smoothing", "--label-smoothing", "0 with --loss binary") {
            $0.loss == .binary && $0.labelSmoothing > 0 ? "\($0.labelSmoothing)" : nil
        },
        ValueRule("label_smoothing", "--label-smoothing", shareWords, share) { $0.labelSmoothing },
    ]

    /// The loss of training, or of a test, which is plain.
    func lossOp(mixes: Bool, isTraining: Bool) -> (loss: any Loss, op: Op, weighs: Bool) {
        let weighs = isTraining && classWeights != nil
        switch loss {
        case .crossEntropy:
            let loss = Op.SoftmaxCrossEntropy(
                labelSmoothing: isTraining ? labelSmoothing : 0, mixes: mixes, weighs: weighs)
            return (loss, .softmaxCrossEntropy(loss), weighs)
        case .binary:
            let focal = isTraining ? focal.map { ($0.gamma, $0.alpha) } : nil
            let loss = Op.BinaryCrossEntropy(
                focal: focal.map { .init(gamma: $0.0, alpha: $0.1) }, mixes: mixes, weighs: weighs)
            return (loss, .binaryCrossEntropy(loss), weighs)
        }
    }

    /// Refuses images whose labels the loss has no form for.
    ///
    /// - Throws: `ResinError(.usage)`.
    func checkLabels(of dataset: Dataset) throws {
        guard dataset.labelSets != nil else { return }
        guard loss == .binary else {
            throw ResinError(
                .usage,
                "images of \(dataset.name) have several labels, or none; cross-entropy is of one label an image: "
                    + "give --loss binary, or use a table with one label in each line")
        }
        guard sampler != .balanced else {
            throw ResinError(
                .usage,
                "--sampler balanced takes as many images of each class, but images of \(dataset.name) are of several; use "
                    + "--class-weights balanced")
        }
    }

    /// Sets what follows from a data set's labels.
    mutating func takeLabels(of dataset: Dataset) {
        labelSetCount = loss == .binary ? dataset.classesOfLabels.count : nil
    }

    /// Writes what the loss reads besides labels; the plan's regions must be allocated.
    func writeLossOperands(_ dataset: Dataset, on executor: any Executor, trains: Bool) throws {
        if trains, let classWeights { try executor.write(classWeights, to: .classWeights) }
        if loss == .binary {
            try executor.write(
                LabelSetBits.words(of: dataset.classesOfLabels, classes: classCount), to: .labelSets)
        }
    }
}
