import ResinTensor

extension Op {
    /// Cross-entropy of the softmax of the logits and a target t: −Σ t[c]·log(exp(z[c]) / Σ exp(z)), computed
    /// with the largest logit subtracted. The target is the label's class alone; with label smoothing ε (Szegedy
    /// et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, §7) it is ε / classes for
    /// every class, and 1 − ε more for the label's.
    ///
    /// Inputs: logits `[N, classes]`, labels `Int32` `[N]`; output: a row of `Metric` an image. Of equal logits the
    /// first counts as larger. Rows from the step's image count on are zero. A further input, the region of the
    /// `LossScale`, is for the gradient.
    ///
    /// Where rows are mixed, the third input is `Region.samples`: before smoothing, the target has a sample's share for the
    /// row's own label, and the rest for its partner's. Of both, what is counted as correct is that with the larger share,
    /// the own one of equal shares.
    ///
    /// Where classes have weights w, `Region.classWeights` is an input behind these: class c counts w[c] t[c] in the sum, and the
    /// mean is over Σ w[label] instead of the images (PyTorch's `CrossEntropyLoss(weight:)`); an image's loss is given so that
    /// the images' mean is that mean.
    public struct SoftmaxCrossEntropy: Loss {
        /// ε, in 0 ..< 1.
        public var labelSmoothing: Float
        /// Whether samples say of rows that they are mixed.
        public var mixes: Bool
        /// Whether classes have weights; not where rows are mixed.
        public var weighs: Bool

        public init(labelSmoothing: Float = 0, mixes: Bool = false, weighs: Bool = false) {
            precondition(labelSmoothing >= 0 && labelSmoothing < 1, "label smoothing lies in 0 ..< 1")
            precondition(!mixes || !weighs, "rows are mixed, or classes have weights")
            self.labelSmoothing = labelSmoothing
            self.mixes = mixes
            self.weighs = weighs
        }

        package var summary: String {
            "softmax cross-entropy" + (labelSmoothing > 0 ? ", label smoothing \(labelSmoothing)" : "")
                + (mixes ? ", mixed labels" : "") + (weighs ? ", weighted classes" : "")
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape.rank == 2 else {
                throw ShapeError("its logits are \(inputs[0].shape), not images × classes; flatten them")
            }
            return [TensorType([inputs[0].shape.images, Metric.allCases.count])]
        }

        package var metrics: Set<Metric> { Set(Metric.allCases) }

        package var gradientSeed: Op {
            .softmaxCrossEntropyGradient(
                SoftmaxCrossEntropyGradient(labelSmoothing: labelSmoothing, mixes: mixes, weighs: weighs))
        }

        package var givesActivation: Bool { false }

        /// Behind logits, labels, and what says how they are mixed or weighted.
        package var extraInputs: Int { mixes || weighs ? 3 : 2 }
    }

    /// The gradient of the loss's mean over the step's images: (softmax(z) − target) / count, zero for rows from
    /// the image count on; times the scale in a last input, the region of the `LossScale`, if there is one. Inputs:
    /// logits, labels, where rows are mixed `Region.samples`, where classes have weights `Region.classWeights`; output: like the
    /// logits.
    public struct SoftmaxCrossEntropyGradient: Operator {
        /// Those of the loss.
        public var labelSmoothing: Float
        public var mixes: Bool
        public var weighs: Bool

        public init(labelSmoothing: Float = 0, mixes: Bool = false, weighs: Bool = false) {
            self.labelSmoothing = labelSmoothing
            self.mixes = mixes
            self.weighs = weighs
        }

        package var loss: SoftmaxCrossEntropy {
            SoftmaxCrossEntropy(labelSmoothing: labelSmoothing, mixes: mixes, weighs: weighs)
        }

        /// Where the `LossScale` is among so many inputs, if there is one.
        package func scaleInput(of count: Int) -> Int? {
            let place = loss.extraInputs
            return count > place ? place : nil
        }

        package var summary: String { "gradient of softmax cross-entropy" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }
    }

    /// Sums the loss's columns over the images, in order, into the step's slot of `Region.metrics`. Inputs: a `Loss`'s
    /// output, the metrics region; no output.
    package struct RecordMetrics: Operator {
        package init() {}

        package var summary: String { "metrics" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [] }

        package var givesActivation: Bool { false }
    }

    /// All that a step does with its logits, in one node: the labels of its images, softmax cross-entropy, the loss's
    /// gradient if it is wanted, and what is measured. Inputs: logits, `Region.labels` and `Region.order` or `Region.samples`,
    /// the metrics region, and those of the classes' weights and the `LossScale`, if any; output: the gradient, if any. `Graph.joiningLoss` makes it of
    /// the operators above and of `LabelInput` or `SampleLabels`.
    public struct LossStep: Operator {
        package var givesGradient: Bool
        /// Whether labels are the samples'.
        package var readsSamples: Bool
        package var loss: SoftmaxCrossEntropy

        package init(_ loss: SoftmaxCrossEntropy, givesGradient: Bool, readsSamples: Bool = false) {
            precondition(readsSamples || !loss.mixes, "samples say what is mixed")
            self.loss = loss
            self.givesGradient = givesGradient
            self.readsSamples = readsSamples
        }

        /// Where the metrics are among the inputs; the classes' weights and a `LossScale` come behind them.
        package var metricsInput: Int { readsSamples ? 2 : 3 }
        package var weightsInput: Int? { loss.weighs ? metricsInput + 1 : nil }

        /// Where the `LossScale` is among so many inputs, if there is one.
        package func scaleInput(of count: Int) -> Int? {
            let place = metricsInput + (loss.weighs ? 2 : 1)
            return count > place ? place : nil
        }

        package var summary: String {
            loss.summary + (givesGradient ? " with its gradient" : "") + ", metrics"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            givesGradient ? [inputs[0]] : []
        }

        /// Of the regions only the step's own places are read or written.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            let places = ElementType.int32.byteCount * 2 * inputs[0].shape.images
            return Cost(
                bytes: ([inputs[0]] + outputs).reduce(places + Metric.rowByteCount) { $0 + $1.byteCount })
        }
    }

    /// Notes which channels were above zero anywhere in the step's images: sets
    /// `activity[offset + channel]` to one. Inputs: x `[N, H, W, C]`, the activity region; no output.
    public struct ChannelActivity: Operator {
        public var offset: Int

        public init(offset: Int) { self.offset = offset }

        package var summary: String { "channel activity" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [] }

        package var givesActivation: Bool { false }
    }
}
