import ResinGraph
import ResinPlan
import ResinReference
import ResinTensor
import Testing

@Suite struct OptimizerTests {
    /// The weight after each step with a rate of 0.1 and these gradients.
    ///
    /// - Parameter failures: each step's number of losses that are not finite, if the optimizer watches it.
    func weights(
        _ rule: Op.Optimizer.Rule, from weight: Float, gradients: [Float], failures: [Float]? = nil,
        clipNorm: Float? = nil
    ) throws -> [Float] {
        let executor = ReferenceExecutor()
        var graph = Graph()
        _ = graph.addParameter(Parameter(name: "before", layout: .vector(3), role: .shift))
        _ = graph.addParameter(Parameter(name: "weight", layout: .vector(1), role: .shift))
        let rows: [Float] = (failures ?? []).flatMap { count -> [Float] in [0, 0, 0, count] }
        var watched: [(Op.Optimizer.Operand, ValueID)] = []
        if let failures {
            let type = TensorType([failures.count, Metric.allCases.count])
            watched = [(.metrics, graph.addRegion(.metrics(.train), type))]
        }
        try graph.applyOptimizer(rule, of: FlatLayout(parametersOf: graph), clipNorm: clipNorm, watched)
        let plan: Plan = executor.makePlan(graph)
        try executor.makeRoom(for: StepPlan([plan]))
        if failures != nil { try executor.write(rows, to: .metrics(.train)) }
        let offset = plan.parameterLayout.byteOffset(1)
        try executor.write([weight], to: .parameters, offset: offset)
        let executable = executor.prepare(plan)
        return try gradients.enumerated().map { index, gradient in
            try executor.write([gradient], to: .gradients, offset: offset)
            try executable.run(
                StepUniforms(
                    seed: 0, step: index + 1, imageCount: 1, slot: failures == nil ? 0 : index,
                    learningRate: 0.1,
                    optimizer: rule))
            return try executor.read(.parameters, offset: offset, count: 1, as: Float(0))[0]
        }
    }

    @Test("Plain SGD goes down the gradient, and weight decay towards zero")
    func sgd() throws {
        let plain = Op.Optimizer.Rule.sgd(momentum: 0, nesterov: false, weightDecay: 0)
        #expect(agree(try weights(plain, from: 1, gradients: [0.5, -1]), [0.95, 1.05]))
        let decaying = Op.Optimizer.Rule.sgd(momentum: 0, nesterov: false, weightDecay: 0.1)
        #expect(agree(try weights(decaying, from: 1, gradients: [0.5]), [0.94]))
    }

    @Test("Momentum sums past gradients; Nesterov's looks one ahead")
    func momentum() throws {
        let heavy = Op.Optimizer.Rule.sgd(momentum: 0.9, nesterov: false, weightDecay: 0)
        #expect(agree(try weights(heavy, from: 0, gradients: [1, 1]), [-0.1, -0.29]))
        let nesterov = Op.Optimizer.Rule.sgd(momentum: 0.9, nesterov: true, weightDecay: 0)
        #expect(agree(try weights(nesterov, from: 0, gradients: [1, 1]), [-0.19, -0.461]))
    }

    @Test("Adam divides the corrected mean by the corrected deviation plus epsilon")
    func adam() throws {
        // Step 1: 3 / (√9 + 1). Step 2: m̂ = 0.27 / 0.19, v̂ = 0.008991 / 0.001999.
        let op = Op.Optimizer.Rule.adam(
            beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0, isDecoupled: false)
        #expect(agree(try weights(op, from: 0, gradients: [3, 0]), [-0.075, -0.120535], within: 2e-6))
    }

    @Test("Weight decay is part of Adam's gradient, and apart from AdamW's")
    func weightDecay() throws {
        func adam(isDecoupled: Bool) -> Op.Optimizer.Rule {
            .adam(beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0.5, isDecoupled: isDecoupled)
        }
        #expect(agree(try weights(adam(isDecoupled: false), from: 1, gradients: [2.5]), [0.925]))
        #expect(agree(try weights(adam(isDecoupled: true), from: 1, gradients: [3]), [0.875]))
    }

    @Test("RMSprop divides by the root of the mean of squares plus epsilon; momentum sums what comes of it")
    func rmsprop() throws {
        // v = 0.5 · 4 = 2, then 1 + 8 = 9: 2 / (√2 + 1), 4 / (3 + 1).
        let plain = Op.Optimizer.Rule.rmsprop(alpha: 0.5, epsilon: 1, momentum: 0, weightDecay: 0)
        #expect(
            agree(try weights(plain, from: 0, gradients: [2, 4]), [-0.0828427, -0.1828427], within: 1e-6))
        let heavy = Op.Optimizer.Rule.rmsprop(alpha: 0.5, epsilon: 1, momentum: 0.5, weightDecay: 0)
        #expect(
            agree(try weights(heavy, from: 0, gradients: [2, 4]), [-0.0828427, -0.2242641], within: 1e-6))
        let decaying = Op.Optimizer.Rule.rmsprop(alpha: 0.5, epsilon: 1, momentum: 0, weightDecay: 0.5)
        #expect(agree(try weights(decaying, from: 2, gradients: [1]), [1.9171573], within: 1e-6))
    }

    @Test("Lion steps by the sign of the mean with the gradient; what has no sign stays")
    func lion() throws {
        let plain = Op.Optimizer.Rule.lion(beta1: 0.9, beta2: 0.5, weightDecay: 0)
        // m is 2, then −1: 0.9 · 2 − 0.4 is still above zero.
        #expect(agree(try weights(plain, from: 0, gradients: [4, -4, 0]), [-0.1, -0.2, -0.1]))
        #expect(agree(try weights(plain, from: 3, gradients: [0]), [3]))
        let decaying = Op.Optimizer.Rule.lion(beta1: 0.9, beta2: 0.99, weightDecay: 0.5)
        #expect(agree(try weights(decaying, from: 2, gradients: [7]), [1.8]))
    }

    @Test("LAMB's step of a tensor that decays is as long as the tensor; of another it is Adam's")
    func lamb() throws {
        let decaying = Op.Optimizer.Rule.lamb(beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0.5)
        // One element: the update's norm is its own, and what is left is the weight times its sign.
        #expect(agree(try weights(decaying, from: 2, gradients: [3]), [1.8]))
        #expect(agree(try weights(decaying, from: 0, gradients: [3]), [-0.075]))
        let plain = Op.Optimizer.Rule.lamb(beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0)
        #expect(agree(try weights(plain, from: 2, gradients: [3]), [1.925]))
    }

    @Test("Gradients longer than the norm are shortened to it, shorter ones stay")
    func clipping() throws {
        let plain = Op.Optimizer.Rule.sgd(momentum: 0, nesterov: false, weightDecay: 0)
        #expect(
            agree(try weights(plain, from: 0, gradients: [4, -0.5, 2], clipNorm: 1), [-0.1, -0.05, -0.15]))
    }

    @Test("A gradient that is infinite leaves no clipped weight that looks right")
    func clippingOfInfinity() throws {
        let plain = Op.Optimizer.Rule.sgd(momentum: 0, nesterov: false, weightDecay: 0)
        #expect(try weights(plain, from: 0, gradients: [.infinity], clipNorm: 1)[0].isNaN)
    }

    @Test("An optimizer that watches the metrics leaves out a step whose loss is not finite, state and all")
    func skipping() throws {
        let heavy = Op.Optimizer.Rule.sgd(momentum: 0.9, nesterov: false, weightDecay: 0)
        #expect(
            agree(
                try weights(heavy, from: 0, gradients: [1, .nan, 1], failures: [0, 2, 0]),
                [-0.1, -0.1, -0.29]))
        let adam = Op.Optimizer.Rule.adam(
            beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0, isDecoupled: false)
        #expect(
            agree(try weights(adam, from: 0, gradients: [3, .nan], failures: [0, 1]), [-0.075, -0.075]))
    }
}
