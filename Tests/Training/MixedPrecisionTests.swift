import Foundation
import Resin
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining
import Testing

/// Whole training steps with activations in 16 bits; the operators are in Tests/Operators.
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

    private static func trainer(
        _ precision: Precision, epochs: Int = 4, rate: Float = 0.1, on device: ComputeDevice
    ) throws -> Trainer {
        let dataset = try Dataset.glyphs(seed: 3, trainCount: 96, testCount: 20)
        var configuration = TrainingConfiguration(network, dataset, batch: 16, .sgd(learningRate: rate))
        configuration.precision = precision
        configuration.epochs = epochs
        return try Trainer(network, dataset, configuration, device: device)
    }

    private static func losses(_ precision: Precision, on device: ComputeDevice) throws -> [Double] {
        let trainer = try trainer(precision, on: device)
        return try (0..<4).map { _ in try #require(try trainer.trainEpoch()).loss }
    }

    /// Sums of another order end as neighbouring numbers here and there: in bfloat16 2⁻⁸ of an activation, a small part of
    /// the mean loss.
    @Test(
        "The device's losses are the reference's, and near those of float32", .needsDevice,
        arguments: [Precision.mixed, .mixedFloat16])
    func losses(_ precision: Precision) throws {
        let exact = try Self.losses(precision, on: referenceDevice)
        let float32 = try Self.losses(.float32, on: referenceDevice)
        let losses = try Self.losses(precision, on: openCLDevices[0])
        let tolerance = precision == .mixed ? 2e-3 : 5e-4
        for (index, loss) in losses.enumerated() {
            #expect(abs(loss - exact[index]) < tolerance * exact[index], "epoch \(index)")
            #expect(abs(loss - float32[index]) < 5 * tolerance * float32[index], "epoch \(index)")
        }
        #expect(exact != float32)
    }

    /// Of channels that are and are not loaded four at a time; a GPU's convolutions write them where they will be read.
    @Test("Branches lie side by side", .needsDevice)
    func branches() throws {
        let network = Network("branches", input: ImageShape(channels: 1, side: 28), classes: 10) {
            Convolution2D(8, kernel: 3, stride: 4)
            Branches {
                Convolution2D(4, kernel: 1)
                Sequential {
                    Convolution2D(8, kernel: 3, padding: 1)
                    ReLU()
                }
                Convolution2D(6, kernel: 1)
            }
            Branches {
                Convolution2D(4, kernel: 1)
                Convolution2D(8, kernel: 3, padding: 1)
            }
            GlobalAveragePool2D()
            Dense(10)
        }
        let dataset = try Dataset.glyphs(seed: 3, trainCount: 64, testCount: 20)
        var configuration = TrainingConfiguration(network, dataset, batch: 16, .sgd(learningRate: 0.1))
        configuration.precision = .mixed
        let losses = try [openCLDevices[0], referenceDevice].map { device in
            try #require(try Trainer(network, dataset, configuration, device: device).trainEpoch()).loss
        }
        #expect(abs(losses[0] - losses[1]) < 2e-3 * losses[1])
    }

    @Test(
        "The same run twice gives the same bits", .needsDevice,
        arguments: [Precision.mixed, .mixedFloat16])
    func reproducible(_ precision: Precision) throws {
        let runs = try (0..<2).map { _ in try Self.losses(precision, on: openCLDevices[0]) }
        #expect(runs[0] == runs[1])
    }

    // MARK: The loss's scale

    @Test("A step whose gradients overflow changes no weight and halves the scale", arguments: executors)
    func overflow(device: ComputeDevice) throws {
        let trainer = try Self.trainer(.mixedFloat16, on: device)
        try trainer.executor.write(LossScale(scale: 0x1p28))
        let weights = try trainer.checkpoint().weights["0.weight"]?.values
        let losses = try trainer.takeSteps(1)
        #expect(losses[0].isFinite)
        #expect(try trainer.checkpoint().weights["0.weight"]?.values == weights)
        #expect(
            try trainer.lossScale() == LossScale(scale: 0x1p27, steadySteps: 0, skippedSteps: 1))
        // It goes on until they fit.
        _ = try trainer.takeSteps(17)
        let lossScale = try #require(try trainer.lossScale())
        #expect(lossScale.steadySteps > 0)
        #expect(lossScale.scale == 0x1p28 / exp2(lossScale.skippedSteps))
        #expect(try trainer.checkpoint().weights["0.weight"]?.values != weights)
    }

    @Test("Gradients that would vanish in float16 reach the weights", arguments: executors)
    func underflow(device: ComputeDevice) throws {
        func change(scale: Float) throws -> Float {
            let trainer = try Self.trainer(.mixedFloat16, on: device)
            // The last layer's filter as small as this, the others' gradients are below float16's least number, 2⁻²⁴.
            var checkpoint = try trainer.checkpoint()
            checkpoint.weights.entries = checkpoint.weights.entries.map { entry in
                entry.name != "9.weight"
                    ? entry
                    : Safetensors.Entry(
                        entry.name, shape: entry.shape, values: entry.values.map { $0 * 1e-6 })
            }
            try trainer.restore(checkpoint, from: "memory")
            try trainer.executor.write(LossScale(scale: scale))
            let before = try #require(trainer.checkpoint().weights["0.weight"]?.values)
            _ = try trainer.takeSteps(1)
            let after = try #require(trainer.checkpoint().weights["0.weight"]?.values)
            return zip(before, after).reduce(0) { max($0, abs($1.0 - $1.1)) }
        }
        #expect(try change(scale: 1) == 0)
        #expect(try change(scale: 65_536) > 0)
    }

    @Test("2,000 steps without an overflow double it, up to a limit")
    func growth() {
        var lossScale = LossScale(scale: 4)
        for _ in 0..<1999 { lossScale.adjust(hasOverflow: false) }
        #expect(lossScale == LossScale(scale: 4, steadySteps: 1999, skippedSteps: 0))
        lossScale.adjust(hasOverflow: false)
        #expect(lossScale == LossScale(scale: 8, steadySteps: 0, skippedSteps: 0))
        for _ in 0..<2000 * 40 { lossScale.adjust(hasOverflow: false) }
        #expect(lossScale.scale == LossScale.largest)
    }

    @Test("A run goes on with the scale that it had", arguments: executors)
    func resumed(device: ComputeDevice) throws {
        let whole = try Self.trainer(.mixedFloat16, on: device)
        try whole.executor.write(LossScale(scale: 0x1p27))
        _ = try whole.takeSteps(2)
        #expect(try whole.lossScale() == LossScale(scale: 0x1p25, steadySteps: 0, skippedSteps: 2))
        let checkpoint = try whole.checkpoint()
        let resumed = try Self.trainer(.mixedFloat16, on: device)
        try resumed.restore(checkpoint, from: "memory")
        #expect(try resumed.lossScale() == whole.lossScale())
        #expect(try resumed.takeSteps(6) == whole.takeSteps(6))
        #expect(try resumed.checkpoint().weights.entries == whole.checkpoint().weights.entries)
    }

    @Test("A checkpoint of another precision is refused", arguments: executors)
    func otherPrecision(device: ComputeDevice) throws {
        let checkpoint = try Self.trainer(.mixed, on: device).checkpoint()
        let error = #expect(throws: ResinError.self) {
            try Self.trainer(.mixedFloat16, on: device).restore(checkpoint, from: "run/last")
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("run/last: tensor 'loss_scale'") == true)
    }

    @Test("Gradients that no scale makes finite end the run", arguments: executors)
    func diverged(device: ComputeDevice) throws {
        let trainer = try Self.trainer(.mixedFloat16, on: device)
        try trainer.executor.write(LossScale(scale: 0.5))
        let error = #expect(throws: ResinError.self) { try trainer.trainEpoch() }
        #expect(error?.kind == .notFinite)
        #expect(error?.message.contains("--precision mixed, whose bfloat16") == true)
    }
}
