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

    @Argument(help: "A safetensors file, or a run folder, whose best checkpoint is taken.")
    var checkpoint: String

    @Option(help: ArgumentHelp("The network that the weights are of.", valueName: "name"))
    var network: String?
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x224x224.", valueName: "shape"))
    var input: String?
    @Option(help: ArgumentHelp("Images a step (default: 128).", valueName: "n"))
    var batch: Int?
    @OptionGroup var networkArguments: NetworkArguments
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
        var loss, accuracy, top5Accuracy, imagesPerSecond: Double
    }

    func run() throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: checkpoint, isDirectory: &isFolder)
        let path = exists && isFolder.boolValue ? checkpoint + "/best.safetensors" : checkpoint
        let weights = try Safetensors(contentsOf: path)
        let (model, dataset, configuration) = try makeConfiguration(besides: path)
        let device = try deviceOption.choose()
        note("device \(device)")
        let start = ContinuousClock().now
        let evaluation = try Evaluation(
            of: model, weights: weights, from: path, on: dataset, configuration, device: device,
            keepsLogits: predictions != nil)
        let seconds = (ContinuousClock().now - start) / .seconds(1)
        for warning in evaluation.deadClassWarnings(classNames: dataset.classNames) {
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
        print(
            "\(evaluation.imageCount) images: loss \(decimals(evaluation.loss, 4)), accuracy "
                + "\(percent(evaluation.accuracy)), top-5 \(percent(evaluation.top5Accuracy))")
    }

    private func makeConfiguration(besides path: String) throws -> (Network, Dataset, TrainingConfiguration) {
        let folder = (path as NSString).deletingLastPathComponent
        let run = try? RunFolder(existing: folder.isEmpty ? "." : folder)
        let saved = network == nil ? try run?.configuration(as: TrainingConfiguration.self) : nil
        guard let name = network ?? saved?.network else {
            throw ResinError(
                .usage,
                "there is no config.json beside \(path); say with --network which network the weights are of")
        }
        let data = dataOptions.data ?? saved?.data ?? "glyphs"
        let dataset = try dataOptions.load(
            data, seed: saved?.seed ?? 42, limit: nil, limitTest: dataOptions.limitTest ?? saved?.limitTest)
        let recipe = Recipe(network: name, data: data)
        let shape =
            try input.map(ImageShape.init(parsing:)) ?? saved?.input
            ?? ImageShape(channels: dataset.train.channels, side: recipe.side)
        let options = try networkArguments.options(over: saved?.options ?? NetworkOptions())
        let model = try Network.named(
            name, input: shape, classes: dataset.classNames.count, options: options)
        var configuration =
            saved
            ?? TrainingConfiguration(
                network: model, data: data, classNames: dataset.classNames, mean: dataset.mean,
                standardDeviation: dataset.standardDeviation, epochs: 1, batch: 128,
                optimizer: recipe.optimizer)
        configuration.batch = min(batch ?? configuration.batch, dataset.test.count)
        guard configuration.batch > 0 else {
            throw ResinError(.usage, "--batch is \(configuration.batch); it must be at least 1")
        }
        return (model, dataset, configuration)
    }

    private func write(_ evaluation: Evaluation, labels: [UInt8], to path: String) throws {
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
