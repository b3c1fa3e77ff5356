import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// What a network makes of a set of images.
public struct Evaluation: Sendable {
    /// Those that could be read.
    public var imageCount: Int
    /// The mean, of the plain loss.
    public var loss: Double
    /// Share of images in 0 ... 1 whose likeliest class is theirs, or one of theirs.
    public var accuracy: Double
    /// The same for the five likeliest classes; nil where there are no more than five, of which it says nothing.
    public var top5Accuracy: Double?
    /// Images that could not be read, where they are left out.
    public var skipped: [UnreadableImage]
    /// `[images, classes]` of those that could be read, in the data set's order; kept only where asked for.
    public var logits: [Float]
    /// How probable the classes are that images are taken for, and how often that is right.
    public var reliability: ReliabilityDiagram
    /// Empty where images may have several classes or none.
    public var confusion: ConfusionMatrix
    /// Where images may have several classes or none.
    public var multiLabel: MultiLabelMetrics?
    /// The wrong predictions of which the network is surest, the surest first; at most 24.
    public var mistakes: [Mistake]
    /// Classes whose output is zero for every image: a ReLU after it has died.
    public var deadClasses: [Int]
    /// For each ReLU, how many of its channels are never above zero, of how many.
    public var inactiveChannels: [Inactivity]

    /// For each class, for how many images its output is the largest.
    public var predictionCounts: [Int] { classMetrics.map(\.predictionCount) }

    public var classMetrics: [ClassMetrics] { multiLabel?.classMetrics ?? confusion.classMetrics }

    /// A test image that is taken for another class.
    public struct Mistake: Hashable, Sendable {
        /// In the data set's order.
        public var image: Int
        /// The image's classes: one, unless images may have several or none.
        public var labels: [Int]
        public var predicted: Int
        /// Of the predicted class.
        public var probability: Double
    }

    public struct Inactivity: Hashable, Sendable {
        /// The ReLU's dotted name.
        public var layer: String
        public var inactive: Int
        public var channels: Int
    }

    /// Classes that no image is taken for, although there are images of them and their output is not dead.
    public var unpredictedClasses: [Int] {
        let classMetrics = classMetrics
        return classMetrics.indices.filter { label in
            let metrics = classMetrics[label]
            return metrics.predictionCount == 0 && metrics.imageCount > 0 && !deadClasses.contains(label)
        }
    }

    /// A sentence for each class whose output is dead, and one for the others that are never predicted.
    public func classWarnings(classNames: [String]) -> [String] {
        let dead = deadClasses.map { index in
            "class \(index) '\(classNames[index])' is never predicted: its output is zero for all "
                + "\(imageCount.grouped) images; the ReLU behind it has died there, and no gradient reaches it "
                + "again. Try another --seed or, for NiN, --no-final-relu"
        }
        let unpredicted = unpredictedClasses
        if unpredicted.isEmpty { return dead }
        let shown = unpredicted.prefix(10).map { "\($0) '\(classNames[$0])'" }.joined(separator: ", ")
        let rest = unpredicted.count > 10 ? " and \((unpredicted.count - 10).grouped) more" : ""
        return dead + [
            "never predicted, for any of \(imageCount.grouped) images, though some are of "
                + (unpredicted.count == 1 ? "this class: " : "these classes: ") + shown + rest
        ]
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
    private let images: any ImageSource
    private let labels: [Int32]
    private let labelSets: LabelSets?
    private let loss: TrainingConfiguration.LossFunction
    private let feed: any ImageFeed
    private let classCount: Int
    private let batch: Int
    /// What a step takes; nil before the first, in which a driver may also compile.
    private var stepSeconds: Double?

    /// The plan's regions must be allocated, and hold the images and the model.
    package init(
        _ graph: EvaluationGraph, plan: StepPlan, _ configuration: TrainingConfiguration,
        _ images: any ImageSource, _ labelSets: LabelSets?, _ feed: any ImageFeed,
        on executor: any Executor
    ) throws {
        self.graph = graph
        self.labelSets = labelSets
        loss = configuration.loss
        self.executor = executor
        self.images = images
        labels = images.labels
        self.feed = feed
        classCount = configuration.classCount
        batch = configuration.batch
        executable = try executor.prepare(plan)
    }

    var skippedImages: [UnreadableImage] { feed.skippedImages(of: images) }

    package func evaluate(
        seed: UInt64 = 0, keepsLogits: Bool = false, shouldStop: () -> Bool = { false }
    ) throws -> Evaluation? {
        let noActivity = [Int32](repeating: 0, count: graph.channelCount)
        if !noActivity.isEmpty { try executor.write(noActivity, to: .activity) }
        var imageCount = 0
        /// Those that had images.
        var steps = 0
        var kept: [Float] = []
        var reliability = ReliabilityDiagram()
        var confusion = ConfusionMatrix(classCount: classCount)
        var multiLabel = labelSets.map { _ in MultiLabelCounts(classCount: classCount) }
        var mistakes: [Evaluation.Mistake] = []
        var isZero = [Bool](repeating: true, count: classCount)
        let clock = ContinuousClock()
        for first in stride(from: 0, to: labels.count, by: batch) {
            if shouldStop() { return nil }
            let start = clock.now
            let step = FeedStep(epoch: 1, slot: first / batch)
            guard let rows = try feed.begin(step, shouldStop: shouldStop) else { return nil }
            let images = (first..<min(first + batch, labels.count)).filter {
                !rows.unreadable.contains($0 - first)
            }
            if images.isEmpty {
                try feed.end()
                continue
            }
            let uniforms = StepUniforms(
                seed: seed, step: steps + 1, firstImage: rows.first, imageCount: images.count, slot: steps)
            let isWhole = try executable.run(
                uniforms, expectedSeconds: stepSeconds, shouldStop: shouldStop)
            try feed.end()
            if !isWhole { return nil }
            steps += 1
            imageCount += images.count
            let logits = try executable.read(graph.logits).prefix(images.count * classCount)
            stepSeconds = (clock.now - start) / .seconds(1)
            if keepsLogits { kept += logits }
            for (row, image) in images.enumerated() {
                let values = logits[row * classCount..<(row + 1) * classCount]
                for (index, value) in values.enumerated() where value != 0 { isZero[index] = false }
                let top = values.indices.max { values[$0] < values[$1] }!
                let predicted = top - values.startIndex
                let label = Int(labels[image])
                let own = labelSets?.sets[label].map(Int.init) ?? [label]
                if multiLabel == nil { confusion[label, predicted] += 1 }
                multiLabel?.add(values, classes: own)
                // Outputs that are not finite have no probabilities.
                guard values.allSatisfy(\.isFinite) else { continue }
                let probability = loss.probabilities(values)[predicted]
                reliability.add(probability: probability, isCorrect: own.contains(predicted))
                if !own.contains(predicted) {
                    mistakes.append(
                        Evaluation.Mistake(
                            image: image, labels: own, predicted: predicted, probability: probability))
                }
            }
        }
        let skipped = skippedImages
        if imageCount == 0, let first = skipped.first { throw first.error }
        mistakes.sort { ($0.probability, $1.image) > ($1.probability, $0.image) }
        let sums = try StepMetrics.sum(executor, .test, slots: 0..<steps)
        let flags =
            noActivity.isEmpty ? [] : try executor.read(.activity, count: noActivity.count, as: Int32(0))
        return Evaluation(
            imageCount: imageCount, loss: sums[.loss] / Double(imageCount),
            accuracy: sums[.correct] / Double(imageCount),
            top5Accuracy: classCount > 5 && graph.metrics.contains(.correctAmong5)
                ? sums[.correctAmong5] / Double(imageCount) : nil,
            skipped: skipped, logits: kept, reliability: reliability, confusion: confusion,
            multiLabel: multiLabel?.metrics, mistakes: Array(mistakes.prefix(24)),
            deadClasses: isZero.indices.filter { isZero[$0] },
            inactiveChannels: graph.probes.map { probe in
                Evaluation.Inactivity(
                    layer: probe.layer, inactive: flags[probe.channels].count { $0 == 0 },
                    channels: probe.channels.count)
            })
    }
}

extension Executable {
    /// Runs a step, piece by piece where it may take longer than a person who wants to stop likes to wait.
    func run(
        _ uniforms: StepUniforms, expectedSeconds: Double?, shouldStop: () -> Bool
    ) throws -> Bool {
        if let expectedSeconds, expectedSeconds < 0.25 {
            try run(uniforms)
            return true
        }
        return try run(uniforms, shouldStop: shouldStop)
    }
}

/// A row of `Region.metrics`, or several summed.
package struct StepMetrics: Sendable {
    /// By the metrics' columns.
    package private(set) var values = [Double](repeating: 0, count: Metric.allCases.count)

    package init() {}

    /// - Parameter row: as the device and checkpoints hold it.
    package init(row: some Sequence<Float>) { values = row.map(Double.init) }

    package subscript(metric: Metric) -> Double { values[metric.rawValue] }

    package static func rows(
        _ executor: any Executor, _ split: Region.Split, slots: Range<Int>
    ) throws -> [StepMetrics] {
        let columns = Metric.allCases.count
        let values = try executor.read(
            .metrics(split), offset: Metric.rowByteCount * slots.lowerBound, count: columns * slots.count,
            as: Float(0))
        return stride(from: 0, to: values.count, by: columns).map {
            StepMetrics(row: values[$0..<$0 + columns])
        }
    }

    package static func sum(
        _ executor: any Executor, _ split: Region.Split, slots: Range<Int>
    ) throws -> StepMetrics {
        try rows(executor, split, slots: slots).reduce(into: StepMetrics()) { $0 += $1 }
    }

    package static func += (sum: inout StepMetrics, row: StepMetrics) {
        for column in sum.values.indices { sum.values[column] += row.values[column] }
    }
}

extension Evaluation {
    /// Evaluates weights from a file on a set's test images.
    ///
    /// - Throws: `ResinError`: `.usage` where the images are not what the network takes, `.outOfMemory` where the plan
    ///   does not fit the device, with the largest batch that does, `.notFinite` where an output is not finite.
    package init(
        of network: Network, weights: NetworkWeights, on dataset: Dataset,
        _ configuration: TrainingConfiguration, _ loading: ImageLoading = ImageLoading(),
        executor: any Executor, keepsLogits: Bool
    ) throws {
        try configuration.checkLabels(of: dataset)
        var configuration = configuration
        configuration.takeLabels(of: dataset)
        let images = StepImages(dataset.test, .test, configuration, loading)
        try MemoryPlan.check(
            "evaluating", batch: configuration.batch,
            remedy: "use a smaller --input or --limit-test, or another --device", on: executor
        ) { try MemoryPlan(evaluating: network, images, configuration, batch: $0, on: executor) }
        let input = images.input(batch: configuration.batch, on: executor)
        let graph = try EvaluationGraph(network, input, configuration)
        let plan: StepPlan = executor.makePlan(graph.graph)
        try executor.makeRoom(for: plan)
        var model = ModelState(graph.graph, isTrained: false)
        try model.load(weights, on: executor)
        try configuration.writeLossOperands(dataset, on: executor, trains: false)
        let evaluator = try Evaluator(
            graph, plan: plan, configuration, dataset.test, dataset.labelSets,
            images.feed(input, on: executor), on: executor)
        self = try evaluator.evaluate(keepsLogits: keepsLogits)!
        guard loss.isFinite else {
            throw ResinError(
                .notFinite,
                "the outputs of network '\(network.name)' are not finite for some of \(imageCount.grouped) images, "
                    + "though its weights are: they are too large; take another checkpoint")
        }
    }
}
