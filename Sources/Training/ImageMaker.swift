import ResinDataset
import ResinGraph
import ResinNetworks
import ResinTensor

/// What a step's graph begins with: its images, and what they are of.
package struct ImageMaker {
    private let input: StepInput
    private let split: Region.Split
    private let network: ImageShape
    private let configuration: TrainingConfiguration
    private let augmentation: AugmentationPolicy

    package init(
        _ input: StepInput, _ split: Region.Split, _ network: ImageShape,
        _ configuration: TrainingConfiguration, _ mode: NetworkScope.Mode
    ) {
        self.input = input
        self.split = split
        self.network = network
        self.configuration = configuration
        augmentation = mode == .training ? configuration.augmentation : .init()
    }

    /// Whether rows of the batch have labels of other rows, too.
    var mixesLabels: Bool {
        if case .photographs = input { augmentation.mixes } else { false }
    }

    private var size: Extent { Extent(network.height, network.width) }

    /// `[N, H, W, C]`.
    package func images(_ graph: inout Graph) throws -> ValueID {
        func apply(_ op: Op, _ inputs: ValueID..., name: String = "input") throws -> ValueID {
            try graph.apply(op, to: inputs, name: name, pass: .input)[0]
        }
        switch input {
        case .uniform(let shape), .ring(let shape, _):
            let bytes = graph.addRegion(.images(split), TensorType(shape, .uint8))
            let order = graph.addRegion(.order(split), TensorType([shape.images], .int32))
            let op = Op.ImageInput(
                batch: configuration.batch, size: size, mean: configuration.mean,
                standardDeviation: configuration.standardDeviation, cropPadding: augmentation.cropPadding,
                flips: augmentation.flips)
            return try apply(.imageInput(op), bytes, order)
        case .photographs(let plan):
            let bytes = graph.addRegion(.images(split), TensorType([plan.byteCount], .uint8))
            let samples = samples(plan, &graph)
            let crop = Op.ImageCrop(batch: configuration.batch, size: size, channels: plan.channels)
            var pixels = try apply(.imageCrop(crop), bytes, samples)
            if augmentation.hasAdjustments {
                pixels = try apply(.imageAdjustments, pixels, samples, name: "augmentation")
            }
            let op = Op.ImageNormalisation(
                mean: configuration.mean, standardDeviation: configuration.standardDeviation)
            return try apply(.imageNormalisation(op), pixels, samples, name: "normalisation")
        }
    }

    /// What the loss takes behind the logits: labels, the sets of classes that they are numbers of, where they are, and what
    /// says how rows are mixed.
    package func targets(_ graph: inout Graph, images: ValueID) throws -> [ValueID] {
        switch input {
        case .uniform(let shape), .ring(let shape, _):
            let count = TensorType([shape.images], .int32)
            let labels = graph.addRegion(.labels(split), count)
            let order = graph.addRegion(.order(split), count)
            return try graph.apply(
                .labelInput, to: [labels, order, images], name: "labels", pass: .input) + sets(&graph)
        case .photographs(let plan):
            let samples = samples(plan, &graph)
            let labels = try graph.apply(.sampleLabels, to: [samples, images], name: "labels", pass: .input)
            return labels + sets(&graph) + (mixesLabels ? [samples] : [])
        }
    }

    private func sets(_ graph: inout Graph) -> [ValueID] {
        guard configuration.loss == .binary else { return [] }
        let words = LabelSetBits.wordCount(classes: configuration.classCount)
        return [graph.addRegion(.labelSets, TensorType([configuration.labelSetCount ?? 1, words], .int32))]
    }

    private func samples(_ plan: PhotographPlan, _ graph: inout Graph) -> ValueID {
        graph.addRegion(.samples(split), .samples(plan.rows))
    }
}
