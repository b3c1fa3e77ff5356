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
        func bytes(_ op: Op.Optimizer) throws -> Int {
            var graph = Graph()
            _ = graph.addParameter(Parameter(name: "bias", layout: .vector(5), role: .shift))
            try graph.apply(.optimizer(op), to: [], name: "optimizer", pass: .update)
            return graph.cost.bytes
        }
        #expect(try bytes(.sgd(momentum: 0, nesterov: false, weightDecay: 0)) == 3 * 20)
        #expect(try bytes(.sgd(momentum: 0.9, nesterov: false, weightDecay: 0)) == 5 * 20)
        let adam = Op.Optimizer.adam(
            beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, isDecoupled: false)
        #expect(try bytes(adam) == 7 * 20)
    }
}
