import ArgumentParser
import Foundation
import Resin

/// A checkpoint to run, and what says which network it is of: the run's config.json beside it, its own metadata, or
/// options.
struct CheckpointArguments: ParsableArguments {
    @Argument(
        help: "A file of weights, safetensors or PyTorch's .pth, or a run folder, for its best checkpoint.")
    var checkpoint: String

    @Option(help: ArgumentHelp("The network that the weights are of.", valueName: "name"))
    var network: String?
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x224x224.", valueName: "shape"))
    var input: String?
    @OptionGroup var networkArguments: NetworkArguments
    @Option(
        help: ArgumentHelp(
            "With --network: mean a channel, 0…1, comma-separated, or imagenet, which is the deviation, too.",
            valueName: "list"))
    var mean: String?
    @Option(help: ArgumentHelp("With --network: standard deviation a channel.", valueName: "list"))
    var std: String?
    @Option(
        help: ArgumentHelp(
            "With --network: what the weights were trained for, cross-entropy (default) or binary.",
            valueName: "loss"))
    var loss: TrainingConfiguration.LossFunction?

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

    /// The configuration of the run that the checkpoint lies in, or what the file says of itself; nil where neither says
    /// anything, or where options say what the weights are of.
    func savedConfiguration(_ file: Safetensors) throws -> TrainingConfiguration? {
        guard network == nil else { return nil }
        guard mean == nil && std == nil && loss == nil else {
            throw ResinError(.usage, "--mean, --std and --loss go with --network, for a bare file of weights")
        }
        guard let run else { return try file.configuration(from: path) }
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

    /// The network that the options name, which a bare file of weights needs.
    func bareNetwork() throws -> String {
        guard let network else {
            throw ResinError(
                .usage,
                "there is no config.json beside \(path), and it does not say itself what it is; say with --network "
                    + "which network the weights are of")
        }
        return network
    }

    /// What runs a bare file of weights: the network that the options name, as a recipe would feed it with a
    /// data set's images.
    ///
    /// - Parameter load: gives the data set for the height and width that the network takes.
    func bareModel(
        data: String, load: (_ side: Int) throws -> Dataset
    ) throws -> (Network, Dataset, TrainingConfiguration) {
        let network = try bareNetwork()
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
        try applyOptions(to: &configuration)
        return (model, dataset, configuration)
    }

    /// The same of photographs, where there is no data set.
    ///
    /// - Parameter classNames: as many as the network has classes.
    func bareModel(_ network: String, classNames: [String]) throws -> (Network, TrainingConfiguration) {
        let options = try networkArguments.options(over: NetworkOptions(), for: network)
        let recipe = Recipe(network: network, data: "", variant: options.variant)
        let usual = try Network.blueprint(named: network).defaultInput(with: options)
        let model = try Network.named(
            network, input: try input.map(ImageShape.init(parsing:)) ?? usual, classes: classNames.count,
            options: options)
        var configuration = try bareConfiguration(
            of: model, classNames: classNames, optimizer: recipe.optimizer)
        configuration.options = options
        return (model, configuration)
    }

    /// What photographs come to a network by, where only options say it.
    private func bareConfiguration(
        of model: Network, classNames: [String], optimizer: OptimizerSettings
    ) throws -> TrainingConfiguration {
        guard mean != nil else {
            throw ResinError(
                .usage,
                "say with --mean and --std with which mean and deviation the network saw its images, such as --mean "
                    + "imagenet for torchvision's weights; or with --data what it was trained on")
        }
        let zeros = [Float](repeating: 0, count: model.input.channels)
        var configuration = TrainingConfiguration(
            network: model, data: "", classNames: classNames, mean: zeros,
            standardDeviation: zeros.map { _ in 1 },
            epochs: 1, batch: 128, optimizer: optimizer)
        configuration.imageSize = [model.input.height, model.input.width]
        configuration.fit = .crop
        try applyOptions(to: &configuration)
        return configuration
    }

    /// Whether the file is a model of ONNX, which has no mark of its own.
    var isONNX: Bool { path.hasSuffix(".onnx") }

    /// A model of ONNX, and what runs it: its metadata say how images come to it, or options.
    func importedModel(_ bareClasses: BareClassOptions) throws -> (ONNXImport, TrainingConfiguration) {
        guard network == nil else {
            throw ResinError(.usage, "--network goes with files of weights; \(path) says itself what it is")
        }
        let model = try ONNXImport(contentsOf: path, input: try input.map(ImageShape.init(parsing:)))
        for line in model.notes { note("note: \(line)") }
        let names = try bareClasses.names(of: model.weights, from: path, count: model.network.classCount)
        if let description = try model.weights.modelDescription(from: path) {
            var configuration = try description.configuration(
                of: model.network, classNames: names, place: path)
            try applyOptions(to: &configuration)
            return (model, configuration)
        }
        return (
            model,
            try bareConfiguration(of: model.network, classNames: names, optimizer: .sgd(learningRate: 0.1))
        )
    }

    private func applyOptions(to configuration: inout TrainingConfiguration) throws {
        if let mean {
            let (mean, std) = try TrainCommand.mean(mean, channels: configuration.input.channels)
            configuration.mean = mean
            if let std { configuration.standardDeviation = std }
        }
        if let std { configuration.standardDeviation = try TrainCommand.numbers("--std", std) }
        if let loss { configuration.loss = loss }
        try configuration.check()
    }
}
