import ResinGraph
import ResinPlan
import ResinTensor

/// Logits of a batch, and sets of classes that its images may have.
private struct BinaryLossConfiguration: Checkable, Sendable {
    var images: Int
    var classes: Int
    var data = CaseData.uniform
    var focal: Op.BinaryCrossEntropy.Focal?
    var weighs = false
    /// Of rows, again and again; each is mixed with the one before it. None: labels are a data set's.
    var shares: [Float] = []
    var rows: Rows
    var isChecked = false

    init(
        _ images: Int, _ classes: Int, _ data: CaseData = .uniform, gamma: Float? = nil, alpha: Float? = nil,
        weighs: Bool = false, shares: [Float] = [], rows: Rows? = nil
    ) {
        self.images = images
        self.classes = classes
        self.data = data
        focal = gamma.map { .init(gamma: $0, alpha: alpha) }
        self.weighs = weighs
        self.shares = shares
        self.rows = rows ?? Rows(firstImage: 0, imageCount: images)
    }

    var name: String {
        "\(images)×\(classes)" + (data == .uniform ? "" : ", \(data)")
            + (focal.map { ", focal \($0.gamma)" + ($0.alpha.map { " \($0)" } ?? "") } ?? "")
            + (weighs ? ", weighted" : "") + (shares.isEmpty ? "" : ", shares \(shares)")
            + ", \(rows.imageCount) from \(rows.firstImage)"
    }

    var op: Op.BinaryCrossEntropy {
        Op.BinaryCrossEntropy(focal: focal, mixes: !shares.isEmpty, weighs: weighs)
    }

    /// The first is empty, the second whole; of the others each has about a third of the classes.
    var sets: [[Int32]] {
        let classes = 0..<Int32(classes)
        return [[], Array(classes)]
            + (2..<7).map { set in
                classes.filter { splitMix(UInt64(set) << 32 + UInt64($0)) % 3 == 0 }
            }
    }

    var inputs: [CaseInput] {
        let count = images + rows.firstImage
        let labels: [CaseInput] =
            shares.isEmpty ? labelInputs(count: count, classes: sets.count) : [.samples(samples)]
        let words = LabelSetBits.words(of: sets, classes: classes)
        let type = TensorType([sets.count, words.count / sets.count], .int32)
        return [.tensor([images, classes], data)] + labels + [.region(.labelSets, type, .words(words))]
            + (weighs ? [.region(.classWeights, TensorType([classes]), .positive)] : [])
    }

    /// Some have the label of their partner; partners are within the step's images.
    private var samples: [ImageSample] {
        (0..<images + rows.firstImage).map { place in
            let row = place - rows.firstImage
            let partner = row <= 0 ? rows.imageCount - 1 : row - 1
            return sample([
                .label((place * place + 2) % sets.count), .mixed(partner, shares[place % shares.count]),
            ])
        }
    }

    var settings: [String: [Double]] {
        var settings = rows.settings
        if let focal {
            settings["gamma"] = [Double(focal.gamma)]
            settings["alpha"] = [Double(focal.alpha ?? -1)]
        }
        settings["mixes"] = [shares.isEmpty ? 0 : 1]
        return settings
    }

    /// The loss's operands, of a case's inputs.
    func operands(_ graph: inout Graph, _ inputs: [ValueID]) throws -> [ValueID] {
        if shares.isEmpty {
            return [inputs[0], try graph.labels(of: inputs[0], inputs[1...2])] + inputs[3...]
        }
        let labels = try graph.apply(
            .sampleLabels, to: [inputs[1], inputs[0]], name: "labels", pass: .input)[0]
        return [inputs[0], labels, inputs[2], inputs[1]] + inputs[3...]
    }
}

extension OpCase {
    package static let binaryLoss: [OpCase] = binaryLossConfigurations.flatMap { configuration in
        [(false, "binary_cross_entropy"), (true, "binary_cross_entropy_gradient")].map {
            isGradient, operation in
            let columns = isGradient ? configuration.classes : 4
            var result = OpCase(
                "binary cross-entropy\(isGradient ? "'s gradient" : ""), \(configuration.name)", operation,
                settings: configuration.settings, inputs: configuration.inputs,
                outputs: [.value([configuration.images, columns])], steps: configuration.rows.steps
            ) { graph, inputs in
                let op = configuration.op
                return try graph.apply(
                    isGradient ? op.gradientSeed : .binaryCrossEntropy(op),
                    to: configuration.operands(&graph, inputs), name: "loss")
            }
            result.launches = 2
            return result.checked(if: configuration.isChecked)
        }
    }
}

private let binaryLossConfigurations: [BinaryLossConfiguration] = [
    .init(1, 1), .init(2, 2), .init(5, 33).checked, .init(7, 100), .init(1, 1000), .init(64, 20),
    .init(7, 10, rows: Rows(firstImage: 4, imageCount: 3)).checked, .init(7, 40, .large).checked,
    .init(33, 7, .integers, rows: Rows(firstImage: 0, imageCount: 32)), .init(5, 33, weighs: true).checked,
    .init(3, 1000, .large, weighs: true), .init(5, 33, gamma: 2), .init(7, 20, gamma: 2, alpha: 0.25).checked,
    .init(7, 40, .large, gamma: 0.5, alpha: 0.75), .init(3, 10, .integers, gamma: 1, weighs: true),
    .init(3, 5, shares: [0.75, 0.25, 0.5]),
    .init(7, 100, shares: [0.2], rows: Rows(firstImage: 2, imageCount: 4)).checked,
    .init(4, 33, gamma: 2, alpha: 0.25, weighs: true, shares: [1, 0, 0.3, 0.6]).checked,
]
