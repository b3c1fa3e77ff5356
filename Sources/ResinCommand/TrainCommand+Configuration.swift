import Foundation
import Resin

/// From options, recipes and saved runs to one configuration.
extension TrainCommand {
    /// What is configured for a set of which only the outline is known: to plan with. Nil where that fails, which
    /// is said once the set is there.
    typealias Preview = (DatasetOutline) -> (Network, TrainingConfiguration)?

    /// - Parameter load: gives the data set for the height and width that the network takes.
    func makeConfiguration(
        _ file: RecipeFile?, _ start: StartingFile? = nil,
        load: (_ data: String, _ side: Int, _ seed: UInt64, _ preview: Preview) throws -> Dataset
    ) throws -> (Network, Dataset, TrainingConfiguration) {
        guard let network else {
            throw ResinError(
                .usage, "name a network: \(Network.knownNames.joined(separator: ", ")); \(config!) has none")
        }
        let blueprint = try blaming(file, ["--network"]) { try Network.blueprint(named: network) }
        let data = dataOptions.source.identity ?? "glyphs"
        let seed = seed ?? 42
        let recipe = Recipe(network: blueprint.name, data: data, variant: networkArguments.variant)
        let side = try bounded("--resize", resize ?? recipe.side, 1...Limits.side)
        func configured(
            by recipe: Recipe, classNames: [String], mean: [Float], standardDeviation: [Float]
        ) throws -> (Network, TrainingConfiguration) {
            let networkOptions = ["--network", "--resize"] + NetworkOptions.Name.allCases.map(\.rawValue)
            let (options, model) = try blaming(file, networkOptions) {
                let options = try networkArguments.options(over: recipe.options, for: blueprint.name)
                let model = try Network.named(
                    blueprint.name, input: ImageShape(channels: mean.count, side: side),
                    classes: classNames.count, options: options)
                // Whether the layers fit shows when a graph is made.
                _ = try model.makeGraph()
                return (options, model)
            }
            var configuration = TrainingConfiguration(
                network: model, data: data, classNames: classNames, mean: mean,
                standardDeviation: standardDeviation, epochs: recipe.epochs, batch: recipe.batch,
                optimizer: recipe.optimizer)
            // Learnt filters expect what they have seen.
            if let description = start?.description, description.mean.count == mean.count {
                configuration.mean = description.mean
                configuration.standardDeviation = description.standardDeviation
            }
            configuration.startingWeights = start?.identity
            try apply(recipe, options, seed, to: &configuration, file)
            return (model, configuration)
        }
        let dataset = try blaming(
            file, ["--data", "--split", "--limit", "--limit-test", "--validation"]
        ) {
            let dataset = try load(data, side, seed) { outline in
                // No plan depends on the mean and the deviation, which only the pixels tell.
                let ones = [Float](repeating: 1, count: outline.train.channels)
                return try? configured(
                    by: outline.arePhotographs
                        ? recipe.forPhotographs(count: outline.train.images, batch: givenBatch)
                        : recipe,
                    classNames: outline.classNames, mean: ones, standardDeviation: ones)
            }
            return try validation.map { try dataset.cuttingValidation($0, seed: seed) } ?? dataset
        }
        let arePhotographs = dataset.train is any PhotographSource
        var (model, configuration) = try configured(
            by: arePhotographs
                ? recipe.forPhotographs(count: dataset.train.count, batch: givenBatch) : recipe,
            classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation)
        if arePhotographs {
            configuration.fit = fitting.fit ?? .crop
            // Much smaller ones are mostly signs, which have a right way round.
            if augment == nil, side >= 64 { configuration.augmentation = AugmentationPolicy.ofPhotographs }
        } else {
            try fitting.checkUnused(by: dataset)
        }
        if let classWeights {
            configuration.classWeights = try blaming(file, ["--class-weights"]) {
                try Self.classWeights(classWeights, for: dataset, configuration.loss)
            }
            try configuration.check()
        }
        return (model, dataset, configuration)
    }

    /// Sets the recipe's, and over it what the command line gives.
    private func apply(
        _ recipe: Recipe, _ options: NetworkOptions, _ seed: UInt64,
        to configuration: inout TrainingConfiguration, _ file: RecipeFile?
    ) throws {
        configuration.options = options
        configuration.schedule = recipe.schedule
        configuration.initialiser = recipe.initialiser
        configuration.labelSmoothing = recipe.labelSmoothing
        configuration.seed = seed
        // A recipe's learning rate belongs to its optimizer.
        if let optimizer, optimizer != recipe.optimizer.name {
            configuration.optimizer = OptimizerSettings(
                optimizer, learningRate: optimizer.learningRate)
        }
        try apply(to: &configuration, file)
    }

    /// Errors of usage are the recipe's where it has one of these options.
    func blaming<Result>(
        _ recipe: RecipeFile?, _ options: [String], _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as ResinError {
            throw recipe?.error(of: error, options: options) ?? error
        }
    }

    /// Sets what the command line gives.
    ///
    /// - Throws: for a value that breaks its rule; `ResinError(.usage)` for an option that would do nothing.
    private func apply(to configuration: inout TrainingConfiguration, _ recipe: RecipeFile?) throws {
        if let data = dataOptions.source.identity { configuration.data = data }
        if let split = dataOptions.source.split { configuration.split = split }
        if let exif = dataOptions.source.exif { configuration.honoursOrientation = exif }
        if let limit { configuration.limit = limit }
        if let validation { configuration.validation = validation }
        if let limit = dataOptions.limitTest { configuration.limitTest = limit }
        if let mean {
            let (mean, std) = try Self.mean(mean, channels: configuration.input.channels)
            configuration.mean = mean
            if let std { configuration.standardDeviation = std }
        }
        if let std { configuration.standardDeviation = try Self.numbers("--std", std) }
        if let augment { configuration.augmentation = try AugmentationPolicy(option: augment) }
        try fitting.apply(to: &configuration)
        if let epochs { configuration.epochs = epochs }
        if let givenBatch { configuration.batch = givenBatch }
        if let shards { configuration.shards = shards }
        if let optimizer { configuration.optimizer.name = optimizer }
        if let lr { configuration.optimizer.learningRate = lr }
        if let momentum { configuration.optimizer.momentum = momentum }
        if let nesterov { configuration.optimizer.nesterov = nesterov }
        if let weightDecay { configuration.optimizer.weightDecay = weightDecay }
        if let schedule { configuration.schedule.kind = schedule }
        if let warmupEpochs { configuration.schedule.warmupEpochs = warmupEpochs }
        try optimization.apply(to: &configuration, schedule: schedule, warmupEpochs: warmupEpochs)
        if let initialiser { configuration.initialiser = initialiser }
        if let freeze { configuration.frozen = try Self.names("--freeze", freeze) }
        if let seed { configuration.seed = seed }
        if let onNaN { configuration.onNaN = onNaN }
        if let loss { configuration.loss = loss }
        if let focal { configuration.focal = try Self.focal(focal) }
        // A recipe's is cross-entropy's.
        if loss == .binary, labelSmoothing == nil { configuration.labelSmoothing = 0 }
        if let labelSmoothing { configuration.labelSmoothing = labelSmoothing }
        if let sampler { configuration.sampler = sampler }
        if let patience { configuration.patience = patience }
        if let math = deviceOption.math { configuration.math = math }
        if let precision = deviceOption.precision { configuration.precision = precision }
        try configuration.check()
        try checkMomentum(configuration.optimizer, recipe)
        do {
            try optimization.check(configuration)
        } catch let fault {
            throw recipe?.error(of: fault.error, options: [fault.option]) ?? fault.error
        }
    }

    /// A saved run keeps settings that do nothing; who gives them now means something by it.
    private func checkMomentum(_ optimizer: OptimizerSettings, _ recipe: RecipeFile?) throws {
        if let momentum, momentum > 0, !optimizer.name.hasMomentum {
            let error = ResinError(
                .usage,
                "--momentum is SGD's and RMSprop's, and --optimizer is \(optimizer.name.rawValue), which has its own; "
                    + "leave it out, or say --momentum 0 or --optimizer sgd")
            throw recipe?.error(of: error, options: ["--momentum"]) ?? error
        }
        if nesterov == true, optimizer.name != .sgd || optimizer.momentum == 0 {
            let error = ResinError(.usage, "--nesterov needs --optimizer sgd with a --momentum above zero")
            throw recipe?.error(of: error, options: ["--nesterov"]) ?? error
        }
    }

    /// A run's own configuration, once it is sure that no option given now would change what it computes.
    func resumed(
        _ saved: TrainingConfiguration, _ folder: RunFolder, _ recipe: RecipeFile?
    ) throws -> TrainingConfiguration {
        if classWeights != nil || batch == .auto {
            throw ResinError(
                .usage,
                "\(folder.path): a resumed run keeps its class weights and its batch; leave out --class-weights and "
                    + "--batch auto")
        }
        var configuration = saved
        try apply(to: &configuration, recipe)
        if let network { configuration.network = network }
        configuration.options = try networkArguments.options(over: saved.options, for: saved.network)
        if let resize {
            let side = try bounded("--resize", resize, 1...Limits.side)
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

    /// What `--mean` says: numbers, or `imagenet`, which says the deviation, too.
    static func mean(_ text: String, channels: Int) throws -> (mean: [Float], std: [Float]?) {
        guard text == "imagenet" else { return (try numbers("--mean", text), nil) }
        let (mean, std): ([Float], [Float]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        if channels == 3 { return (mean, std) }
        // Of grey images all channels are the same.
        return (
            Array(repeating: mean.reduce(0, +) / 3, count: channels),
            Array(repeating: std.reduce(0, +) / 3, count: channels)
        )
    }

    private static func names(_ option: String, _ text: String) throws -> [String] {
        let names = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        guard names.allSatisfy({ !$0.isEmpty }) else {
            throw ValueFault(
                key: option, option: option, value: "'\(text)'",
                allowed: "names of layers, comma-separated, or backbone")
        }
        return names
    }

    static func numbers(_ option: String, _ text: String) throws -> [Float] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard parts.allSatisfy({ $0 != nil }) else {
            throw ValueFault(
                key: option, option: option, value: "'\(text)'",
                allowed: "numbers, comma-separated, one for each channel")
        }
        return parts.map { $0! }
    }
}

/// What `train --config` would compute with a recipe's values and such a data set.
///
/// - Throws: `ResinError`.
package func configuration(ofRecipe path: String, for dataset: Dataset) throws -> TrainingConfiguration {
    var recipe = try RecipeFile(path)
    var command = try TrainCommand.parse(["--config", path])
    try recipe.apply(to: &command)
    do {
        return try command.makeConfiguration(recipe) { _, _, _, _ in dataset }.2
    } catch let fault as ValueFault {
        throw recipe.error(of: fault)
    }
}
