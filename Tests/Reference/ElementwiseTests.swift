import ResinGraph
import ResinPlan
import ResinTensor
import Testing

@Suite struct ElementwiseTests {
    @Test("ReLU keeps what is above zero, and not a number")
    func relu() throws {
        let values = try result(of: .relu, on: Literal([1, 4], [-1, 0, 2, .nan]))
        #expect(values[..<3] == [0, 0, 2])
        #expect(values[3].isNaN)
    }

    @Test("ReLU's gradient passes where its output was above zero")
    func reluGradient() throws {
        #expect(
            try result(of: .reluGradient, on: Literal([1, 3], [5, -6, 7]), Literal([1, 3], [0, 1, 2]))
                == [0, -6, 7])
    }

    @Test("Addition takes a ReLU or a ReLU's mask as its epilogue")
    func add() throws {
        let a = Literal([1, 2], [1, 2])
        let b = Literal([1, 2], [-3, 4])
        #expect(try result(of: .add(Op.Add()), on: a, b) == [-2, 6])
        #expect(try result(of: .add(Op.Add(epilogue: .relu)), on: a, b) == [0, 6])
        let mask = Literal([1, 2], [1, 0])
        #expect(try result(of: .add(Op.Add(epilogue: .reluMask)), on: a, b, mask) == [-2, 0])
    }

    @Test("Flattening and its inverse leave the elements as they are")
    func flatten() throws {
        #expect(try result(of: .flatten, on: nine) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        let unflatten = Op.unflatten(Op.Unflatten(shape: [1, 2, 1, 2]))
        #expect(try result(of: unflatten, on: Literal([1, 4], [1, 2, 3, 4])) == [1, 2, 3, 4])
    }

    @Test("Dropout draws four words a counter, one an element, and scales what it keeps")
    func dropout() throws {
        let ones = Literal([2, 5], Array(repeating: 1, count: 10))
        let uniforms = StepUniforms(seed: 3, step: 4, imageCount: 2)
        let philox = Philox(seed: 3, stream: .dropout)
        let expected = (0..<10).map { element -> Float in
            let word = philox(Philox.Block(UInt32(element / 4), 4, 5, 0))[element % 4]
            return word < 1 << 30 ? 0 : 1 / 0.75
        }
        #expect(expected.contains(0) && expected.contains { $0 > 0 })
        let op = Op.dropout(Op.Dropout(probability: 0.25, node: 5))
        #expect(try result(of: op, on: ones, step: uniforms) == expected)
    }

    @Test("Dropout with probability ½ keeps about half, another half in another step or node")
    func dropoutRate() throws {
        let ones = Literal([1, 40000], Array(repeating: 1, count: 40000))
        func kept(step: Int, node: UInt32) throws -> [Float] {
            try result(
                of: .dropout(Op.Dropout(probability: 0.5, node: node)), on: ones,
                step: StepUniforms(seed: 1, step: step, imageCount: 1))
        }
        let first = try kept(step: 1, node: 0)
        #expect(abs(first.reduce(0, +) / 40000 - 1) < 0.03)
        #expect(try first == kept(step: 1, node: 0))
        #expect(try first != kept(step: 2, node: 0))
        #expect(try first != kept(step: 1, node: 1))
    }

    // Mean 4, variance 5 (unbiased 20 / 3); with epsilon 4 the deviation is 3, so y = x − 3.
    let values = Literal([2, 1, 2, 1], [1, 3, 5, 7])
    let scale = Literal([1], [3])
    let shift = Literal([1], [1])

    @Test("Batch norm uses the batch's statistics and moves the running ones towards them")
    func batchNorm() throws {
        for (epilogue, expected) in [(Epilogue.none, [-2, 0, 2, 4] as [Float]), (.relu, [0, 0, 2, 4])] {
            let op = Op.batchNorm(Op.BatchNorm(epsilon: 4, momentum: 0.5, epilogue: epilogue))
            let outcome = try run(op, on: [values, scale, shift, Literal([1], [2]), Literal([1], [1])])
            #expect(agree(outcome.outputs[0], expected))
            #expect(agree(outcome.outputs[1], [4]))
            #expect(agree(outcome.outputs[2], [1 / 3]))
            #expect(agree(outcome.inputs[3], [3]))
            #expect(agree(outcome.inputs[4], [0.5 + 10 / 3]))
        }
    }

    @Test("A batch norm's epilogue adds, and then rectifies")
    func batchNormAddition() throws {
        let op = Op.batchNorm(Op.BatchNorm(epsilon: 4, epilogue: .sum(then: .relu)))
        let zero = Literal([1], [0])
        let addend = Literal([2, 1, 2, 1], [1, 10, -3, -3])
        let outcome = try run(op, on: [values, scale, shift, zero, zero, addend])
        #expect(agree(outcome.outputs[0], [0, 10, 0, 1]))
    }

    @Test("Batch norm treats channels apart")
    func batchNormChannels() throws {
        let x = Literal([2, 2], [1, 10, 3, 50])
        let zeros = Literal([2], [0, 0])
        let ones = Literal([2], [1, 1])
        let outcome = try run(
            .batchNorm(Op.BatchNorm(epsilon: 0)), on: [x, ones, zeros, zeros, ones])
        #expect(outcome.outputs == [[-1, -1, 1, 1], [2, 30], [1, 0.05]])
    }

    @Test("For prediction, batch norm uses the running statistics")
    func batchNormInference() throws {
        for (epilogue, expected) in [(Epilogue.none, [-2, 0, 2, 4] as [Float]), (.relu, [0, 0, 2, 4])] {
            let op = Op.batchNormInference(Op.BatchNormInference(epsilon: 4, epilogue: epilogue))
            let mean = Literal([1], [4])
            let variance = Literal([1], [5])
            #expect(agree(try result(of: op, on: values, scale, shift, mean, variance), expected))
        }
    }

    @Test("Batch norm's gradient takes out what the mean and the variance take out")
    func batchNormGradient() throws {
        // x̂ = −1.5, −0.5, 0.5, 1.5; scale · inverse deviation = 1.
        let dy = Literal([2, 1, 2, 1], [1, 0, 0, 0])
        let outcome = try run(
            .batchNormGradient,
            on: [dy, values, Literal([1], [2]), Literal([1], [4]), Literal([1], [0.5])])
        #expect(outcome.outputs == [[0.1875, -0.4375, -0.0625, 0.3125], [-1.5], [1]])
    }
}
