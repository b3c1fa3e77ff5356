import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("A learning-rate range test")
struct RateRangeTests {
    private static let network = Network("small", input: ImageShape(channels: 1, side: 28), classes: 10) {
        Convolution2D(8, kernel: 5, stride: 2)
        ReLU()
        MaxPool2D(kernel: 2)
        Flatten()
        Dense(10)
    }

    private static func trainer(_ device: ComputeDevice) throws -> Trainer {
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 320, testCount: 10)
        var configuration = TrainingConfiguration(network, dataset, batch: 16, .sgd(learningRate: 1))
        configuration.onNaN = .skip
        return try Trainer(network, dataset, configuration, device: device)
    }

    @Test(
        "Rates rise by a factor; the suggested one is where the loss falls, before it is least",
        arguments: executors)
    func range(device: ComputeDevice) throws {
        let range = try RateRange(Self.trainer(device), 1e-5...100, steps: 60)
        let rates = range.points.map(\.rate)
        for (one, next) in zip(rates, rates.dropFirst()) { #expect(abs(next / one - 1.3141) < 0.001) }
        let (suggestion, least) = (try #require(range.suggestion), try #require(range.least))
        #expect(suggestion < least.rate && suggestion > 1e-5)
        #expect(try #require(range.steepest).smoothedLoss < range.points[0].smoothedLoss)
        // Rates of a hundred do not end well.
        #expect(range.divergedRate != nil || range.points.last!.smoothedLoss > least.smoothedLoss)
    }

    @Test("A test that diverges at once suggests nothing")
    func diverging() throws {
        let range = try RateRange(Self.trainer(referenceDevice), 1e6...1e12, steps: 10)
        #expect(range.divergedRate != nil && range.suggestion == nil)
    }
}
