import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

/// Whole training steps with activations in bfloat16; the operators are in Tests/Operators.
@Suite("Mixed precision")
struct MixedPrecisionTests {
    /// Every kind of layer that has kernels of its own.
    private static let network = Network(
        "mixed", input: ImageShape(channels: 1, side: 28), classes: 10
    ) {
        Convolution2D(8, kernel: 5, stride: 2, padding: 2)
        BatchNorm()
        ReLU()
        Residual(8)
        MaxPool2D(kernel: 2)
        Convolution2D(12, kernel: 3, padding: 1)
        Sigmoid()
        AveragePool2D(kernel: 2)
        Flatten()
        Dense(10)
    }

    private static func losses(_ precision: Precision, on device: ComputeDevice) throws -> [Double] {
        let dataset = try Dataset.glyphs(seed: 3, trainCount: 96, testCount: 20)
        var configuration = TrainingConfiguration(network, dataset, batch: 16, .sgd(learningRate: 0.1))
        configuration.precision = precision
        let trainer = try Trainer(network, dataset, configuration, device: device)
        return try (0..<4).map { _ in try #require(try trainer.trainEpoch()).loss }
    }

    /// Sums of another order end as neighbouring bfloat16 numbers here and there: 2⁻⁸ of an activation, a small part of
    /// the mean loss.
    @Test("The device's losses are the reference's, and near those of float32", .needsDevice)
    func losses() throws {
        let exact = try Self.losses(.mixed, on: referenceDevice)
        let float32 = try Self.losses(.float32, on: referenceDevice)
        let losses = try Self.losses(.mixed, on: openCLDevices[0])
        for (index, loss) in losses.enumerated() {
            #expect(abs(loss - exact[index]) < 2e-3 * exact[index], "epoch \(index)")
            #expect(abs(loss - float32[index]) < 1e-2 * float32[index], "epoch \(index)")
        }
        #expect(exact != float32)
    }

    @Test("The same run twice gives the same bits", .needsDevice)
    func reproducible() throws {
        let runs = try (0..<2).map { _ in try Self.losses(.mixed, on: openCLDevices[0]) }
        #expect(runs[0] == runs[1])
    }
}
