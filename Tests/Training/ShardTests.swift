import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("A step's batch in shards")
struct ShardTests {
    /// Without batch norm and dropout a mean of means is the mean.
    private static let plain = Network("plain", input: ImageShape(channels: 1, side: 12), classes: 10) {
        Convolution2D(8, kernel: 3, padding: 1)
        ReLU()
        MaxPool2D(kernel: 2)
        Convolution2D(12, kernel: 3)
        ReLU()
        GlobalAveragePool2D()
        Dense(10)
    }

    private static func trainer(
        _ network: Network, shards: Int, on device: ComputeDevice,
        _ change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> Trainer {
        let dataset = try Dataset.noise(53, of: network.input)
        var configuration = TrainingConfiguration(
            network, dataset, batch: 12, .sgd(learningRate: 0.05, momentum: 0.9))
        configuration.epochs = 4
        configuration.shards = shards
        change(&configuration)
        return try Trainer(network, dataset, configuration, device: device)
    }

    @Test(
        "What is learnt without batch norm is that of the whole batch, within rounding", arguments: executors)
    func plain(device: ComputeDevice) throws {
        let whole = try Self.trainer(Self.plain, shards: 1, on: device).takeSteps(9)
        for shards in [2, 3, 4, 6, 12] {
            let cut = try Self.trainer(Self.plain, shards: shards, on: device).takeSteps(9)
            for (one, other) in zip(whole, cut) { #expect(abs(one - other) < 2e-5 * one, "\(shards) shards") }
        }
    }

    /// Sums of two, four or eight equal numbers, and their means, are exact.
    @Test(
        "Shards of equal images give the bits of one of them, batch norm's statistics among them",
        arguments: executors)
    func equalShards(device: ComputeDevice) throws {
        let network = Network("normed", input: ImageShape(channels: 1, side: 12), classes: 10) {
            Convolution2D(8, kernel: 3, padding: 1)
            BatchNorm()
            ReLU()
            GlobalAveragePool2D()
            Dense(10)
        }
        func weights(shards: Int) throws -> Safetensors {
            let pixels = (0..<144).map { UInt8(truncatingIfNeeded: $0 * $0 + 5 * $0) }
            let images = try ImageSet(
                pixels: Array(repeating: pixels, count: 3 * shards).flatMap { $0 },
                labels: Array(repeating: 4, count: 3 * shards), height: 12, width: 12, channels: 1,
                classCount: 10)
            let dataset = try Dataset(
                name: "copies", classNames: (0..<10).map(String.init), train: images, test: images,
                mean: [0.5], standardDeviation: [0.25])
            var configuration = TrainingConfiguration(
                network, dataset, batch: 3 * shards, .sgd(learningRate: 0.05, momentum: 0.9))
            configuration.shards = shards
            configuration.epochs = 5
            let trainer = try Trainer(network, dataset, configuration, device: device)
            _ = try trainer.takeSteps(5)
            return try trainer.checkpoint().weights
        }
        let one = try weights(shards: 1)
        for shards in [2, 4, 8] { #expect(try weights(shards: shards) == one, "\(shards) shards") }
    }

    @Test("A run in shards is restored to the same bits, with dropout and batch norm", arguments: executors)
    func restored(device: ComputeDevice) throws {
        func make() throws -> Trainer {
            try Self.trainer(ReproducibilityTests.network, shards: 3, on: device) {
                $0.optimizer = .adam(learningRate: 0.01)
            }
        }
        let (whole, first, second) = (try make(), try make(), try make())
        let losses = try whole.takeSteps(10)
        #expect(try first.takeSteps(6) == Array(losses.prefix(6)))
        try second.restore(first.checkpoint(), from: "memory")
        #expect(try second.takeSteps(4) == Array(losses.suffix(4)))
        #expect(try second.checkpoint() == whole.checkpoint())
        #expect(try whole.evaluate()?.loss == second.evaluate()?.loss)
    }

    @Test("Shards take less memory, and must divide the batch")
    func memory() throws {
        let whole = try Self.trainer(ReproducibilityTests.network, shards: 1, on: referenceDevice).memory
        let cut = try Self.trainer(ReproducibilityTests.network, shards: 6, on: referenceDevice).memory
        #expect(cut.arena < whole.arena && cut.gradients > whole.gradients)
        let error = #expect(throws: ResinError.self) {
            try Self.trainer(Self.plain, shards: 5, on: referenceDevice)
        }
        #expect(error?.kind == .usage && error!.message.contains("--shards is 5 of a batch of 12"))
    }
}
