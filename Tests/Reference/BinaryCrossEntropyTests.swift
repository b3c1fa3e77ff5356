import ResinGraph
import ResinPlan
import ResinTensor
import Testing

@Suite struct BinaryCrossEntropyTests {
    /// Probabilities ¼ and ¾ in every row.
    let logits = Literal([3, 2], [-1.0986123, 1.0986123, -1.0986123, 1.0986123, -1.0986123, 1.0986123])
    /// No class, the second, both.
    let sets = Literal([3, 1], integers: [0, 2, 3])
    let labels = Literal([3], integers: [0, 1, 2])
    let threeImages = StepUniforms(seed: 0, step: 1, imageCount: 3)

    /// −(log ¾ + log ¼) / 2, −log ¾, −(log ¼ + log ¾) / 2.
    @Test("The loss is the mean over the classes; a set without classes is never right")
    func loss() throws {
        let rows = try result(
            of: .binaryCrossEntropy(), on: logits, labels, sets, step: threeImages)
        #expect(agree(rows, [0.8369882, 0, 0, 0, 0.2876821, 1, 1, 0, 0.8369882, 1, 1, 0]))
    }

    @Test("Its gradient is probability minus target, over images and classes; zero beyond the images")
    func gradient() throws {
        let op = Op.BinaryCrossEntropy().gradientSeed
        let twoImages = StepUniforms(seed: 0, step: 1, imageCount: 2)
        let rows = try result(of: op, on: logits, labels, sets, step: twoImages)
        #expect(agree(rows, [0.0625, 0.1875, 0.0625, -0.0625, 0, 0]))
    }

    /// Squares of what is wrong, ¼ and ¾, before each class's logarithm; the first class absent counts three quarters.
    @Test("The focal form weakens what is right")
    func focal() throws {
        let op = Op.BinaryCrossEntropy(focal: .init(gamma: 2, alpha: 0.25))
        let rows = try result(of: .binaryCrossEntropy(op), on: logits, labels, sets, step: threeImages)
        let (right, wrong) = (Float(0.2876821 / 16), Float(1.3862944 * 9 / 16))
        #expect(
            agree(
                [rows[0], rows[4], rows[8]],
                [0.375 * (right + wrong), 0.375 * right + 0.125 * right, 0.125 * (wrong + right)]))
    }

    @Test("A class's weight counts its presence")
    func weights() throws {
        let op = Op.BinaryCrossEntropy(weighs: true)
        let rows = try result(
            of: .binaryCrossEntropy(op), on: logits, labels, sets, Literal([2], [3, 2]), step: threeImages)
        #expect(agree([rows[0], rows[4]], [0.8369882, (0.2876821 + 2 * 0.2876821) / 2]))
    }

    @Test("Infinite logits that are right cost nothing, and one that is not a number is reported")
    func extremes() throws {
        let one = StepUniforms(seed: 0, step: 1, imageCount: 1)
        func row(_ logits: [Float]) throws -> [Float] {
            try result(
                of: .binaryCrossEntropy(), on: Literal([1, 2], logits), Literal([1], integers: [1]), sets,
                step: one)
        }
        #expect(try row([-.infinity, .infinity]) == [0, 1, 1, 0])
        #expect(try row([-1000, 1000]) == [0, 1, 1, 0])
        for logits in [[Float.nan, 1], [1, .nan]] {
            let row = try row(logits)
            #expect(row[0].isNaN && row[1] == 0 && row[3] == 1)
        }
    }
}
