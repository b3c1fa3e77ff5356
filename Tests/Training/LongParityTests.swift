import Resin
import ResinDataset
import ResinNetworks
import ResinTraining
import Testing

/// Twenty steps, ten epochs, of a small network beside PyTorch, and beside timm's formulas where PyTorch has none.
@Suite("Parity of optimizers, schedules, clipping, averages, losses and shards with PyTorch")
struct LongParityTests {
    private static func run(
        _ name: String, _ optimizer: OptimizerSettings, _ network: Network = ParityTests.small,
        configure: @escaping @Sendable (inout TrainingConfiguration) -> Void = { _ in }
    ) -> ParityCase {
        ParityCase(
            name: "20 steps, \(name)", network: network, imageCount: 10, batch: 5, optimizer: optimizer,
            initialiser: .default
        ) { configuration in
            configuration.epochs = 10
            configure(&configuration)
        }
    }

    private static func run(
        _ name: String, _ optimizer: OptimizerSettings, _ network: Network = ParityTests.small,
        settings: @escaping @Sendable (inout OptimizerSettings) -> Void
    ) -> ParityCase {
        run(name, optimizer, network) { settings(&$0.optimizer) }
    }

    private static func schedule(
        _ name: String, _ kind: Schedule.Kind, _ optimizer: OptimizerSettings = momentum(0.05),
        _ settings: @escaping @Sendable (inout Schedule) -> Void = { _ in }
    ) -> ParityCase {
        run(name, optimizer) { configuration in
            configuration.schedule = Schedule(kind)
            settings(&configuration.schedule)
        }
    }

    private static func momentum(_ rate: Float, weightDecay: Float = 0) -> OptimizerSettings {
        .sgd(learningRate: rate, momentum: 0.9, weightDecay: weightDecay)
    }

    private static let normed = Network("normed", input: ImageShape(channels: 3, side: 8), classes: 10) {
        Convolution2D(6, kernel: 3)
        BatchNorm()
        ReLU()
        MaxPool2D(kernel: 2)
        Flatten()
        Dense(10)
    }

    static let optimizers: [ParityCase] = [
        run("sgd", .sgd(learningRate: 0.1)), run("momentum", momentum(0.02)),
        run(
            "nesterov, weight decay",
            .sgd(learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 0.01)),
        run("adam", .adam(learningRate: 0.003)),
        run("adam, other settings", .adam(learningRate: 0.003)) { (settings: inout OptimizerSettings) in
            (settings.beta1, settings.beta2, settings.epsilon) = (0.8, 0.95, 1e-4)
        },
        run("adamw", .adamW(learningRate: 0.003, weightDecay: 0.1)),
        run("rmsprop", .rmsprop(learningRate: 0.001)),
        run("rmsprop, momentum", .rmsprop(learningRate: 0.0005, momentum: 0.5, weightDecay: 0.01)) {
            (settings: inout OptimizerSettings) in
            (settings.alpha, settings.epsilon) = (0.9, 1e-6)
        },
        run("lamb", .lamb(learningRate: 0.01)),
        run("lamb, no decay", .lamb(learningRate: 0.003, weightDecay: 0)),
        run("lion", .lion(learningRate: 0.001)),
        run("lion, weight decay", .lion(learningRate: 0.001, weightDecay: 0.1)) {
            (settings: inout OptimizerSettings) in
            (settings.beta1, settings.beta2) = (0.8, 0.95)
        },
    ]

    static let clipping: [ParityCase] = [
        run("clip", momentum(0.05)) { (settings: inout OptimizerSettings) in settings.clipNorm = 0.5 },
        run("clip, adamw", .adamW(learningRate: 0.003, weightDecay: 0.1)) {
            (settings: inout OptimizerSettings) in
            settings.clipNorm = 0.1
        },
    ]

    static let schedules: [ParityCase] = [
        schedule("warm-up by steps", .constant) { $0.warmupSteps = 5 },
        schedule("multistep", .multistep) { $0.milestones = [3, 6] },
        schedule("cosine", .cosine) { $0.leastRate = 0.005 },
        schedule("cosine, restarts", .cosine) { ($0.leastRate, $0.restartEpochs) = (0.005, 3) },
        schedule("one-cycle", .oneCycle),
        schedule("plateau", .plateau, momentum(0.1, weightDecay: 0.2)) {
            ($0.leastRate, $0.plateauPatience) = (0.002, 0)
        },
    ]

    static let averages: [ParityCase] = [
        run("ema", momentum(0.02)) { (configuration: inout TrainingConfiguration) in
            configuration.averageDecay = 0.9
        },
        run("ema, batch norm", momentum(0.02), normed) { (configuration: inout TrainingConfiguration) in
            configuration.averageDecay = 0.9
        },
    ]

    static let rates: [ParityCase] = [
        run("head rate", momentum(0.01, weightDecay: 0.1)) { (settings: inout OptimizerSettings) in
            settings.headLearningRate = 0.05
        },
        run("layer decay", .adamW(learningRate: 0.003, weightDecay: 0.1)) {
            (settings: inout OptimizerSettings) in
            settings.layerDecay = 0.5
        },
        run("decay of filters", momentum(0.02, weightDecay: 0.3), normed) {
            (settings: inout OptimizerSettings) in
            settings.decays = .filters
        },
        run("lamb, decay of filters", .lamb(learningRate: 0.01, weightDecay: 0.1), normed) {
            (settings: inout OptimizerSettings) in
            settings.decays = .filters
        },
    ]

    /// Class c of image k where (7k + 3c + kc) mod 4 is zero.
    private static let sets = LabelSets(
        (0..<10).map { (k: Int32) in (0..<10).filter { (c: Int32) in (7 * k + 3 * c + k * c) % 4 == 0 } })

    private static func binary(
        _ name: String, configure: @escaping @Sendable (inout TrainingConfiguration) -> Void = { _ in }
    ) -> ParityCase {
        var parity = run(name, momentum(0.05)) { (configuration: inout TrainingConfiguration) in
            configuration.loss = .binary
            configure(&configuration)
        }
        parity.labelSets = sets
        return parity
    }

    /// Of classes 0, 1, …
    private static let classWeights = (0..<10).map { 0.5 + Float($0) / 4 }

    static let losses: [ParityCase] = [
        binary("binary"), binary("binary, weights") { $0.classWeights = classWeights },
        binary("focal") { $0.focal = .init(gamma: 2, alpha: 0.25) },
        run("class weights", momentum(0.02)) { (configuration: inout TrainingConfiguration) in
            configuration.classWeights = classWeights
            configuration.labelSmoothing = 0.1
        },
        run("mean of shards", momentum(0.02)) { (configuration: inout TrainingConfiguration) in
            configuration.shards = 5
        },
        run("shards, batch norm", momentum(0.02), normed) { (configuration: inout TrainingConfiguration) in
            configuration.shards = 5
        },
        run("frozen batch norm", momentum(0.02), normed) { (configuration: inout TrainingConfiguration) in
            configuration.frozen = ["0", "1"]
        },
    ]

    @Test(
        "20 steps follow PyTorch's",
        arguments: optimizers + clipping + schedules + averages + rates + losses,
        openCLDevices + [referenceDevice])
    func steps(_ parity: ParityCase, device: ComputeDevice) throws {
        try parity.expectParity(on: device, within: 1e-4)
    }
}
