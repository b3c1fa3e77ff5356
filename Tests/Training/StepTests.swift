import Foundation
import Resin
import ResinTraining
import Testing

@Suite("A training that a program drives")
struct StepTests {
    private static let network = Network("small", input: ImageShape(channels: 1, side: 8), classes: 10) {
        Convolution2D(8, kernel: 3, padding: 1).named("conv")
        BatchNorm().named("bn")
        ReLU().named("relu")
        GlobalAveragePool2D().named("pool")
        Dense(10).named("fc")
    }

    private func trainer(
        _ device: ComputeDevice, _ optimizer: OptimizerSettings = .sgd(learningRate: 0.1, momentum: 0.9)
    ) throws -> Trainer {
        let data = try Dataset.noise(40, of: Self.network.input)
        var configuration = TrainingConfiguration(Self.network, data, batch: 8, optimizer)
        configuration.schedule = Schedule(.constant, warmupEpochs: 1)
        return try Trainer(Self.network, data, configuration, device: device)
    }

    @Test(
        "Single steps are those of an epoch, to the bit; an evaluation between changes nothing",
        arguments: executors)
    func sameBits(device: ComputeDevice) throws {
        let (whole, single) = (try trainer(device), try trainer(device))
        let epoch = try #require(try whole.trainEpoch())
        var losses: [Double] = []
        for step in 1...5 {
            let result = try single.trainStep()
            #expect(result.step == step && result.epoch == 1 && !result.isSkipped)
            #expect(result.learningRate == whole.learningRate(atStep: step - 1))
            #expect((0...1).contains(result.accuracy))
            losses.append(result.loss)
            if step == 2 { _ = try single.evaluate() }
        }
        #expect(single.step == 5 && single.epoch == 2)
        #expect(abs(losses.reduce(0, +) / 5 - epoch.loss) < 1e-9)
        #expect(try single.checkpoint().weights == whole.checkpoint().weights)
        #expect(try single.checkpoint().optimizer == whole.checkpoint().optimizer)
    }

    @Test(
        "A rate of its own, and gradients by name: plain descent moves weights by their product",
        arguments: executors)
    func ownRate(device: ComputeDevice) throws {
        let trainer = try trainer(device, .sgd(learningRate: 0.1))
        #expect(
            trainer.parameterNames == [
                "conv.weight", "conv.bias", "bn.weight", "bn.bias", "fc.weight", "fc.bias",
            ])
        #expect(try trainer.gradient("fc.bias").values.allSatisfy { $0 == 0 })
        for rate in [Float(0.25), 0.5] {
            let before = try trainer.parameterNames.map { try trainer.weight($0) }
            let result = try trainer.trainStep(learningRate: rate)
            #expect(result.learningRate == rate)
            for old in before {
                let new = try trainer.weight(old.name)
                let gradient = try trainer.gradient(old.name)
                #expect(new.shape == old.shape && gradient.shape == old.shape)
                for (place, value) in new.values.enumerated() {
                    let expected = old.values[place] - rate * gradient.values[place]
                    #expect(abs(value - expected) < 1e-6, "\(old.name)")
                }
            }
            // The loss of softmax: the gradients of all classes' biases add up to zero.
            let bias = try trainer.gradient("fc.bias").values
            #expect(abs(bias.reduce(0, +)) < 1e-6 && bias.contains { abs($0) > 1e-4 })
        }
        // With a rate of zero nothing moves but the running statistics.
        let weights = try trainer.weight("conv.weight")
        let mean = try trainer.weight("bn.running_mean")
        try trainer.trainStep(learningRate: 0)
        #expect(try trainer.weight("conv.weight") == weights)
        #expect(try trainer.weight("bn.running_mean") != mean)
        for bad in [Float.nan, .infinity, -1] {
            #expect(throws: ResinError.self) { try trainer.trainStep(learningRate: bad) }
        }
        for name in ["nothing", "bn.running_mean"] {
            let error = #expect(throws: ResinError.self) { try trainer.gradient(name) }
            #expect(error?.kind == .usage && error?.message.contains("fc.weight") == true)
        }
        #expect(throws: ResinError.self) { try trainer.weight("nothing") }
    }

    @Test("A cancelled task's step is not taken", arguments: executors)
    func cancellation(device: ComputeDevice) async throws {
        let trainer = try trainer(device)
        try trainer.trainStep()
        let before = try trainer.checkpoint()
        withUnsafeCurrentTask { $0?.cancel() }
        #expect(throws: CancellationError.self) { try trainer.trainStep() }
        #expect(trainer.step == 1)
        #expect(try trainer.checkpoint() == before)
    }

    @Test(
        "A checkpoint is written and read back; weights are taken without an optimizer's state",
        arguments: executors)
    func files(device: ComputeDevice) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "steps-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (weights, optimizer) = (
            folder.appending(path: "w.safetensors").path, folder.appending(path: "o.safetensors").path
        )
        let first = try trainer(device)
        for _ in 0..<3 { try first.trainStep() }
        try first.writeCheckpoint(weights: weights, optimizer: optimizer)
        let second = try trainer(device)
        try second.restore(Checkpoint(weights: weights, optimizer: optimizer), from: weights)
        #expect(try first.trainStep() == second.trainStep())
        #expect(try first.checkpoint() == second.checkpoint())

        let third = try trainer(device)
        let file = try Safetensors(contentsOf: weights)
        try third.load(NetworkWeights(file, from: weights, for: Self.network))
        #expect(third.step == 0)
        for name in third.parameterNames + ["bn.running_mean", "bn.running_var"] {
            #expect(try third.weight(name) == file[name])
        }
    }
}
