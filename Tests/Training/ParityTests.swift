import Resin
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Parity with PyTorch over time")
struct ParityTests {
    private static let nin = ImageShape(channels: 1, side: 96)
    private static let resNet18 = Network.resNet18(input: ImageShape(channels: 1, side: 32))

    /// Networks of the issue: 20 steps of SGD with momentum. `make_parity.py` says why the residual network's
    /// rate is small; at the usual one only the first steps can be compared.
    static let networks = [
        ParityCase(
            name: "nin", network: .nin(input: nin, dropout: 0), imageCount: 24, batch: 8,
            optimizer: .sgd(learningRate: 0.02, momentum: 0.9), initialiser: .default),
        ParityCase(
            name: "nin without final ReLU",
            network: .nin(input: nin, dropout: 0, hasFinalReLU: false), imageCount: 24, batch: 8,
            optimizer: .sgd(learningRate: 0.02, momentum: 0.9), initialiser: .default),
        ParityCase(
            name: "resnet18", network: resNet18, imageCount: 48, batch: 16,
            optimizer: .sgd(learningRate: 2e-5, momentum: 0.9)),
        firstSteps,
    ]

    static let firstSteps = ParityCase(
        name: "resnet18, first steps", network: resNet18, imageCount: 48, batch: 16,
        optimizer: .sgd(learningRate: 0.01, momentum: 0.9), initialiser: .default)

    /// Quick on the reference too.
    static let shortResNet = ParityCase(
        name: "resnet18, batch 4", network: resNet18, imageCount: 8, batch: 4,
        optimizer: .sgd(learningRate: 2e-5, momentum: 0.9))

    static let optimizers: [ParityCase] =
        [
            ("sgd", .sgd(learningRate: 0.1)),
            ("momentum, weight decay", .sgd(learningRate: 0.1, momentum: 0.9, weightDecay: 0.1)),
            (
                "nesterov, weight decay",
                .sgd(learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1)
            ),
            ("adam", .adam(learningRate: 0.01)),
            ("adam, weight decay", .adam(learningRate: 0.01, weightDecay: 0.1)),
            ("adamw", .adamW(learningRate: 0.01, weightDecay: 0.1)),
        ].map { (name: String, optimizer: OptimizerSettings) in
            ParityCase(
                name: name, network: small, imageCount: 10, batch: 5, optimizer: optimizer,
                initialiser: .default)
        } + [
            ParityCase(
                name: "xavier", network: small, imageCount: 10, batch: 5,
                optimizer: .sgd(learningRate: 0.1, momentum: 0.9), initialiser: .xavier)
        ]

    static let small = Network("small", input: ImageShape(channels: 3, side: 8), classes: 10) {
        Convolution2D(6, kernel: 3)
        ReLU()
        MaxPool2D(kernel: 2)
        Flatten()
        Dense(10)
    }

    @Test(
        "20 steps of NiN and of ResNet-18 follow PyTorch's", .needsDevice, arguments: networks, openCLDevices)
    func network(_ parity: ParityCase, device: ComputeDevice) throws {
        try parity.expectParity(on: device, within: 1e-3)
    }

    @Test("4 steps of ResNet-18 follow PyTorch's on the reference")
    func reference() throws { try Self.shortResNet.expectParity(on: referenceDevice, within: 1e-3) }

    @Test("the first steps of ResNet-18 are the reference's", .needsDevice, arguments: openCLDevices)
    func asReference(device: ComputeDevice) throws {
        let expected = try Self.firstSteps.trainer(on: referenceDevice).takeSteps(3)
        let losses = try Self.firstSteps.trainer(on: device).takeSteps(3)
        #expect(difference(losses, expected) < 1e-4)
    }

    @Test("every optimizer takes PyTorch's steps", arguments: optimizers, openCLDevices + [referenceDevice])
    func optimizer(_ parity: ParityCase, device: ComputeDevice) throws {
        try parity.expectParity(on: device, within: 1e-5)
    }

    @Test("a checkpoint holds the tensors of PyTorch's state_dict", arguments: ["nin", "resnet18"])
    func stateDict(name: String) throws {
        let network = try Network.named(name, input: ImageShape(channels: 1, side: 67))
        let dataset = try Dataset.noise(10, of: ImageShape(channels: 1, side: 8))
        let configuration = TrainingConfiguration(network, dataset, batch: 2, .sgd(learningRate: 0.1))
        let trainer = try Trainer(network, dataset, configuration, device: referenceDevice)
        let entries = try trainer.checkpoint().weights.entries
        #expect(
            Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.shape) })
                == Parity.golden.stateDicts[name])
    }
}
