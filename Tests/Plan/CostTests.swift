import ResinGraph
import ResinPlan
import Testing

@Suite("Costs and the device's limits")
struct CostTests {
    private let calibration = Calibration(flops: 10, copyBytes: 4)

    @Test("The larger of the two bounds counts")
    func bounds() {
        #expect(calibration.seconds(Cost(multiplyAdds: 10, bytes: 4)) == 2)
        #expect(calibration.seconds(Cost(multiplyAdds: 10, bytes: 12)) == 3)
        #expect(calibration.seconds(Cost()) == 0)
    }

    @Test("An optimizer reads and writes parameters and states, and reads gradients")
    func optimizer() throws {
        func bytes(_ rule: Op.Optimizer.Rule) throws -> Int {
            var graph = Graph()
            try graph.applyOptimizer(rule, of: FlatLayout(counts: [5]))
            return graph.cost.bytes
        }
        #expect(try bytes(.sgd(momentum: 0, nesterov: false, weightDecay: 0)) == 3 * 512)
        #expect(try bytes(.sgd(momentum: 0.9, nesterov: false, weightDecay: 0)) == 5 * 512)
        let adam = Op.Optimizer.Rule.adam(
            beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, isDecoupled: false)
        #expect(try bytes(adam) == 7 * 512)
    }
}
