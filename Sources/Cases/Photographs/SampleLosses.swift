import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    /// What is compared is the loss that they give.
    static let labels: [OpCase] = [
        (5, Rows(firstImage: 0, imageCount: 5)), (4, Rows(firstImage: 3, imageCount: 2)),
    ].map { batch, rows in
        let labels = (0..<batch + rows.firstImage).map { sample([.label(($0 * 7 + 3) % 10)]) }
        var result = OpCase(
            "labels of \(batch) samples from \(rows.firstImage)", "sample_loss", settings: rows.settings,
            inputs: [.tensor([batch, 10]), .samples(labels)], outputs: [.value([batch, 4])],
            steps: rows.steps
        ) { graph, inputs in
            let labels = try graph.apply(
                .sampleLabels, to: [inputs[1], inputs[0]], name: "labels", pass: .input)[0]
            return try graph.apply(.softmaxCrossEntropy(), to: [inputs[0], labels], name: "loss")
        }
        result.launches = 2
        // The labels' kernels are built for images.
        return result.checked
    }

    static let mixedLosses: [OpCase] = [
        MixedLoss(3, 5, shares: [0.75, 0.25, 0.5]),
        MixedLoss(4, 33, shares: [1, 0, 0.3, 0.6], smoothing: 0.1),
        MixedLoss(7, 100, shares: [0.2], smoothing: 0.25, rows: Rows(firstImage: 2, imageCount: 4)),
        MixedLoss(64, 10, shares: [0.625]), MixedLoss(33, 1000, shares: [0.1], smoothing: 0.1),
    ].flatMap { loss in [mixedLoss(loss), mixedGradient(loss), mixedStep(loss)] }

    private static func mixedCase(
        _ what: String, _ operation: String, _ loss: MixedLoss, outputs: [CaseOutput], launches: Int,
        slot: Int = 0,
        build: @escaping @Sendable (inout Graph, [ValueID], ValueID) throws -> [ValueID]
    ) -> OpCase {
        var steps = loss.rows.steps
        steps[0].slot = UInt32(slot)
        var result = OpCase(
            "\(what), \(loss.name)", operation,
            settings: ["smoothing": [Double(loss.smoothing)], "slot": [Double(slot)]]
                .merging(loss.rows.settings) { $1 },
            inputs: [.tensor([loss.images, loss.classes]), .samples(loss.samples)], outputs: outputs,
            steps: steps
        ) { graph, inputs in
            let labels = try graph.apply(
                .sampleLabels, to: [inputs[1], inputs[0]], name: "labels", pass: .input)[0]
            return try build(&graph, inputs, labels)
        }
        result.launches = launches
        return result.checked(if: loss.images < 10)
    }

    private static func mixedLoss(_ loss: MixedLoss) -> OpCase {
        mixedCase(
            "mixed loss", "sample_loss", loss, outputs: [.value([loss.images, 4])], launches: 2
        ) { graph, inputs, labels in
            try graph.apply(
                .softmaxCrossEntropy(loss.op), to: [inputs[0], labels, inputs[1]], name: "loss")
        }
    }

    private static func mixedGradient(_ loss: MixedLoss) -> OpCase {
        mixedCase(
            "mixed loss's gradient", "sample_loss_gradient", loss,
            outputs: [.value([loss.images, loss.classes])], launches: 2
        ) { graph, inputs, labels in
            try graph.apply(loss.op.gradientSeed, to: [inputs[0], labels, inputs[1]], name: "loss")
        }
    }

    /// What a training step does with its logits: devices make one node of it.
    private static func mixedStep(_ loss: MixedLoss) -> OpCase {
        let type = TensorType([4, 4])
        return mixedCase(
            "mixed loss, gradient and metrics", "sample_loss_step", loss,
            outputs: [
                .value([loss.images, loss.classes]),
                CaseOutput(place: .region(.metrics(.train), .float32), shape: type.shape),
            ], launches: 4, slot: 1
        ) { graph, inputs, labels in
            let operands = [inputs[0], labels, inputs[1]]
            let rows = try graph.apply(.softmaxCrossEntropy(loss.op), to: operands, name: "loss")
            let gradient = try graph.apply(loss.op.gradientSeed, to: operands, name: "loss")
            let metrics = graph.addRegion(.metrics(.train), type)
            _ = try graph.apply(.recordMetrics, to: [rows[0], metrics], name: "metrics")
            return gradient
        }
    }
}

/// Logits and samples, each row mixed with the one before it.
private struct MixedLoss: Sendable {
    var images: Int
    var classes: Int
    /// Of rows, again and again.
    var shares: [Float]
    var smoothing: Float
    var rows: Rows

    init(_ images: Int, _ classes: Int, shares: [Float], smoothing: Float = 0, rows: Rows? = nil) {
        self.images = images
        self.classes = classes
        self.shares = shares
        self.smoothing = smoothing
        self.rows = rows ?? Rows(firstImage: 0, imageCount: images)
    }

    var name: String {
        "\(images)×\(classes), shares \(shares), smoothing \(smoothing), \(rows.imageCount) from \(rows.firstImage)"
    }

    var op: Op.SoftmaxCrossEntropy { Op.SoftmaxCrossEntropy(labelSmoothing: smoothing, mixes: true) }

    /// Some have the label of their partner; partners are within the step's images.
    var samples: [ImageSample] {
        (0..<images + rows.firstImage).map { place in
            let row = place - rows.firstImage
            let partner = row <= 0 ? rows.imageCount - 1 : row - 1
            return sample([
                .label((place * place + 2) % classes), .mixed(partner, shares[place % shares.count]),
            ])
        }
    }
}
