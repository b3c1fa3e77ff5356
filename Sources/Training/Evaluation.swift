import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// What a network makes of a set of images.
public struct Evaluation: Sendable {
    public var imageCount: Int
    /// Mean cross-entropy.
    public var loss: Double
    /// Shares of images in 0 ... 1.
    public var accuracy: Double
    public var top5Accuracy: Double
    /// `[images, classes]`, in the data set's order; kept only where asked for.
    public var logits: [Float]
    /// For each class, for how many images its output is the largest.
    public var predictionCounts: [Int]
    /// Classes whose output is zero for every image: a ReLU after it has died.
    public var deadClasses: [Int]
    /// For each ReLU, how many of its channels are never above zero, of how many.
    public var inactiveChannels: [Inactivity]

    public struct Inactivity: Hashable, Sendable {
        /// The ReLU's dotted name.
        public var layer: String
        public var inactive: Int
        public var channels: Int
    }

    /// A sentence for each class whose output is dead.
    public func deadClassWarnings(classNames: [String]) -> [String] {
        deadClasses.map { index in
            "class \(index) '\(classNames[index])' is never predicted: its output is zero for all "
                + "\(imageCount.grouped) images; the ReLU behind it has died there, and no gradient reaches it "
                + "again. Try another --seed or, for NiN, --no-final-relu"
        }
    }

    /// A sentence about channels that a ReLU never switches on; nil where there are none.
    public var inactivityWarning: String? {
        let silent = inactiveChannels.filter { $0.inactive > 0 }
        if silent.isEmpty { return nil }
        let list = silent.map {
            let permille = (1000 * $0.inactive + $0.channels / 2) / $0.channels
            return "\($0.layer) \($0.inactive) of \($0.channels) (\(permille / 10).\(permille % 10) %)"
        }
        return "channels that their ReLU never switches on, for any of \(imageCount.grouped) images: "
            + list.joined(separator: ", ")
    }
}

/// Evaluates a network on the test images that are on the executor.
package final class Evaluator {
    private let executor: any Executor
    private let executable: any Executable
    private let graph: EvaluationGraph
    private let imageCount: Int
    private let classCount: Int
    private let batch: Int

    /// The plan's regions `.images(.test)`, `.labels(.test)`, `.order(.test)`, `.metrics(.test)`, `.activity` and the
    /// model's must be allocated.
    package init(
        _ graph: EvaluationGraph, plan: Plan, _ configuration: TrainingConfiguration, imageCount: Int,
        on executor: any Executor
    ) throws {
        self.graph = graph
        self.executor = executor
        self.imageCount = imageCount
        classCount = configuration.classCount
        batch = configuration.batch
        executable = try executor.prepare(plan)
    }

    package func evaluate(
        seed: UInt64 = 0, keepsLogits: Bool = false, shouldStop: () -> Bool = { false }
    ) throws -> Evaluation? {
        let channelCount = max(graph.channelCount, 1)
        try executor.write([Int32](repeating: 0, count: channelCount), to: .activity)
        let steps = (imageCount + batch - 1) / batch
        var kept: [Float] = []
        var predictionCounts = [Int](repeating: 0, count: classCount)
        var isZero = [Bool](repeating: true, count: classCount)
        for step in 0..<steps {
            if shouldStop() { return nil }
            let count = min(batch, imageCount - step * batch)
            try executable.run(
                StepUniforms(
                    seed: seed, step: step + 1, firstImage: step * batch, imageCount: count, slot: step))
            let logits = try executable.read(graph.logits).prefix(count * classCount)
            if keepsLogits { kept += logits }
            for row in 0..<count {
                let values = logits[row * classCount..<(row + 1) * classCount]
                for (index, value) in values.enumerated() where value != 0 { isZero[index] = false }
                let top = values.indices.max { values[$0] < values[$1] }!
                predictionCounts[top - values.startIndex] += 1
            }
        }
        let sums = try StepMetrics.sum(executor, .test, slots: 0..<steps)
        let flags = try executor.read(.activity, count: channelCount, as: Int32(0))
        return Evaluation(
            imageCount: imageCount, loss: sums.loss / Double(imageCount),
            accuracy: sums.correct / Double(imageCount),
            top5Accuracy: sums.correctAmong5 / Double(imageCount),
            logits: kept, predictionCounts: predictionCounts,
            deadClasses: isZero.indices.filter { isZero[$0] },
            inactiveChannels: graph.probes.map { probe in
                Evaluation.Inactivity(
                    layer: probe.layer, inactive: flags[probe.channels].count { $0 == 0 },
                    channels: probe.channels.count)
            })
    }
}

/// Rows of `Region.metrics`, summed.
package struct StepMetrics: Sendable {
    package var loss = 0.0
    package var correct = 0.0
    package var correctAmong5 = 0.0
    /// Images whose loss is not finite.
    package var notFinite = 0.0

    package static func rows(
        _ executor: any Executor, _ split: Region.Split, slots: Range<Int>
    ) throws -> [StepMetrics] {
        let columns = Op.SoftmaxCrossEntropy.columns
        let values = try executor.read(
            .metrics(split), offset: 4 * columns * slots.lowerBound, count: columns * slots.count,
            as: Float(0))
        return stride(from: 0, to: values.count, by: columns).map {
            StepMetrics(
                loss: Double(values[$0]), correct: Double(values[$0 + 1]),
                correctAmong5: Double(values[$0 + 2]), notFinite: Double(values[$0 + 3]))
        }
    }

    package static func sum(
        _ executor: any Executor, _ split: Region.Split, slots: Range<Int>
    ) throws -> StepMetrics {
        try rows(executor, split, slots: slots).reduce(into: StepMetrics()) { $0 += $1 }
    }

    package static func += (sum: inout StepMetrics, row: StepMetrics) {
        sum.loss += row.loss
        sum.correct += row.correct
        sum.correctAmong5 += row.correctAmong5
        sum.notFinite += row.notFinite
    }
}

extension Int {
    /// "10,000".
    package var grouped: String {
        var digits = Array(String(magnitude))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return (self < 0 ? "-" : "") + String(digits)
    }
}

extension Evaluation {
    /// Evaluates weights from a file on a set's test images.
    ///
    /// - Throws: `ResinError(.badContent)` that names the tensor that does not fit the network, `.outOfMemory`.
    package init(
        of network: Network, weights: Safetensors, from path: String, on dataset: Dataset,
        _ configuration: TrainingConfiguration, executor: any Executor, keepsLogits: Bool
    ) throws {
        let graph = try EvaluationGraph(network, images: dataset.test, configuration)
        let plan = executor.makePlan(graph.graph)
        let model = ModelState(graph.graph)
        try model.allocate(on: executor)
        try model.loadWeights(weights, from: path, on: executor)
        try executor.upload(dataset.test, as: .test, batch: configuration.batch)
        try executor.allocate(.activity, byteCount: 4 * max(graph.channelCount, 1))
        let evaluator = try Evaluator(
            graph, plan: plan, configuration, imageCount: dataset.test.count, on: executor)
        self = try evaluator.evaluate(keepsLogits: keepsLogits)!
    }
}
