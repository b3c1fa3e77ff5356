import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Reproducible training")
struct ReproducibilityTests {
    /// All that is random, and all that keeps a state: dropout, augmentation, batch norm.
    static let network = Network("random", input: ImageShape(channels: 1, side: 12), classes: 10) {
        Convolution2D(8, kernel: 3, padding: 1)
        BatchNorm()
        ReLU()
        MaxPool2D(kernel: 2)
        Dropout(0.3)
        Residual(12, stride: 2, usesProjection: true)
        GlobalAveragePool2D()
        Dropout(0.2)
        Dense(10)
    }

    static let optimizers: [OptimizerSettings] = [
        .sgd(learningRate: 0.05, momentum: 0.9, weightDecay: 1e-3), .adam(learningRate: 0.01),
        .rmsprop(learningRate: 0.001, momentum: 0.5), .lion(learningRate: 0.001), lamb,
    ]

    /// With everything that is done beside an optimizer's own step.
    private static let lamb = {
        var settings = OptimizerSettings.lamb(learningRate: 0.01)
        (settings.headLearningRate, settings.layerDecay, settings.decays) = (0.02, 0.5, .filters)
        return settings
    }()

    private func trainer(
        _ optimizer: OptimizerSettings, seed: UInt64 = 42, images: (any ImageSource)? = nil,
        on device: ComputeDevice
    ) throws -> Trainer {
        var dataset = try Dataset.noise(50, of: ImageShape(channels: 1, side: 10))
        if let images { dataset.train = images }
        var configuration = TrainingConfiguration(Self.network, dataset, batch: 8, optimizer)
        configuration.augmentation.cropPadding = 2
        configuration.augmentation.flips = true
        configuration.seed = seed
        if optimizer == Self.lamb { configuration.averageDecay = 0.9 }
        return try Trainer(Self.network, dataset, configuration, device: device)
    }

    @Test("one seed gives the same bits, another does not", arguments: optimizers, executors)
    func seeds(optimizer: OptimizerSettings, device: ComputeDevice) throws {
        func checkpoint(seed: UInt64) throws -> Checkpoint {
            let trainer = try trainer(optimizer, seed: seed, on: device)
            _ = try trainer.takeSteps(8)
            return try trainer.checkpoint()
        }
        let first = try checkpoint(seed: 1)
        #expect(try checkpoint(seed: 1) == first)
        let other = try checkpoint(seed: 2)
        #expect(other.weights["0.weight"] != first.weights["0.weight"])
        #expect(other.weights["1.running_mean"] != first.weights["1.running_mean"])
    }

    /// Images that are made when they are asked for, one by one.
    private struct OnDemand: ImageSource {
        let images: any ImageSource
        var shape: Shape { images.shape }
        var labels: [Int32] { images.labels }

        func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
            try images.read(image, into: bytes)
        }
    }

    @Test("images that come from another source train to the same bits", arguments: executors)
    func sources(device: ComputeDevice) throws {
        let resident = try trainer(Self.optimizers[0], on: device)
        let onDemand = try trainer(
            Self.optimizers[0], images: OnDemand(images: resident.dataset.train), on: device)
        #expect(try onDemand.takeSteps(8) == resident.takeSteps(8))
        #expect(try onDemand.checkpoint() == resident.checkpoint())
        #expect(onDemand.configuration.dataChecksum == resident.configuration.dataChecksum)
    }

    /// An image that cannot be read when its turn comes.
    private struct Vanishing: ImageSource {
        let shape = Shape(images: 50, height: 10, width: 10, channels: 1)
        var labels: [Int32] { (0..<50).map { $0 % 10 } }

        func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
            if image == 49 { throw ResinError(.missingFile, "49.png: is gone") }
            bytes.initialize(repeating: UInt8(image))
        }
    }

    @Test("an image that its source cannot give is named")
    func vanishing() throws {
        let error = try #require(throws: ResinError.self) {
            try trainer(Self.optimizers[0], images: Vanishing(), on: referenceDevice)
        }
        #expect(error.kind == .missingFile && error.message.contains("49.png"))
    }

    @Test("weights alike but another seed for data and dropout train to others")
    func seedBeyondInitialisation() throws {
        let first = try trainer(Self.optimizers[0], seed: 1, on: referenceDevice)
        let other = try trainer(Self.optimizers[0], seed: 2, on: referenceDevice)
        try other.restore(first.checkpoint(), from: "memory")
        #expect(try first.takeSteps(3) != other.takeSteps(3))
    }

    /// Six steps an epoch: after 3 and 9 within an epoch, after 6 between two.
    @Test("restored in a new trainer, a run ends in the same bits", arguments: optimizers, executors)
    func resume(optimizer: OptimizerSettings, device: ComputeDevice) throws {
        let uninterrupted = try trainer(optimizer, on: device)
        let expected = try uninterrupted.takeSteps(14)
        for stop in [3, 6, 9] {
            let before = try trainer(optimizer, on: device)
            let after = try trainer(optimizer, on: device)
            let losses = try before.takeSteps(stop)
            try after.restore(before.checkpoint(), from: "memory")
            #expect(after.step == stop)
            #expect(try after.checkpoint() == before.checkpoint())
            #expect(try losses + after.takeSteps(14 - stop) == expected)
            #expect(try after.checkpoint() == uninterrupted.checkpoint())
        }
    }

    @Test("an epoch resumed in the middle reports the whole epoch", arguments: executors)
    func metrics(device: ComputeDevice) throws {
        let uninterrupted = try #require(try trainer(Self.optimizers[0], on: device).trainEpoch())
        let before = try trainer(Self.optimizers[0], on: device)
        let stopped = try before.trainEpoch(shouldStop: { before.step == 4 })
        #expect(stopped == nil)
        let after = try trainer(Self.optimizers[0], on: device)
        try after.restore(before.checkpoint(), from: "memory")
        let resumed = try #require(try after.trainEpoch())
        #expect(resumed == uninterrupted)
        #expect(try #require(try before.trainEpoch()) == uninterrupted)
    }

    /// The first step of a process runs piece by piece; the question is asked before each of them.
    @Test("a step that is given up in its middle has changed nothing", arguments: executors)
    func givenUpStep(device: ComputeDevice) throws {
        let uninterrupted = try trainer(Self.optimizers[0], on: device)
        let start = try uninterrupted.checkpoint()
        let expected = try #require(try uninterrupted.trainEpoch())
        for question in [2, 4, 9, 17] {
            let watched = try trainer(Self.optimizers[0], on: device)
            var asked = 0
            let stopped = try watched.trainEpoch(shouldStop: {
                asked += 1
                return asked == question
            })
            #expect(stopped == nil && watched.step == 0)
            #expect(try watched.checkpoint() == start)
            #expect(try #require(try watched.trainEpoch()) == expected)
            #expect(try watched.checkpoint() == uninterrupted.checkpoint())
        }
    }

    @Test(
        "an evaluation in the middle of an epoch changes nothing", arguments: [optimizers[0], lamb], executors
    )
    func evaluationBetween(optimizer: OptimizerSettings, device: ComputeDevice) throws {
        let uninterrupted = try trainer(optimizer, on: device)
        let expected = try #require(try uninterrupted.trainEpoch())
        let watched = try trainer(optimizer, on: device)
        _ = try watched.takeSteps(3)
        _ = try watched.evaluations()
        #expect(try #require(try watched.trainEpoch()) == expected)
        #expect(try watched.checkpoint() == uninterrupted.checkpoint())
    }
}
