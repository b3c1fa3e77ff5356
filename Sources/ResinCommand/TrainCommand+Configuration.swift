import Foundation
import Resin

/// From options, recipes and saved runs to one configuration.
extension TrainCommand {
    func makeConfiguration() throws -> (Network, Dataset, TrainingConfiguration) {
        guard let network else {
            throw ResinError(
                .usage, "name a network: \(Network.knownNames.joined(separator: ", ")); \(config!) has none")
        }
        let blueprint = try Network.blueprint(named: network)
        let data = dataOptions.source.identity ?? "glyphs"
        let seed = seed ?? 42
        let recipe = Recipe(network: blueprint.name, data: data, variant: networkArguments.variant)
        let side = try bounded("--resize", resize ?? recipe.side, 1...largestSide)
        let dataset = try dataOptions.load(
            data, side: side, split: nil, seed: seed, limit: dataOptions.limit,
            limitTest: dataOptions.limitTest)
        let options = try networkArguments.options(over: recipe.options)
        let model = try Network.named(
            blueprint.name, input: ImageShape(channels: dataset.train.channels, side: side),
            classes: dataset.classNames.count, options: options)
        var configuration = TrainingConfiguration(
            network: model, data: data, classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation, epochs: recipe.epochs, batch: recipe.batch,
            optimizer: recipe.optimizer)
        configuration.options = options
        configuration.schedule = recipe.schedule
        configuration.initialiser = recipe.initialiser
        configuration.labelSmoothing = recipe.labelSmoothing
        configuration.seed = seed
        // A recipe's learning rate belongs to its optimizer.
        if let optimizer, optimizer != recipe.optimizer.name {
            configuration.optimizer = OptimizerSettings(
                optimizer, learningRate: optimizer == .sgd ? 0.1 : 0.001)
        }
        try apply(to: &configuration)
        return (model, dataset, configuration)
    }

    /// Sets what the command line gives.
    private func apply(to configuration: inout TrainingConfiguration) throws {
        if let data = dataOptions.source.identity { configuration.data = data }
        if let split = dataOptions.source.split { configuration.split = split }
        if let limit = dataOptions.limit { configuration.limit = limit }
        if let limit = dataOptions.limitTest { configuration.limitTest = limit }
        let channels = configuration.input.channels
        if let mean { configuration.mean = try numbers("--mean", mean, channels) }
        if let std {
            configuration.standardDeviation = try numbers("--std", std, channels)
            guard configuration.standardDeviation.allSatisfy({ $0 > 0 }) else {
                throw ResinError(.usage, "--std '\(std)': a standard deviation must be above zero")
            }
        }
        if let augment {
            configuration.augmentation = .init()
            for name in augment.split(separator: ",") {
                switch name {
                case "crop": configuration.augmentation.cropPadding = 4
                case "flip": configuration.augmentation.flips = true
                default: throw ResinError(.usage, "--augment knows crop and flip, not '\(name)'")
                }
            }
        }
        if let epochs { configuration.epochs = epochs }
        if let batch { configuration.batch = batch }
        if let optimizer { configuration.optimizer.name = optimizer }
        if let lr { configuration.optimizer.learningRate = try positive("--lr", lr) }
        if let momentum { configuration.optimizer.momentum = try share("--momentum", momentum) }
        if let nesterov { configuration.optimizer.nesterov = nesterov }
        if let weightDecay {
            configuration.optimizer.weightDecay = try notNegative("--weight-decay", weightDecay)
        }
        if configuration.optimizer.nesterov
            && (configuration.optimizer.name != .sgd || configuration.optimizer.momentum == 0)
        {
            throw ResinError(.usage, "--nesterov needs --optimizer sgd with a --momentum above zero")
        }
        if let schedule { configuration.schedule.kind = schedule }
        if let warmupEpochs { configuration.schedule.warmupEpochs = warmupEpochs }
        if let initialiser { configuration.initialiser = initialiser }
        if let seed { configuration.seed = seed }
        if let onNaN { configuration.onNaN = onNaN }
        if let labelSmoothing {
            configuration.labelSmoothing = try share("--label-smoothing", labelSmoothing)
        }
        if let patience { configuration.patience = try bounded("--patience", patience, 1...1_000_000) }
        if let math = deviceOption.math { configuration.math = math }
        if let precision = deviceOption.precision { configuration.precision = precision }
    }

    /// A run's own configuration, once it is sure that no option given now would change what it computes.
    func resumed(
        _ saved: TrainingConfiguration, _ folder: RunFolder
    ) throws -> TrainingConfiguration {
        var configuration = saved
        try apply(to: &configuration)
        if let network { configuration.network = network }
        configuration.options = try networkArguments.options(over: saved.options)
        if let resize {
            let side = try bounded("--resize", resize, 1...largestSide)
            configuration.input = ImageShape(channels: saved.input.channels, side: side)
        }
        var comparable = configuration
        // More epochs at a constant rate are the same run, only longer.
        if !saved.schedule.dependsOnEpochs { comparable.epochs = saved.epochs }
        // So are more epochs of patience.
        comparable.patience = saved.patience
        // So are the same images from another place; the trainer compares their checksums.
        if saved.dataChecksum != nil { comparable.data = saved.data }
        if comparable == saved { return configuration }
        let changed = differences(saved, comparable)
        throw ResinError(
            .usage,
            "\(folder.path) was trained with other settings: \(changed.joined(separator: ", ")); a resumed run keeps "
                + "its own, so leave these options out, or start a new run")
    }

    /// "optimizer.lr (0.1 there, 0.2 now)", by key of config.json.
    private func differences(
        _ saved: TrainingConfiguration, _ given: TrainingConfiguration
    ) -> [String] {
        func fields(_ configuration: TrainingConfiguration) -> [String: String] {
            Dictionary(uniqueKeysWithValues: configuration.fields.map { ($0.key, $0.value) })
        }
        let (before, after) = (fields(saved), fields(given))
        return Set(before.keys).union(after.keys).sorted()
            .filter { before[$0] != after[$0] }
            .map { "\($0) (\(before[$0] ?? "none") there, \(after[$0] ?? "none") now)" }
    }

    private func numbers(_ option: String, _ text: String, _ count: Int) throws -> [Float] {
        let parts = text.split(separator: ",").map { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard parts.count == count, parts.allSatisfy({ $0?.isFinite == true }) else {
            throw ResinError(
                .usage,
                "\(option) '\(text)': expected \(count) number\(count == 1 ? "" : "s"), comma-separated, "
                    + "one a channel")
        }
        return parts.map { $0! }
    }

    private func positive(_ option: String, _ value: Float) throws -> Float {
        guard value > 0 && value.isFinite else {
            throw ResinError(.usage, "\(option) is \(value); it must be above zero")
        }
        return value
    }

    private func notNegative(_ option: String, _ value: Float) throws -> Float {
        guard value >= 0 && value.isFinite else {
            throw ResinError(.usage, "\(option) is \(value); it must not be negative")
        }
        return value
    }

    private func share(_ option: String, _ value: Float) throws -> Float {
        guard value >= 0 && value < 1 else {
            throw ResinError(.usage, "\(option) is \(value); it must be at least 0 and less than 1")
        }
        return value
    }
}
