import Resin
import ResinDataset
import ResinTensor
import ResinTraining
import Testing

@Suite("Which images an epoch is of")
struct SamplerTests {
    private static let philox = Philox(seed: 5, stream: .sampling)

    @Test("A balanced epoch has as many images of each class, each of a class before one comes again")
    func balanced() {
        // 3, 20 and 40 images; class 3 has none.
        let labels =
            [Int32](repeating: 0, count: 3) + [Int32](repeating: 1, count: 20)
            + [Int32](repeating: 2, count: 40)
        for epoch in 1...3 {
            let order = Self.philox.balancedOrder(labels, epoch: epoch)
            #expect(order.count == labels.count)
            let counts = (0..<3).map { label in order.count { labels[Int($0)] == label } }
            #expect(counts == [21, 21, 21])
            var times = [Int](repeating: 0, count: labels.count)
            for image in order { times[Int(image)] += 1 }
            #expect(Set(times[0..<3]) == [7])
            #expect(Set(times[3..<23]) == [1, 2] && times[3..<23].count { $0 == 2 } == 1)
            #expect(Set(times[23...]) == [0, 1])
        }
        let (one, other) = (
            Self.philox.balancedOrder(labels, epoch: 1), Self.philox.balancedOrder(labels, epoch: 2)
        )
        #expect(one != other && one == Self.philox.balancedOrder(labels, epoch: 1))
        // What no multiple of the classes allows goes to some of them.
        let rest = Self.philox.balancedOrder(Array(labels.dropLast()), epoch: 1)
        #expect((0..<3).map { label in rest.count { labels[Int($0)] == label } }.sorted() == [20, 21, 21])
    }

    @Test(
        "Training draws by the sampler, and goes on in the same order when it is restored",
        arguments: executors)
    func trained(device: ComputeDevice) throws {
        func make(_ sampler: Sampler) throws -> Trainer {
            let network = ReproducibilityTests.network
            let dataset = try Dataset.noise(45, of: network.input)
            var configuration = TrainingConfiguration(network, dataset, batch: 8, .sgd(learningRate: 0.05))
            configuration.epochs = 3
            configuration.sampler = sampler
            return try Trainer(network, dataset, configuration, device: device)
        }
        let (whole, first, second) = (try make(.balanced), try make(.balanced), try make(.balanced))
        let losses = try whole.takeSteps(12)
        #expect(try make(.shuffle).takeSteps(12) != losses)
        #expect(try first.takeSteps(7) == Array(losses.prefix(7)))
        try second.restore(first.checkpoint(), from: "memory")
        #expect(try second.takeSteps(5) == Array(losses.suffix(5)))
    }

    @Test("Weights of classes change what is learnt; equal ones change next to nothing", arguments: executors)
    func classWeights(device: ComputeDevice) throws {
        func losses(_ weights: [Float]?) throws -> [Double] {
            let network = ReproducibilityTests.network
            let dataset = try Dataset.noise(45, of: network.input)
            var configuration = TrainingConfiguration(network, dataset, batch: 8, .sgd(learningRate: 0.05))
            configuration.classWeights = weights
            return try Trainer(network, dataset, configuration, device: device).takeSteps(5)
        }
        let plain = try losses(nil)
        let equal = try losses(Array(repeating: 3, count: 10))
        for (one, other) in zip(plain, equal) { #expect(abs(one - other) < 1e-4 * one) }
        let unequal = try losses((0..<10).map { Float($0) })
        #expect(zip(plain, unequal).contains { abs($0 - $1) > 0.01 })
    }
}
