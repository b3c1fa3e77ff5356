import ResinGraph
import ResinPlan
import ResinTensor

/// Logits of a batch, and how many of its rows are real images.
private struct LossConfiguration: Checkable, Sendable {
    var images: Int
    var classes: Int
    var imageCount: Int
    var data = CaseData.uniform
    var smoothing: Float = 0
    /// Whether classes have weights.
    var weighs = false
    var isChecked = false

    init(
        _ images: Int, _ classes: Int, imageCount: Int? = nil, _ data: CaseData = .uniform,
        smoothing: Float = 0, weighs: Bool = false
    ) {
        self.images = images
        self.classes = classes
        self.imageCount = imageCount ?? images
        self.data = data
        self.smoothing = smoothing
        self.weighs = weighs
    }

    var name: String {
        "\(images)×\(classes)" + (imageCount == images ? "" : ", \(imageCount) images")
            + (data == .uniform ? "" : ", \(data)") + (smoothing == 0 ? "" : ", smoothing \(smoothing)")
            + (weighs ? ", weighted" : "")
    }

    var op: Op.SoftmaxCrossEntropy { Op.SoftmaxCrossEntropy(labelSmoothing: smoothing, weighs: weighs) }

    var inputs: [CaseInput] {
        [.tensor([images, classes], data)] + labelInputs(count: images, classes: classes)
            + (weighs ? [.region(.classWeights, TensorType([classes]), .positive)] : [])
    }

    var settings: [String: [Double]] {
        var settings: [String: [Double]] = ["imageCount": [Double(imageCount)], "firstImage": [0]]
        if smoothing > 0 { settings["smoothing"] = [Double(smoothing)] }
        return settings
    }
}

/// The labels of a data set of so many images, and the order in which they are visited.
func labelInputs(count: Int, classes: Int) -> [CaseInput] {
    [
        .region(.labels(.train), TensorType([count], .int32), .below(classes)),
        .region(.order(.train), TensorType([count], .int32), .below(count)),
    ]
}

extension Graph {
    /// The labels for logits; inputs as `labelInputs` gives them.
    mutating func labels(of logits: ValueID, _ inputs: ArraySlice<ValueID>) throws -> ValueID {
        try apply(.labelInput, to: inputs + [logits], name: "labels", pass: .input)[0]
    }
}

extension OpCase {
    package static let loss: [OpCase] =
        lossConfigurations.flatMap { configuration in
            [softmaxCrossEntropy, softmaxCrossEntropyGradient].map {
                $0(configuration).checked(if: configuration.isChecked)
            }
        } + [
            labels(count: 20, firstImage: 0, batch: 5), labels(count: 20, firstImage: 13, batch: 7),
            labels(count: 20, firstImage: 18, batch: 7, imageCount: 2).checked,
            labels(count: 3, firstImage: 2, batch: 1), labels(count: 300, firstImage: 100, batch: 128),
        ]

    /// What is counted of a step.
    package static let metrics: [OpCase] =
        [(1, 10), (3, 5), (7, 10), (5, 33), (64, 10)].map { recordMetrics(LossConfiguration($0, $1)) } + [
            recordMetrics(LossConfiguration(7, 10, imageCount: 4), slot: 2).checked,
            recordMetrics(LossConfiguration(300, 10, imageCount: 291)).checked,
            lossStep(LossConfiguration(64, 10)).checked,
            lossStep(LossConfiguration(7, 100, imageCount: 4, smoothing: 0.1), slot: 2).checked,
            lossStep(LossConfiguration(300, 1000, imageCount: 291), slot: 1),
            lossStep(LossConfiguration(7, 100, imageCount: 4, smoothing: 0.1, weighs: true), slot: 2).checked,
            lossStep(LossConfiguration(64, 10, weighs: true)),
        ]
        + activityShapes.map { channelActivity($0).checked }
        + [channelActivity([2, 5, 5, 10], offset: 7).checked]

    private static func softmaxCrossEntropy(_ configuration: LossConfiguration) -> OpCase {
        var result = OpCase(
            "softmax cross-entropy, \(configuration.name)", "softmax_cross_entropy",
            settings: configuration.settings, inputs: configuration.inputs,
            outputs: [.value([configuration.images, 4])],
            steps: StepUniforms.single(images: configuration.imageCount)
        ) { graph, inputs in
            let labels = try graph.labels(of: inputs[0], inputs[1...2])
            return try graph.apply(
                .softmaxCrossEntropy(configuration.op), to: [inputs[0], labels] + inputs[3...], name: "loss")
        }
        result.launches = 2
        return result
    }

    private static func softmaxCrossEntropyGradient(_ configuration: LossConfiguration) -> OpCase {
        var result = OpCase(
            "softmax cross-entropy's gradient, \(configuration.name)", "softmax_cross_entropy_gradient",
            settings: configuration.settings, inputs: configuration.inputs,
            outputs: [.value([configuration.images, configuration.classes])],
            steps: StepUniforms.single(images: configuration.imageCount)
        ) { graph, inputs in
            let labels = try graph.labels(of: inputs[0], inputs[1...2])
            return try graph.apply(
                configuration.op.gradientSeed, to: [inputs[0], labels] + inputs[3...], name: "loss")
        }
        result.launches = 2
        return result
    }

    private static func recordMetrics(_ configuration: LossConfiguration, slot: Int = 0) -> OpCase {
        let type = TensorType([4, 4])
        var result = OpCase(
            "metrics in slot \(slot), \(configuration.name)", "record_metrics",
            settings: configuration.settings.merging(["slot": [Double(slot)]]) { $1 },
            inputs: configuration.inputs,
            outputs: [CaseOutput(place: .region(.metrics(.train), .float32), shape: type.shape)],
            steps: [StepUniforms(seed: 1, step: 1, imageCount: configuration.imageCount, slot: slot)]
        ) { graph, inputs in
            let labels = try graph.labels(of: inputs[0], inputs[1...2])
            let rows = try graph.apply(.softmaxCrossEntropy(), to: [inputs[0], labels], name: "loss")
            let metrics = graph.addRegion(.metrics(.train), type)
            return try graph.apply(.recordMetrics, to: [rows[0], metrics], name: "metrics")
        }
        result.launches = 3
        return result
    }

    /// What a training step does with its logits: devices make one node of it.
    private static func lossStep(_ configuration: LossConfiguration, slot: Int = 0) -> OpCase {
        let type = TensorType([4, 4])
        var result = OpCase(
            "loss, gradient and metrics in slot \(slot), \(configuration.name)", "loss_step",
            settings: configuration.settings.merging(["slot": [Double(slot)]]) { $1 },
            inputs: configuration.inputs,
            outputs: [
                .value([configuration.images, configuration.classes]),
                CaseOutput(place: .region(.metrics(.train), .float32), shape: type.shape),
            ],
            steps: [StepUniforms(seed: 1, step: 1, imageCount: configuration.imageCount, slot: slot)]
        ) { graph, inputs in
            let op = configuration.op
            let operands = [inputs[0], try graph.labels(of: inputs[0], inputs[1...2])] + inputs[3...]
            let rows = try graph.apply(.softmaxCrossEntropy(op), to: operands, name: "loss")
            let gradient = try graph.apply(op.gradientSeed, to: operands, name: "loss")
            let metrics = graph.addRegion(.metrics(.train), type)
            _ = try graph.apply(.recordMetrics, to: [rows[0], metrics], name: "metrics")
            return gradient
        }
        result.launches = 4
        return result
    }

    /// Labels are integers; what is compared is the loss that they give.
    private static func labels(count: Int, firstImage: Int, batch: Int, imageCount: Int? = nil) -> OpCase {
        let imageCount = imageCount ?? batch
        let classes = 10
        var result = OpCase(
            "labels of \(batch) images from \(firstImage) of \(count), \(imageCount) images",
            "softmax_cross_entropy",
            settings: ["imageCount": [Double(imageCount)], "firstImage": [Double(firstImage)]],
            inputs: [.tensor([batch, classes])] + labelInputs(count: count, classes: classes),
            outputs: [.value([batch, 4])],
            steps: StepUniforms.single(images: imageCount, firstImage: firstImage)
        ) { graph, inputs in
            let labels = try graph.labels(of: inputs[0], inputs[1...2])
            return try graph.apply(.softmaxCrossEntropy(), to: [inputs[0], labels], name: "loss")
        }
        result.launches = 2
        return result
    }

    /// The region is larger than the channels, which start at `offset`.
    private static func channelActivity(_ shape: Shape, offset: Int = 0) -> OpCase {
        let slots = shape.channels + 2 * offset
        return OpCase(
            "channel activity, \(shape), offset \(offset)", "channel_activity",
            settings: ["offset": [Double(offset)], "slots": [Double(slots)]],
            inputs: [.tensor(shape)],
            outputs: [CaseOutput(place: .region(.activity, .int32), shape: [slots])]
        ) { graph, inputs in
            let activity = graph.addRegion(.activity, TensorType([slots], .int32))
            return try graph.apply(
                .channelActivity(Op.ChannelActivity(offset: offset)), to: [inputs[0], activity],
                name: "activity")
        }
    }
}

private let lossConfigurations: [LossConfiguration] = [
    .init(1, 10), .init(2, 2), .init(3, 5), .init(5, 33), .init(7, 100), .init(1, 1000).checked,
    .init(64, 10), .init(3, 1), .init(7, 10, imageCount: 3).checked, .init(5, 7, imageCount: 1),
    .init(7, 10, .large), .init(3, 100, .large).checked, .init(7, 10, .integers),
    .init(33, 7, imageCount: 32, .integers).checked, .init(1, 10, smoothing: 0.1),
    .init(5, 33, smoothing: 0.25), .init(3, 1, smoothing: 0.5), .init(7, 10, imageCount: 3, smoothing: 0.1),
    .init(7, 100, .large, smoothing: 0.125).checked, .init(2, 1000, smoothing: 0.1),
    .init(33, 7, imageCount: 32, .integers, smoothing: 0.9), .init(130, 10, smoothing: 0.1).checked,
    .init(5, 33, weighs: true).checked, .init(3, 1, weighs: true), .init(7, 100, .large, weighs: true),
    .init(33, 7, imageCount: 32, .integers, smoothing: 0.25, weighs: true).checked,
    .init(2, 1000, smoothing: 0.1, weighs: true),
]

/// Few pixels, so that some channels are never above zero.
private let activityShapes: [Shape] = [
    [1, 1, 1, 17], [1, 2, 1, 33], [2, 1, 1, 96], [1, 1, 2, 5], [1, 56, 56, 64], [3, 1, 1, 1], [1, 1, 1, 100],
]
