import Foundation
import Resin
import ResinDataset
import ResinDevice
import ResinNetworks
import ResinOpenCL
import ResinPlan
import ResinTensor
import ResinTraining
import Testing

@Suite("Learning and evaluation")
struct LearningTests {
    @Test("a small network learns glyphs", arguments: executors, Precision.allCases)
    func learns(device: ComputeDevice, precision: Precision) throws {
        let network = Network("small", input: ImageShape(channels: 1, side: 28), classes: 10) {
            Convolution2D(8, kernel: 5, stride: 2, padding: 2)
            BatchNorm()
            ReLU()
            Convolution2D(16, kernel: 3, stride: 2, padding: 1)
            BatchNorm()
            ReLU()
            Flatten()
            Dense(10)
        }
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 128, testCount: 20)
        var configuration = TrainingConfiguration(
            network, dataset, batch: 16, .adam(learningRate: 0.01))
        configuration.precision = precision
        let trainer = try Trainer(network, dataset, configuration, device: device)
        let first = try #require(try trainer.trainEpoch())
        for _ in 0..<8 { _ = try trainer.trainEpoch() }
        let last = try #require(try trainer.trainEpoch())
        #expect(last.loss < first.loss / 2)
        #expect(last.accuracy > 0.7)
    }

    /// The layers that torchvision's later networks have, one of each.
    private static let later = Network("later", input: ImageShape(channels: 1, side: 28), classes: 10) {
        Convolution2D(16, kernel: 4, stride: 4)
        LayerNorm()
        Scaled()
        Split([8, 8]) {
            Identity()
            Sequential {
                Convolution2D(8, kernel: 1)
                GroupNorm(groups: 2)
                PReLU()
            }
        }
        ChannelShuffle(groups: 2)
        SqueezeExcitation(squeeze: 4, activation: SiLU(), gate: HardSigmoid())
        Upsample(by: 2, .bilinear(alignsCorners: false))
        LocalResponseNorm(size: 5)
        AveragePool2D(kernel: 3, stride: 2, roundsUp: true)
        AdaptiveAveragePool2D(Extent(5))
        ELU()
        Flatten()
        Dense(10)
    }

    /// A residual block with a scaled branch that is dropped now and then.
    private struct Scaled: Layer {
        func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
            var branch = try scope.apply(Convolution2D(16, kernel: 3, padding: 1), to: input, name: "conv")
            branch = try scope.apply(GELU(), to: branch, name: "gelu")
            branch = try scope.apply(LayerScale(initialValue: 0.5), to: branch, name: "layer_scale")
            branch = try scope.apply(StochasticDepth(0.2), to: branch, name: "depth")
            return try scope.add(input, branch)
        }
    }

    @Test(
        "a network of layers as later networks have them learns, on the device as on the reference",
        .needsDevice)
    func learnsWithLaterLayers() throws {
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 128, testCount: 20)
        func losses(_ device: ComputeDevice, _ precision: Precision) throws -> [Double] {
            var configuration = TrainingConfiguration(
                Self.later, dataset, batch: 16, .adam(learningRate: 0.01))
            configuration.precision = precision
            let trainer = try Trainer(Self.later, dataset, configuration, device: device)
            return try (0..<10).map { _ in try #require(try trainer.trainEpoch()).loss }
        }
        let exact = try losses(referenceDevice, .float32)
        #expect(exact[9] < exact[0] / 2)
        for device in openCLDevices.prefix(1) {
            let own = try losses(device, .float32)
            #expect(abs(own[0] - exact[0]) < 1e-3 * exact[0])
            #expect(own[9] < own[0] / 2)
            #expect(try losses(device, .float32) == own)
        }
        #expect(abs(try losses(referenceDevice, .mixed)[0] - exact[0]) < 0.05 * exact[0])
    }

    /// What NVIDIA's drivers ask for: no allocation above a quarter of the memory.
    @Test("an arena in several allocations gives the same bits", .needsDevice)
    func allocations() throws {
        let network = Network.leNet(input: ImageShape(channels: 1, side: 28))
        let dataset = try Dataset.glyphs(seed: 2, trainCount: 64, testCount: 64)
        let configuration = TrainingConfiguration(network, dataset, batch: 64, .sgd(learningRate: 0.5))
        func loss(allocationByteCount: Int?) throws -> (loss: Double, memory: MemoryPlan) {
            let executor = try DeviceExecutor(
                device: ResinOpenCL.Device.all()[0], index: 0, allocationByteCount: allocationByteCount)
            let trainer = try Trainer(network, dataset, configuration, on: executor)
            _ = try trainer.trainEpoch()
            return (try #require(try trainer.trainEpoch()).loss, trainer.memory)
        }
        let whole = try loss(allocationByteCount: nil)
        // As much as the largest value takes.
        let parts = try loss(allocationByteCount: whole.memory.largest)
        #expect(whole.memory.arena > whole.memory.largest)
        #expect(parts.loss == whole.loss)
    }

    /// The least that gives logits.
    private static let linear = Network("linear", input: ImageShape(channels: 1, side: 6), classes: 10) {
        Flatten()
        Dense(10)
    }

    private func evaluation(
        batch: Int, testCount: Int, keepsLogits: Bool = false, on device: ComputeDevice
    ) throws -> Evaluation {
        let dataset = try Dataset.noise(40, of: Self.linear.input, testCount: testCount)
        let configuration = TrainingConfiguration(
            Self.linear, dataset, batch: batch, .sgd(learningRate: 0.1))
        let trainer = try Trainer(Self.linear, dataset, configuration, device: device)
        return try trainer.evaluate(keepsLogits: keepsLogits)!
    }

    @Test("a batch that does not divide the test set counts every image once", arguments: executors)
    func everyImageOnce(device: ComputeDevice) throws {
        let whole = try evaluation(batch: 37, testCount: 37, keepsLogits: true, on: device)
        for batch in [1, 8, 36, 40] {
            let parts = try evaluation(batch: batch, testCount: 37, keepsLogits: true, on: device)
            #expect(parts.imageCount == 37)
            #expect(parts.predictionCounts.reduce(0, +) == 37)
            #expect(parts.predictionCounts == whole.predictionCounts)
            #expect(parts.logits == whole.logits)
            #expect((parts.accuracy, parts.top5Accuracy) == (whole.accuracy, whole.top5Accuracy))
            #expect(abs(parts.loss - whole.loss) < 1e-6 * whole.loss)
        }
    }

    @Test("loss and accuracies are those of the logits", arguments: executors)
    func metrics(device: ComputeDevice) throws {
        let evaluation = try evaluation(batch: 8, testCount: 37, keepsLogits: true, on: device)
        var loss = 0.0
        var correct = 0.0
        var correctAmong5 = 0.0
        for image in 0..<37 {
            let logits = evaluation.logits[10 * image..<10 * image + 10].map(Double.init)
            let own = logits[image % 10]
            loss += log(logits.map { exp($0 - own) }.reduce(0, +)) / 37
            if logits.max() == own { correct += 1 }
            if logits.count(where: { $0 > own }) < 5 { correctAmong5 += 1 }
        }
        #expect(abs(evaluation.loss - loss) < 1e-5)
        #expect(abs(evaluation.accuracy - correct / 37) < 1e-12)
        #expect(abs(try #require(evaluation.top5Accuracy) - correctAmong5 / 37) < 1e-12)
    }

    @Test("a batch of 0, or larger than the training set, is refused")
    func batches() throws {
        let zero = #expect(throws: ResinError.self) {
            try evaluation(batch: 0, testCount: 37, on: referenceDevice)
        }
        #expect(zero == ResinError(.usage, "--batch is 0; it must be a whole number from 1 to 1048576"))
        let large = #expect(throws: ResinError.self) {
            try evaluation(batch: 41, testCount: 37, on: referenceDevice)
        }
        #expect(
            large?.message
                == "the batch of 41 is larger than the training set of 40 images; use --batch 40 or less")
    }
}
