import ResinGraph
import ResinPlan
import ResinTensor
import Testing

@Suite struct LossTests {
    /// Probabilities ¼ and ¾ in every row.
    let logits = Literal([3, 2], [0, 1.0986123, 0, 1.0986123, 0, 1.0986123])
    let labels = Literal([3], integers: [0, 1, 1])
    let twoImages = StepUniforms(seed: 0, step: 1, imageCount: 2)

    @Test("The loss is the logarithm of the label's probability; rows beyond the images are zero")
    func loss() throws {
        let rows = try result(of: .softmaxCrossEntropy(), on: logits, labels, step: twoImages)
        #expect(agree(rows, [1.3862944, 0, 1, 0, 0.28768207, 1, 1, 0, 0, 0, 0, 0]))
    }

    @Test("Its gradient is probability minus target, over the number of images")
    func gradient() throws {
        let rows = try result(of: .softmaxCrossEntropyGradient(), on: logits, labels, step: twoImages)
        #expect(agree(rows, [-0.375, 0.375, 0.125, -0.125, 0, 0]))
    }

    /// Half of the target is shared: ¾ and ¼, then ¼ and ¾.
    @Test("Label smoothing shares so much of the target among all classes")
    func smoothing() throws {
        let op = Op.SoftmaxCrossEntropy(labelSmoothing: 0.5)
        let rows = try result(of: .softmaxCrossEntropy(op), on: logits, labels, step: twoImages)
        #expect(agree(rows, [1.1116413, 0, 1, 0, 0.5623351, 1, 1, 0, 0, 0, 0, 0]))
        let gradient = try result(
            of: .softmaxCrossEntropyGradient(.init(labelSmoothing: 0.5)), on: logits, labels,
            step: twoImages)
        #expect(agree(gradient, [-0.25, 0.25, 0, 0, 0, 0]))
    }

    @Test("Large logits do not overflow")
    func largeLogits() throws {
        let rows = try result(
            of: .softmaxCrossEntropy(), on: Literal([1, 2], [1000, 2000]), Literal([1], integers: [0]))
        #expect(rows == [1000, 0, 1, 0])
    }

    @Test("Of equal logits the first counts as larger")
    func ties() throws {
        let rows = try result(
            of: .softmaxCrossEntropy(), on: Literal([2, 2], [1, 1, 1, 1]), Literal([2], integers: [0, 1]),
            step: twoImages)
        #expect(rows[1] == 1 && rows[5] == 0)
    }

    @Test("The fifth largest logit is among the first five, the sixth is not")
    func topFive() throws {
        let logits = Literal([2, 7], [7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1])
        let rows = try result(
            of: .softmaxCrossEntropy(), on: logits, Literal([2], integers: [4, 5]), step: twoImages)
        #expect(rows[1] == 0 && rows[2] == 1 && rows[5] == 0 && rows[6] == 0)
    }

    @Test("A logit that is not a number is reported, and never counts as correct")
    func notFinite() throws {
        for logits in [[Float.nan, 0], [0, .nan]] {
            let rows = try result(
                of: .softmaxCrossEntropy(), on: Literal([1, 2], logits), Literal([1], integers: [0]))
            #expect(rows[0].isNaN && rows[1] == 0 && rows[3] == 1)
        }
    }

    @Test("Metrics are the sums of the loss's columns, in the step's slot alone")
    func metrics() throws {
        let rows = Literal([2, 4], [1, 0, 1, 0, 2, 1, 1, 0])
        let metrics = Literal([3, 4], Array(repeating: 9, count: 12))
        let outcome = try run(
            .recordMetrics, on: [rows, metrics], StepUniforms(seed: 0, step: 1, imageCount: 2, slot: 1))
        #expect(outcome.inputs[1] == [9, 9, 9, 9, 3, 1, 2, 0, 9, 9, 9, 9])
    }

    @Test("A channel that is above zero anywhere is noted as active, and stays so")
    func activity() throws {
        let x = Literal([2, 1, 1, 3], [0, -1, 0, 0, -1, 2])
        let activity = Literal([5], integers: [0, 1, 0, 0, 0])
        let op = Op.channelActivity(Op.ChannelActivity(offset: 1))
        #expect(try run(op, on: [x, activity]).inputs[1] == [0, 1, 0, 1, 0])
    }
}
