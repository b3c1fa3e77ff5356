import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

@Suite struct InitialiserTests {
    private let filter = Parameter(
        name: "0.weight", layout: .filter(outputs: 64, inputs: 32, height: 3, width: 3), role: .filter)

    private func moments(_ values: [Float]) -> (mean: Double, variance: Double, largest: Double) {
        let values = values.map(Double.init)
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        return (mean, variance, values.reduce(0) { max($0, abs($1)) })
    }

    /// 288 inputs and 576 outputs a weight; of 18,432 draws, means are within 4 standard errors and
    /// variances within 5 %.
    @Test(arguments: Initialiser.allCases)
    func weightsHaveThePapersMoments(initialiser: Initialiser) {
        let variance: Double =
            switch initialiser {
            case .xavier: 2.0 / 864
            case .kaiming: 2.0 / 288
            case .default: 1.0 / 864
            }
        let drawn = moments(initialiser.values(for: filter, index: 0, seed: 42))
        #expect(abs(drawn.mean) < 4 * (variance / 18_432).squareRoot())
        #expect(abs(drawn.variance / variance - 1) < 0.05)
        if initialiser != .kaiming {
            let bound = (3 * variance).squareRoot()
            #expect(drawn.largest <= bound * (1 + 1e-6) && drawn.largest > 0.99 * bound)
        }
    }

    @Test func kaimingsWeightsAreNormal() {
        let values = Initialiser.kaiming.values(for: filter, index: 0, seed: 1)
        let deviation = (2.0 / (9 * 32)).squareRoot()
        func share(within bound: Double) -> Double {
            Double(values.count { abs(Double($0)) < bound * deviation }) / Double(values.count)
        }
        #expect(abs(share(within: 1) - 0.6827) < 0.015)
        #expect(abs(share(within: 2) - 0.9545) < 0.01)
    }

    @Test func onlyPyTorchsOwnInitialiserDrawsBiases() {
        let bias = Parameter(name: "0.bias", layout: .vector(1001), role: .bias(fanIn: 25))
        #expect(Initialiser.xavier.values(for: bias, index: 1, seed: 42) == Array(repeating: 0, count: 1001))
        #expect(Initialiser.kaiming.values(for: bias, index: 1, seed: 42) == Array(repeating: 0, count: 1001))
        let drawn = moments(Initialiser.default.values(for: bias, index: 1, seed: 42))
        #expect(drawn.largest <= 0.2 && drawn.largest > 0.19)
    }

    @Test(arguments: Initialiser.allCases)
    func scalesStartAtOneAndShiftsAtZero(initialiser: Initialiser) {
        let scale = Parameter(name: "1.weight", layout: .vector(3), role: .scale)
        let shift = Parameter(name: "1.bias", layout: .vector(3), role: .shift)
        #expect(initialiser.values(for: scale, index: 2, seed: 42) == [1, 1, 1])
        #expect(initialiser.values(for: shift, index: 3, seed: 42) == [0, 0, 0])
    }

    @Test(arguments: Initialiser.allCases)
    func seedAndIndexDecideTheValues(initialiser: Initialiser) {
        let values = initialiser.values(for: filter, index: 0, seed: 42)
        #expect(initialiser.values(for: filter, index: 0, seed: 42) == values)
        #expect(initialiser.values(for: filter, index: 0, seed: 43) != values)
        #expect(initialiser.values(for: filter, index: 1, seed: 42) != values)
    }

    @Test func drawsAreMadeInTheOrderOfFiles() {
        let dense = Parameter(
            name: "0.weight", layout: .dense(outputs: 64, inputs: 288, height: 1, width: 1), role: .filter)
        #expect(
            dense.layout.externalOrder(Initialiser.kaiming.values(for: dense, index: 0, seed: 7))
                == filter.layout.externalOrder(Initialiser.kaiming.values(for: filter, index: 0, seed: 7)))
    }
}
