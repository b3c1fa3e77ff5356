import ArgumentParser
import Foundation
import Resin

/// A checkpoint to run, and what says which network it is of: the run's config.json beside it, or options.
struct CheckpointArguments: ParsableArguments {
    @Argument(help: "A safetensors file, or a run folder, whose best checkpoint is taken.")
    var checkpoint: String

    @Option(help: ArgumentHelp("The network that the weights are of.", valueName: "name"))
    var network: String?
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x224x224.", valueName: "shape"))
    var input: String?
    @OptionGroup var networkArguments: NetworkArguments

    /// The file of the weights.
    var path: String {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: checkpoint, isDirectory: &isFolder)
        return exists && isFolder.boolValue ? checkpoint + "/best.safetensors" : checkpoint
    }

    /// The run that the checkpoint lies in; nil where there is none.
    var run: RunFolder? {
        let folder = (path as NSString).deletingLastPathComponent
        // Weights alone make a folder one that can hold a run.
        guard let run = try? RunFolder(existing: folder.isEmpty ? "." : folder),
            FileManager.default.fileExists(atPath: run.configurationPath)
        else { return nil }
        return run
    }

    /// The configuration of the run that the checkpoint lies in; nil where there is none, or where options
    /// say what the weights are of.
    func savedConfiguration() throws -> TrainingConfiguration? {
        guard network == nil, let run else { return nil }
        let saved = try run.configuration(as: TrainingConfiguration.self)
        _ = try saved.knownNetwork(from: run.configurationPath)
        return saved
    }

    /// The network of a run's checkpoint.
    func network(of saved: TrainingConfiguration) throws -> Network {
        try Network.named(
            saved.network, input: inputShape(channels: saved.mean.count, of: saved.data) ?? saved.input,
            classes: saved.classCount,
            options: networkArguments.options(over: saved.options, for: saved.network))
    }

    /// The shape that `--input` gives.
    ///
    /// - Parameters:
    ///   - channels: those of the images.
    ///   - data: what they are of.
    private func inputShape(channels: Int, of data: String) throws -> ImageShape? {
        guard let shape = try input.map(ImageShape.init(parsing:)) else { return nil }
        guard shape.channels == channels else {
            let kind = [1: "grey, with 1 channel", 3: "in colour, with 3 channels"]
            throw ResinError(
                .usage,
                "--input \(input!): the images of \(data) are \(kind[channels] ?? "of \(channels) channels"); give "
                    + "--input \(channels)x\(shape.height)x\(shape.width)")
        }
        return shape
    }

    /// A file's weights, found for a network; says what was passed over.
    func weights(_ file: Safetensors, for network: Network) throws -> NetworkWeights {
        let weights = try NetworkWeights(file, from: path, for: network)
        for line in weights.notes { note("note: \(line)") }
        return weights
    }

    /// What runs a bare file of weights: the network that the options name, as a recipe would feed it with a
    /// data set's images.
    ///
    /// - Parameter load: gives the data set for the height and width that the network takes.
    func bareModel(
        data: String, load: (_ side: Int) throws -> Dataset
    ) throws -> (Network, Dataset, TrainingConfiguration) {
        guard let network else {
            throw ResinError(
                .usage,
                "there is no config.json beside \(path); say with --network which network the weights are of")
        }
        let options = try networkArguments.options(over: NetworkOptions(), for: network)
        let recipe = Recipe(network: network, data: data, variant: options.variant)
        let dataset = try load(try input.map(ImageShape.init(parsing:))?.height ?? recipe.side)
        let shape = try inputShape(channels: dataset.train.channels, of: data)
        let model = try Network.named(
            network, input: shape ?? ImageShape(channels: dataset.train.channels, side: recipe.side),
            classes: dataset.classNames.count, options: options)
        var configuration = TrainingConfiguration(
            network: model, data: data, classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation, epochs: 1, batch: 128, optimizer: recipe.optimizer)
        configuration.imageSize = [dataset.train.height, dataset.train.width]
        if dataset.train is any PhotographSource { configuration.fit = .crop }
        return (model, dataset, configuration)
    }
}
