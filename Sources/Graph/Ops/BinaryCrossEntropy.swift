import ResinTensor

extension Op {
    /// Binary cross-entropy of each class's sigmoid p = σ(z) and its target t, for images that may be of several classes or
    /// of none; the mean over the classes, as PyTorch's `BCEWithLogitsLoss` has it:
    ///
    ///     −(w[c] · t · log p + (1 − t) · log(1 − p)) / classes, summed over the classes
    ///
    /// With `focal` each class's share is multiplied by α_t · (1 − p_t)^γ (Lin et al., "Focal loss for dense object
    /// detection", ICCV 2017, §3), p_t = p·t + (1 − p)·(1 − t): what is right already counts less.
    ///
    /// Inputs: logits `[N, classes]`; labels `Int32` `[N]`, each the number of a set of classes; `Region.labelSets`; where rows
    /// are mixed `Region.samples`; where classes have weights w `Region.classWeights`. Output: a row of `Metric` an image, in
    /// which an image counts as correct where the largest logit is one of its own classes, of equal logits the first; one
    /// without classes never does. Rows from the step's image count on are zero. A further input, the region of the
    /// `LossScale`, is for the gradient.
    ///
    /// Of mixed rows a class's target is the sum of the shares of those, of the row's own and its partner's set, that have
    /// it; what is counted as correct is that with the larger share.
    public struct BinaryCrossEntropy: Loss {
        public struct Focal: Hashable, Sendable {
            /// γ, above 0.
            public var gamma: Float
            /// α, in 0 ... 1: what a class's presence counts, and 1 − α its absence; nil for both alike.
            public var alpha: Float?

            public init(gamma: Float, alpha: Float? = nil) {
                self.gamma = gamma
                self.alpha = alpha
            }
        }

        public var focal: Focal?
        /// Whether samples say of rows that they are mixed.
        public var mixes: Bool
        /// Whether classes have weights: how much a class's presence counts beside its absence.
        public var weighs: Bool

        public init(focal: Focal? = nil, mixes: Bool = false, weighs: Bool = false) {
            self.focal = focal
            self.mixes = mixes
            self.weighs = weighs
        }

        package var summary: String {
            let alpha = focal?.alpha.map { ", alpha \($0)" } ?? ""
            return "binary cross-entropy" + (focal.map { ", focal with gamma \($0.gamma)\(alpha)" } ?? "")
                + (mixes ? ", mixed labels" : "") + (weighs ? ", weighted classes" : "")
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape.rank == 2 else {
                throw ShapeError("its logits are \(inputs[0].shape), not images × classes; flatten them")
            }
            return [TensorType([inputs[0].shape.images, Metric.allCases.count])]
        }

        package var metrics: Set<Metric> { Set(Metric.allCases) }

        package var gradientSeed: Op { .binaryCrossEntropyGradient(BinaryCrossEntropyGradient(of: self)) }

        package var givesActivation: Bool { false }

        package var samplesInput: Int? { mixes ? 3 : nil }
        package var weightsInput: Int? { weighs ? (mixes ? 4 : 3) : nil }
        fileprivate var inputCount: Int { 3 + (mixes ? 1 : 0) + (weighs ? 1 : 0) }
    }

    /// The gradient of the loss's mean over the step's images with respect to the logits, zero for rows from the image count on;
    /// times the scale in a last input, the region of the `LossScale`, if there is one. Inputs: the loss's; output: like the
    /// logits.
    public struct BinaryCrossEntropyGradient: Operator {
        public var loss: BinaryCrossEntropy

        public init(of loss: BinaryCrossEntropy) { self.loss = loss }

        /// Where the `LossScale` is among so many inputs, if there is one.
        package func scaleInput(of count: Int) -> Int? { count > loss.inputCount ? loss.inputCount : nil }

        package var summary: String { "gradient of \(loss.summary)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }
    }
}

/// Sets of classes, each a bit a class: bit c % 32 of word c / 32.
package enum LabelSetBits {
    package static func wordCount(classes: Int) -> Int { (classes + 31) / 32 }

    /// `[sets, words]`.
    package static func words(of sets: [[Int32]], classes: Int) -> [Int32] {
        let count = wordCount(classes: classes)
        var words = [Int32](repeating: 0, count: count * sets.count)
        for (index, set) in sets.enumerated() {
            for label in set { words[index * count + Int(label) / 32] |= 1 << (label % 32) }
        }
        return words
    }
}
