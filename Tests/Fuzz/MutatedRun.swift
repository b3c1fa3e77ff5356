import Foundation
import Resin
import ResinCommand
import ResinReference

/// A small run that was interrupted in its second epoch, whose files are mutated, and what the commands make of
/// them.
struct MutatedRun {
    let path: String
    let dataset: Dataset
    private let files: [String: [UInt8]]
    private static let recipe = """
        {"network": "lenet", "data": "glyphs", "limit": 64, "limit_test": 16, "resize": 28, "mean": [0.25],
         "std": [0.5], "augment": ["random-resized-crop=0.25:1", "flip", "vertical-flip", "jitter=0.1:0.2:0.3:0.4",
         "erase=0.25", "randaugment=2:9", "mixup=0.2", "cutmix=1"], "math": "exact", "precision": "float32", "epochs": 2,
         "batch": 16, "shards": 2, "sampler": "balanced", "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": true, "weight_decay": 0.001,
         "clip": 1, "head_lr": 0.2, "layer_decay": 0.9, "decay": "filters", "ema": 0.9, "schedule": "cosine",
         "min_lr": 0.001, "restarts": 1, "warmup_steps": 2, "label_smoothing": 0.1, "patience": 1, "init": "kaiming",
         "seed": 7, "on_nan": "skip", "save_every": 1, "keep": 2, "progress": "none"}
        """
    private static let names = [
        "config.json", "metrics.jsonl", "best.safetensors", "last.safetensors", "last.optimizer.safetensors",
    ]

    /// Trains in a folder that is not there yet.
    static func make(in path: String) throws {
        let dataset = try Self.dataset
        let network = try Network.named("lenet")
        var configuration = TrainingConfiguration(
            network: network, data: "glyphs", classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation, epochs: 3, batch: 16,
            optimizer: .lamb(learningRate: 0.01))
        (configuration.optimizer.headLearningRate, configuration.optimizer.layerDecay) = (0.02, 0.9)
        configuration.schedule = Schedule(.plateau)
        configuration.averageDecay = 0.9
        (configuration.limit, configuration.limitTest) = (64, 16)
        configuration.augmentation = try AugmentationPolicy(
            option: "random-resized-crop=0.25:1,flip,vertical-flip,jitter=0.1:0.2:0.3:0.4,erase=0.25,"
                + "randaugment=2:9,mixup=0.2,cutmix=1")
        (configuration.shards, configuration.sampler) = (2, .balanced)
        // A loss scale is in it.
        configuration.precision = .mixedFloat16
        let trainer = try Trainer(
            network, dataset, configuration, device: ComputeDevice.matching("reference"))
        let run = try TrainingRun(trainer, newIn: RunFolder(newRunOf: "lenet", out: path), keep: 1)
        _ = try run.run(report: { _ in }, shouldStop: { trainer.step == 2 * trainer.stepsPerEpoch + 2 })
        try AtomicFile.write(Data(recipe.utf8), to: path + "/recipe.json")
    }

    private static var dataset: Dataset {
        get throws { try Dataset.glyphs(seed: 42, trainCount: 64, testCount: 16) }
    }

    init(in path: String) throws {
        self.path = path
        dataset = try Self.dataset
        files = Dictionary(
            uniqueKeysWithValues: try (Self.names + ["recipe.json"]).map {
                ($0, [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + $0))))
            })
    }

    /// Changes one of the files, and lets the commands have the folder.
    ///
    /// - Returns: which file, and how it ended: "read", or the error's kind.
    func run(mutant: Int) throws -> (file: String, end: String) {
        var draws = Draws(mutant: mutant)
        let name = draws.element(
            of: Self.names + ["config.json", "metrics.jsonl", "recipe.json", "recipe.json"])
        let file = files[name]!
        var text: String { String(decoding: file, as: UTF8.self) }
        let bytes =
            switch name {
            case "metrics.jsonl": try mutated(lines: text.split(separator: "\n").map(String.init), &draws)
            case _ where name.hasSuffix(".json"): try mutated(json: text, &draws)
            default: try mutated(safetensors: file, &draws)
            }
        // Resuming writes metrics anew.
        for name in [name, "metrics.jsonl", "config.json"] { try write(files[name]!, to: name) }
        try write(bytes, to: name)
        defer { try? write(file, to: name) }
        var ends: Set<String> = []
        // Launches take the most time by far.
        let launches = mutant % 16 == 0
        for command in name == "recipe.json" ? [train] : [predict, resume] {
            do {
                try command(launches)
                ends.insert("read")
            } catch let error as ResinError {
                ends.insert("\(error.kind)")
            }
        }
        return (name, ends.sorted().joined(separator: " or "))
    }

    private func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    private func train(launches: Bool) throws {
        let configuration = try ResinCommand.configuration(ofRecipe: path + "/recipe.json", for: dataset)
        try plan(configuration, configuration.knownNetwork(from: "recipe"), mode: .training)
    }

    /// What `predict` and `evaluate` do.
    private func predict(launches: Bool) throws {
        let folder = try RunFolder(existing: path)
        let weights = try Safetensors(weightsOf: path + "/best.safetensors")
        let configuration = try folder.configuration(as: TrainingConfiguration.self)
        let network = try configuration.knownNetwork(from: folder.configurationPath)
        _ = try weights.classNames(from: path)
        _ = try weights.configuration(from: path)
        try plan(configuration, network, mode: .inference)
        let found = try NetworkWeights(weights, from: path, for: network)
        guard launches, network.input.channels == 1, network.classCount == dataset.classNames.count else {
            return
        }
        _ = try Evaluation(
            of: network, weights: found, on: dataset, configuration,
            device: ComputeDevice.matching("reference"))
    }

    private func resume(launches: Bool) throws {
        let folder = try RunFolder(existing: path)
        let configuration = try folder.configuration(as: TrainingConfiguration.self)
        let network = try configuration.knownNetwork(from: folder.configurationPath)
        var dataset = dataset
        if configuration.data != "glyphs" {
            dataset = try Dataset.load(
                configuration.data, split: configuration.split, seed: configuration.seed)
        }
        if let limit = configuration.limit { dataset.train = try dataset.train.prefix(limit) }
        if let limit = configuration.limitTest { dataset.test = try dataset.test.prefix(limit) }
        try plan(configuration, network, mode: .training)
        let trainer = try Trainer(
            network, dataset, configuration, device: ComputeDevice.matching("reference"))
        let run = try TrainingRun(trainer, resuming: folder)
        _ = try run.folder.metrics.read()
        if launches { _ = try trainer.takeSteps(1) }
        _ = try trainer.lossScale().map { Int($0.skippedSteps) }
    }

    /// Plans the network's pass, and refuses what would take long to run here.
    private func plan(
        _ configuration: TrainingConfiguration, _ network: Network, mode: NetworkScope.Mode
    ) throws {
        let graph = try network.makeGraph(batch: configuration.batch, mode: mode).graph
        let plan = ReferenceExecutor().makePlan(graph)
        guard plan.arenaByteCount + plan.parameterLayout.byteCount < 1 << 24 else {
            throw ResinError(.outOfMemory, "larger than a test has")
        }
    }
}
