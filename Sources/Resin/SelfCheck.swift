import ResinDataset
import ResinDevice
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// A few training steps of a small network with every kind of layer, on a device and on the reference
/// executor: a driver that computes something else is found before it spoils a training.
public struct SelfCheck: Sendable {
    /// Relative difference of the losses, at the step where it is largest.
    public let largestDifference: Double
    public let verdict: String

    /// - Throws: `ResinError(.selfCheck)` when the losses differ by more than 1e-4, on tensor cores, which round their
    ///   operands to 11 bits, 2e-3.
    public init(on device: ComputeDevice) throws {
        let executor = try device.makeExecutor()
        let rounds = (executor as? DeviceExecutor)?.traits.usesTensorCores == true
        let losses = try Self.losses(on: executor)
        let expected = try Self.losses(on: ComputeDevice.matching("reference").makeExecutor())
        largestDifference = zip(losses, expected).map { abs($0 - $1) / abs($1) }.max()!
        guard largestDifference <= (rounds ? 2e-3 : 1e-4) else {
            throw ResinError(
                .selfCheck,
                "its losses over \(losses.count) steps, \(losses), differ from the reference's, \(expected); update "
                    + "the driver or use another --device")
        }
        verdict =
            "passed: \(losses.count) training steps agree with the reference within \(largestDifference)"
    }

    private static func losses(on executor: any Executor) throws -> [Double] {
        let network = Network("self-check", input: ImageShape(channels: 1, side: 28), classes: 10) {
            Convolution2D(6, kernel: 5, stride: 2, padding: 2)
            BatchNorm()
            ReLU()
            MaxPool2D(kernel: 3, stride: 2)
            Residual(9, stride: 2, usesProjection: true)
            AveragePool2D(kernel: 3, stride: 1, padding: 1)
            Flatten()
            Dropout(0.25)
            Dense(10)
        }
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 8, testCount: 4)
        let configuration = TrainingConfiguration(
            network: network, data: "glyphs", classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation, epochs: 1, batch: 4,
            optimizer: .sgd(learningRate: 0.05, momentum: 0.9))
        return try Trainer(network, dataset, configuration, on: executor).takeSteps(2)
    }
}
