import ResinTraining

/// A class that an image may be of.
public struct Prediction: Hashable, Sendable {
    /// Of the network's output.
    public var index: Int
    public var className: String
    /// The softmax of the network's outputs; where the loss was binary, the sigmoid of this one.
    public var probability: Double

    public init(index: Int, className: String, probability: Double) {
        self.index = index
        self.className = className
        self.probability = probability
    }

    /// All classes, the likeliest first; of equals, the first.
    ///
    /// - Parameters:
    ///   - logits: the network's outputs, finite.
    ///   - loss: what the network was trained for.
    static func classes(
        _ logits: [Float], _ names: [String], _ loss: TrainingConfiguration.LossFunction
    ) -> [Prediction] {
        let probabilities = loss.probabilities(logits)
        return probabilities.indices
            .map { Prediction(index: $0, className: names[$0], probability: probabilities[$0]) }
            .sorted { ($1.probability, $0.index) < ($0.probability, $1.index) }
    }
}

/// What a network makes of an image.
public struct PredictedImage: Hashable, Sendable {
    /// All classes, the likeliest first.
    public var classes: [Prediction]
    /// The values of `Predictor.Settings.featureLayer`, where one is named; of a layer that gives images, each channel's
    /// mean over the pixels.
    public var features: [Float]
    /// What is wrong with a file that could be read all the same.
    public var flaw: String?
}
