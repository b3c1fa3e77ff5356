import Resin
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining
import Testing

@Suite("Values that are not finite")
struct NotFiniteTests {
    private static let network = Network("small", input: ImageShape(channels: 1, side: 6), classes: 10) {
        Convolution2D(5, kernel: 3)
        ReLU()
        Convolution2D(4, kernel: 3)
        ReLU()
        Flatten()
        Dense(10)
    }

    private static let normalised = Network(
        "normalised", input: ImageShape(channels: 1, side: 6), classes: 10
    ) {
        BatchNorm()
        Convolution2D(5, kernel: 3)
        BatchNorm()
        ReLU()
        Flatten()
        Dense(10)
    }

    private func trainer(
        _ onNaN: TrainingConfiguration.NaNPolicy, of network: Network = network, learningRate: Float = 0.01,
        on device: ComputeDevice
    ) throws -> Trainer {
        let dataset = try Dataset.noise(24, of: network.input)
        var configuration = TrainingConfiguration(
            network, dataset, batch: 4, .sgd(learningRate: learningRate, momentum: 0.9))
        configuration.onNaN = onNaN
        return try Trainer(network, dataset, configuration, device: device)
    }

    /// Puts one value into a tensor of the trainer's.
    private func poison(_ trainer: Trainer, _ name: String, with value: Float) throws {
        let model = trainer.model
        if let index = model.parameters.firstIndex(where: { $0.name == name }) {
            let offset = model.parameterLayout.byteOffset(index)
            return try trainer.executor.write([value], to: .parameters, offset: offset)
        }
        let index = try #require(model.statistics.firstIndex { $0.name == name })
        for region in [Region.statistics, .keptStatistics] {
            let offset = model.statisticLayout.byteOffset(index)
            try trainer.executor.write([value], to: region, offset: offset)
        }
    }

    @Test("a rate far too large stops with the layer and what to do", arguments: executors)
    func diverges(device: ComputeDevice) throws {
        let trainer = try trainer(.stop, learningRate: 1e20, on: device)
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        let message = try #require(error).message
        #expect(error?.kind == .notFinite)
        #expect(message.hasPrefix("the loss is not finite in epoch 1, step "))
        #expect(message.contains("; the first layer that is not finite is '"))
        #expect(message.hasSuffix("or --on-nan skip to leave such steps out."))
    }

    @Test("the first layer that overflows from finite weights is named", arguments: executors)
    func layer(device: ComputeDevice) throws {
        let trainer = try trainer(.stop, on: device)
        try poison(trainer, "0.bias", with: 3e38)
        try poison(trainer, "2.weight", with: 1e3)
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        #expect(
            error?.message.hasPrefix(
                "the loss is not finite in epoch 1, step 1 of 6; the first layer that is not finite is '2'. ")
                == true)
        #expect(try !trainer.checkpoint().weights["2.bias"]!.values.contains { !$0.isFinite })
    }

    @Test("a weight that is not finite is named", arguments: executors)
    func tensor(device: ComputeDevice) throws {
        let trainer = try trainer(.stop, on: device)
        try poison(trainer, "2.weight", with: .nan)
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        #expect(error?.message.contains("the first tensor that is not finite is '2.weight'") == true)
    }

    /// The first step moves the weights so far that the losses of all others overflow.
    @Test("skip leaves out the steps, counts them, and the weights stay finite", arguments: executors)
    func skips(device: ComputeDevice) throws {
        let trainer = try trainer(.skip, learningRate: 1e20, on: device)
        let trained = try #require(try trainer.trainEpoch())
        #expect(trained.skippedSteps == 5)
        #expect(trained.loss.isFinite && trained.accuracy <= 1)
        for entry in try trainer.checkpoint().weights.entries {
            #expect(!entry.values.contains { !$0.isFinite }, "\(entry.name)")
        }
    }

    @Test("an epoch in which no step is finite ends the run, with skip too", arguments: executors)
    func nothingLearnt(device: ComputeDevice) throws {
        let trainer = try trainer(.skip, learningRate: 1e20, on: device)
        _ = try trainer.trainEpoch()
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        #expect(error?.kind == .notFinite)
        #expect(error?.message.contains("in any step of epoch 2: all 6 were left out") == true)
    }

    /// No later step's loss shows it.
    @Test(
        "an update that breaks the weights in an epoch's last step ends the run", arguments: executors,
        [TrainingConfiguration.NaNPolicy.stop, .skip])
    func lastStep(device: ComputeDevice, policy: TrainingConfiguration.NaNPolicy) throws {
        let dataset = try Dataset.noise(4, of: Self.network.input)
        var configuration = TrainingConfiguration(
            Self.network, dataset, batch: 4, .sgd(learningRate: 1e10, weightDecay: 1e38))
        configuration.onNaN = policy
        let trainer = try Trainer(Self.network, dataset, configuration, device: device)
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        #expect(error?.kind == .notFinite)
        #expect(
            error?.message.hasPrefix(
                "the weights are not finite after epoch 1, step 1 of 1; the first tensor that is not finite is "
                    + "'0.weight'. ") == true, "\(error?.message ?? "")")
    }

    @Test("running statistics that overflow end the run, though the loss is finite", arguments: executors)
    func statisticsOverflow(device: ComputeDevice) throws {
        let trainer = try trainer(.stop, of: Self.normalised, on: device)
        try poison(trainer, "0.running_var", with: .infinity)
        let error = #expect(throws: ResinError.self) { _ = try trainer.trainEpoch() }
        #expect(error?.message.contains("'0.running_var'") == true, "\(error?.message ?? "")")
    }

    @Test("with skip, a step that is not finite changes neither weights nor momentum", arguments: executors)
    func skipChangesNothing(device: ComputeDevice) throws {
        let trainer = try trainer(.skip, on: device)
        _ = try trainer.takeSteps(2)
        try poison(trainer, "5.bias", with: .infinity)
        let before = try trainer.checkpoint()
        _ = try trainer.takeSteps(1)
        let after = try trainer.checkpoint()
        #expect(after.weights.entries == before.weights.entries)
        #expect(after.optimizer["0.0.weight"] == before.optimizer["0.0.weight"])
    }

    private func statistics(of trainer: Trainer) throws -> [String: [Float]] {
        let entries = try trainer.checkpoint().weights.entries.filter { $0.name.contains("running_") }
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.values) })
    }

    /// The forward pass has updated them before there is a loss: of the layer before the one that breaks with
    /// values that are finite, of the one behind it with others.
    @Test(
        "with skip, a step that is not finite leaves the running statistics as they were",
        arguments: executors)
    func skipKeepsStatistics(device: ComputeDevice) throws {
        let trainer = try trainer(.skip, of: Self.normalised, on: device)
        _ = try trainer.takeSteps(2)
        let whole = try trainer.checkpoint()
        let before = try statistics(of: trainer)
        #expect(before.count == 4 && before["0.running_mean"] != [0])
        try poison(trainer, "1.weight", with: .nan)
        _ = try trainer.takeSteps(1)
        #expect(try statistics(of: trainer) == before)
        // Without the poison the step after it is that of a run that was resumed there.
        var healed = try trainer.checkpoint()
        healed.weights.entries = healed.weights.entries.map {
            $0.name == "1.weight" ? whole.weights["1.weight"]! : $0
        }
        try trainer.restore(healed, from: "memory")
        let loss = try trainer.takeSteps(1)[0]
        #expect(loss.isFinite)
        let after = try statistics(of: trainer)
        for (name, values) in after {
            #expect(values != before[name] && values.allSatisfy(\.isFinite), "\(name)")
        }
    }

    @Test("with skip, finite steps are those without it", arguments: executors, [network, normalised])
    func skipTrains(device: ComputeDevice, network: Network) throws {
        let skipping = try trainer(.skip, of: network, on: device)
        let stopping = try trainer(.stop, of: network, on: device)
        #expect(try skipping.takeSteps(8) == stopping.takeSteps(8))
        #expect(try skipping.checkpoint().weights == stopping.checkpoint().weights)
    }
}
