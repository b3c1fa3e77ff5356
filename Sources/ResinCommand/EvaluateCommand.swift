import ArgumentParser
import Foundation
import Resin

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Evaluates a checkpoint on a data set's test images.",
        discussion: """
            The run's config.json beside the checkpoint says which network and data it is for. A file of weights that lies
            alone says which network, and needs --data; one saved from PyTorch, such as a state_dict, needs --network, too.
            """)

    @OptionGroup var model: CheckpointArguments
    @Option(help: ArgumentHelp("Images a step (default: 128).", valueName: "n"))
    var batch: Int?
    @OptionGroup var dataOptions: DataOptions
    @OptionGroup var fitting: FitOptions
    @OptionGroup var loading: LoadingOptions
    @OptionGroup var deviceOption: DeviceOption

    @Option(
        help: ArgumentHelp(
            "Write path,label,predicted,probability,logit_0,… for every test image; index in place of path and probability where images are no files.",
            valueName: "file.csv"))
    var predictions: String?
    @Flag(help: "As JSON.")
    var json = false

    /// What --json prints; null where there is nothing to say.
    private struct Result: Encodable {
        var images: Int
        var loss, accuracy: Double
        /// null where there are no more than five classes.
        var top5Accuracy: Double?
        var imagesPerSecond: Double
        var balancedAccuracy, macroF1, calibrationError: Double?
        /// Where images may have several classes or none.
        var multiLabel: MultiLabel?
        var perClass: [PerClass]
        /// A row a class, a column a predicted one; null of more classes than a matrix can be read of.
        var confusion: [[Int]]?

        enum CodingKeys: String, CodingKey {
            case images, loss, accuracy, top5Accuracy, imagesPerSecond, balancedAccuracy
            case macroF1 = "macro_f1"
            case calibrationError, multiLabel, perClass, confusion
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(images, forKey: .images)
            try values.encode(loss, forKey: .loss)
            try values.encode(accuracy, forKey: .accuracy)
            try values.encode(top5Accuracy, forKey: .top5Accuracy)
            try values.encode(imagesPerSecond, forKey: .imagesPerSecond)
            try values.encode(balancedAccuracy, forKey: .balancedAccuracy)
            try values.encode(macroF1, forKey: .macroF1)
            try values.encode(calibrationError, forKey: .calibrationError)
            try values.encodeIfPresent(multiLabel, forKey: .multiLabel)
            try values.encode(perClass, forKey: .perClass)
            try values.encode(confusion, forKey: .confusion)
        }
    }

    private struct MultiLabel: Encodable {
        var meanAveragePrecision: Double?
        var exactMatch, decisionAccuracy: Double

        init(_ metrics: MultiLabelMetrics) {
            meanAveragePrecision = metrics.meanAveragePrecision
            (exactMatch, decisionAccuracy) = (metrics.exactMatch, metrics.decisionAccuracy)
        }
    }

    private struct PerClass: Encodable {
        var name: String
        var metrics: ClassMetrics
        /// Where images may have several classes or none.
        var averagePrecision: Double?

        enum CodingKeys: String, CodingKey {
            case name = "class"
            case count, precision, recall, f1, averagePrecision
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(name, forKey: .name)
            try values.encode(metrics.imageCount, forKey: .count)
            try values.encode(metrics.precision, forKey: .precision)
            try values.encode(metrics.recall, forKey: .recall)
            try values.encode(metrics.f1, forKey: .f1)
            try values.encodeIfPresent(averagePrecision, forKey: .averagePrecision)
        }
    }

    private static let largestMatrix = 1_024

    func run() throws {
        if let predictions { try AtomicFile.check(predictions) }
        let file = try Safetensors(weightsOf: model.path)
        let (network, dataset, configuration) = try makeConfiguration(file)
        let weights = try model.weights(file, for: network)
        let device = try deviceOption.choose()
        note("device \(device)")
        let start = ContinuousClock().now
        let evaluation = try Evaluation(
            of: network, weights: weights, on: dataset, configuration, loading.checked(dataOptions.source),
            device: device,
            keepsLogits: predictions != nil)
        let seconds = (ContinuousClock().now - start) / .seconds(1)
        if let first = evaluation.skipped.first {
            note(
                "note: \(evaluation.skipped.count.grouped) images could not be read and were left out, such as "
                    + first.reason)
        }
        for warning in evaluation.classWarnings(classNames: dataset.classNames) {
            note("note: \(warning)")
        }
        if let warning = evaluation.inactivityWarning { note("note: \(warning)") }
        if let predictions { try write(evaluation, of: dataset, configuration.loss, to: predictions) }
        if json {
            return try printJSON(
                Result(
                    images: evaluation.imageCount, loss: evaluation.loss, accuracy: evaluation.accuracy,
                    top5Accuracy: evaluation.top5Accuracy,
                    imagesPerSecond: Double(evaluation.imageCount) / seconds,
                    balancedAccuracy: evaluation.balancedAccuracy, macroF1: evaluation.macroF1,
                    calibrationError: evaluation.reliability.expectedCalibrationError,
                    multiLabel: evaluation.multiLabel.map(MultiLabel.init),
                    perClass: evaluation.classMetrics.enumerated().map { label, metrics in
                        PerClass(
                            name: dataset.classNames[label], metrics: metrics,
                            averagePrecision: evaluation.multiLabel?.averagePrecision[label])
                    },
                    confusion: evaluation.multiLabel == nil ? matrix(evaluation.confusion) : nil))
        }
        let topFive = evaluation.top5Accuracy.map { ", top-5 \(percent($0))" } ?? ""
        let several =
            evaluation.multiLabel.map {
                ", mean average precision \(percent($0.meanAveragePrecision ?? .nan)), exactly their classes "
                    + percent($0.exactMatch)
            } ?? ""
        print(
            "\(evaluation.imageCount) images: loss \(decimals(evaluation.loss, 4)), accuracy "
                + percent(evaluation.accuracy) + topFive + several)
    }

    private func makeConfiguration(_ file: Safetensors) throws -> (Network, Dataset, TrainingConfiguration) {
        let saved = try model.savedConfiguration(file)
        let data = dataOptions.source.identity ?? saved?.data ?? "glyphs"
        guard !data.isEmpty else {
            throw ResinError(
                .usage,
                "there is no config.json beside \(model.path); say with --data which images to evaluate on")
        }
        func load(side: Int) throws -> Dataset {
            // Another folder than the run's has its own test images, or its own --split.
            let split = data == saved?.data ? saved?.split : nil
            return try dataOptions.source.load(
                data, side: side, split: split, honoursOrientation: saved?.honoursOrientation ?? true,
                seed: saved?.seed ?? 42, limit: nil,
                limitTest: dataOptions.limitTest ?? saved?.limitTest)
        }
        var made: (Network, Dataset, TrainingConfiguration)
        if let saved {
            let network = try model.network(of: saved)
            let isRunsOwn = dataOptions.source.data == nil && dataOptions.limitTest == nil
            let dataset = try blamingFile(isRunsOwn ? "the run's config.json" : nil) {
                var dataset = try load(side: saved.input.height)
                if data == saved.data, dataOptions.limitTest == nil, let run = model.run {
                    dataset = try run.divided(dataset)
                }
                try check(dataset, against: saved)
                return dataset
            }
            made = (network, dataset, saved)
        } else {
            made = try model.bareModel(data: data, load: load)
        }
        if !(made.1.test is any PhotographSource) { try fitting.checkUnused(by: made.1) }
        try fitting.apply(to: &made.2)
        made.2.batch = min(batch ?? made.2.batch, made.1.test.count)
        guard made.2.batch > 0 else {
            throw ResinError(.usage, "--batch is \(made.2.batch); it must be at least 1")
        }
        return made
    }

    private func check(_ dataset: Dataset, against saved: TrainingConfiguration) throws {
        guard dataset.classNames.count == saved.classCount, dataset.train.channels == saved.mean.count else {
            throw ResinError(
                .usage,
                "the run was trained on \(saved.classCount) classes and \(saved.mean.count) channels, but "
                    + "\(dataset.name) has \(dataset.classNames.count) and \(dataset.train.channels)")
        }
        if dataset.classNames != saved.classNames {
            let (names, savedNames) = (dataset.classNames, saved.classNames)
            note(
                "note: the classes of \(dataset.name) have other names than those of the run: "
                    + "\(names.joined(separator: ", ")) for \(savedNames.joined(separator: ", "))")
        }
    }

    private func matrix(_ confusion: ConfusionMatrix) -> [[Int]]? {
        guard confusion.classCount <= Self.largestMatrix else { return nil }
        let classes = 0..<confusion.classCount
        return classes.map { label in classes.map { confusion[label, $0] } }
    }

    /// `path,label,predicted,probability,logit_0,…` of sets that lie in files, `index,label,…` of others. Several labels of an
    /// image are separated by semicolons.
    private func write(
        _ evaluation: Evaluation, of dataset: Dataset, _ loss: TrainingConfiguration.LossFunction,
        to path: String
    ) throws {
        let images = dataset.test
        let classes = evaluation.confusion.classCount
        let haveNames = images.name(of: 0) != nil
        let head = haveNames ? "path,label,predicted,probability," : "index,label,predicted,"
        var text = head + (0..<classes).map { "logit_\($0)" }.joined(separator: ",") + "\n"
        let labels = images.labels
        let skipped = Set(evaluation.skipped.map(\.index))
        for (row, index) in labels.indices.filter({ !skipped.contains($0) }).enumerated() {
            let logits = evaluation.logits[row * classes..<(row + 1) * classes]
            let top = logits.indices.max { logits[$0] < logits[$1] }!
            let place = images.name(of: index).map(\.csvField) ?? "\(index)"
            let predicted = top - logits.startIndex
            let label = Int(labels[index])
            let own = dataset.labelSets?.sets[label].map { "\($0)" }.joined(separator: ";") ?? "\(label)"
            text += "\(place),\(own),\(predicted),"
            if haveNames { text += "\(loss.probabilities(logits)[predicted])," }
            text += logits.map { "\($0)" }.joined(separator: ",") + "\n"
        }
        try AtomicFile.write(Data(text.utf8), to: path)
    }
}
