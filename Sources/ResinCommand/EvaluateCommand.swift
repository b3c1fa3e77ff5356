import ArgumentParser
import Foundation
import Resin

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Evaluates a checkpoint on a data set's test images.",
        discussion: """
            The run's config.json beside the checkpoint says which network and data it is for. A bare
            safetensors file, such as a state_dict saved from PyTorch, needs --network.
            """)

    @OptionGroup var model: CheckpointArguments
    @Option(help: ArgumentHelp("Images a step (default: 128).", valueName: "n"))
    var batch: Int?
    @OptionGroup var dataOptions: DataOptions
    @OptionGroup var deviceOption: DeviceOption

    @Option(
        help: ArgumentHelp(
            "Write index,label,predicted,logit_0,… for every test image.", valueName: "file.csv"))
    var predictions: String?
    @Flag(help: "As JSON.")
    var json = false

    private struct Result: Encodable {
        var images: Int
        var loss, accuracy: Double
        /// null where there are no more than five classes.
        var top5Accuracy: Double?
        var imagesPerSecond: Double

        enum CodingKeys: CodingKey { case images, loss, accuracy, top5Accuracy, imagesPerSecond }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(images, forKey: .images)
            try values.encode(loss, forKey: .loss)
            try values.encode(accuracy, forKey: .accuracy)
            try values.encode(top5Accuracy, forKey: .top5Accuracy)
            try values.encode(imagesPerSecond, forKey: .imagesPerSecond)
        }
    }

    func run() throws {
        if let predictions { try AtomicFile.check(predictions) }
        let file = try Safetensors(contentsOf: model.path)
        let (network, dataset, configuration) = try makeConfiguration()
        let weights = try model.weights(file, for: network)
        let device = try deviceOption.choose()
        note("device \(device)")
        let start = ContinuousClock().now
        let evaluation = try Evaluation(
            of: network, weights: weights, on: dataset, configuration, device: device,
            keepsLogits: predictions != nil)
        let seconds = (ContinuousClock().now - start) / .seconds(1)
        for warning in evaluation.classWarnings(classNames: dataset.classNames) {
            note("note: \(warning)")
        }
        if let warning = evaluation.inactivityWarning { note("note: \(warning)") }
        if let predictions { try write(evaluation, labels: dataset.test.labels, to: predictions) }
        if json {
            return try printJSON(
                Result(
                    images: evaluation.imageCount, loss: evaluation.loss, accuracy: evaluation.accuracy,
                    top5Accuracy: evaluation.top5Accuracy,
                    imagesPerSecond: Double(evaluation.imageCount) / seconds))
        }
        let topFive = evaluation.top5Accuracy.map { ", top-5 \(percent($0))" } ?? ""
        print(
            "\(evaluation.imageCount) images: loss \(decimals(evaluation.loss, 4)), accuracy "
                + percent(evaluation.accuracy) + topFive)
    }

    private func makeConfiguration() throws -> (Network, Dataset, TrainingConfiguration) {
        let saved = try model.savedConfiguration()
        let data = dataOptions.source.identity ?? saved?.data ?? "glyphs"
        func load(side: Int) throws -> Dataset {
            // Another folder than the run's has its own test images, or its own --split.
            let split = data == saved?.data ? saved?.split : nil
            return try dataOptions.source.load(
                data, side: side, split: split, seed: saved?.seed ?? 42, limit: nil,
                limitTest: dataOptions.limitTest ?? saved?.limitTest)
        }
        var made: (Network, Dataset, TrainingConfiguration)
        if let saved {
            let network = try model.network(of: saved)
            let isRunsOwn = dataOptions.source.data == nil && dataOptions.limitTest == nil
            let dataset = try blamingFile(isRunsOwn ? "the run's config.json" : nil) {
                let dataset = try load(side: saved.input.height)
                try check(dataset, against: saved)
                return dataset
            }
            made = (network, dataset, saved)
        } else {
            made = try model.bareModel(data: data, load: load)
        }
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

    private func write(_ evaluation: Evaluation, labels: [Int32], to path: String) throws {
        let classes = evaluation.predictionCounts.count
        var text =
            "index,label,predicted," + (0..<classes).map { "logit_\($0)" }.joined(separator: ",") + "\n"
        for index in 0..<evaluation.imageCount {
            let logits = evaluation.logits[index * classes..<(index + 1) * classes]
            let top = logits.indices.max { logits[$0] < logits[$1] }! - logits.startIndex
            text += "\(index),\(labels[index]),\(top)," + logits.map { "\($0)" }.joined(separator: ",") + "\n"
        }
        try AtomicFile.write(Data(text.utf8), to: path)
    }
}
