import ResinGraph
import ResinPlan
import ResinTensor
import Testing

@Suite struct InputTests {
    func images(
        _ batch: Int, _ size: Extent, mean: [Float] = [0], deviation: [Float] = [1], cropPadding: Int = 0,
        flips: Bool = false
    ) -> Op {
        .imageInput(
            Op.ImageInput(
                batch: batch, size: size, mean: mean, standardDeviation: deviation, cropPadding: cropPadding,
                flips: flips))
    }

    @Test("Images and labels follow the order from the step's first on; the last is repeated")
    func order() throws {
        let bytes = Literal([3, 1, 1, 1], bytes: [0, 51, 255])
        let order = Literal([3], integers: [1, 2, 0])
        let uniforms = StepUniforms(seed: 0, step: 1, firstImage: 1, imageCount: 2)
        let values = try result(of: images(4, Extent(1)), on: bytes, order, step: uniforms)
        #expect(agree(values, [1, 0, 0, 0]))
        let labels = try result(
            of: .labelInput, on: Literal([3], integers: [10, 300, 16_383]), order,
            Literal([4, 1, 1, 1], [0, 0, 0, 0]), step: uniforms)
        #expect(labels == [16_383, 10, 10, 10])
    }

    @Test("Bytes are normalised channel by channel")
    func normalisation() throws {
        let bytes = Literal([1, 1, 2, 2], bytes: [0, 0, 255, 255])
        let op = images(1, Extent(1, 2), mean: [0.5, 0], deviation: [0.25, 0.5])
        #expect(agree(try result(of: op, on: bytes, Literal([1], integers: [0])), [-2, 0, 2, 2]))
    }

    @Test("Images grow and shrink bilinearly, with half-pixel centres")
    func resize() throws {
        let first = Literal([1], integers: [0])
        let narrow = Literal([1, 2, 2, 1], bytes: [0, 100, 0, 100])
        #expect(
            agree(
                try result(of: images(1, Extent(1, 4)), on: narrow, first),
                [0, 25, 75, 100].map { $0 / 255 }))
        let wide = Literal([1, 1, 4, 1], bytes: [0, 50, 100, 150])
        #expect(
            agree(try result(of: images(1, Extent(1, 2)), on: wide, first), [25, 125].map { $0 / 255 }))
        let tall = Literal([1, 2, 1, 1], bytes: [0, 100])
        #expect(
            agree(
                try result(of: images(1, Extent(4, 1)), on: tall, first), [0, 25, 75, 100].map { $0 / 255 }))
    }

    @Test("Augmentation shifts the source, black coming in, and then mirrors it")
    func augmentation() throws {
        let batch = 16
        let bytes = Literal([1, 3, 3, 1], bytes: [10, 20, 30, 40, 50, 60, 70, 80, 90])
        let philox = Philox(seed: 5, stream: .augmentation)
        var expected: [Float] = []
        var shifts = Set<UInt32>()
        for n in 0..<batch {
            let words = philox(Philox.Block(UInt32(n), 6, 0, 0))
            shifts.insert(words.x % 3 * 6 + words.y % 3 * 2 + words.z % 2)
            for i in 0..<3 {
                for j in 0..<3 {
                    let y = i + Int(words.x % 3) - 1
                    let x = (words.z % 2 == 1 ? 2 - j : j) + Int(words.y % 3) - 1
                    let isInside = (0..<3).contains(y) && (0..<3).contains(x)
                    expected.append(isInside ? Float(10 * (3 * y + x + 1)) / 255 : 0)
                }
            }
        }
        #expect(shifts.count > 6, "the sixteen images are augmented in different ways")
        let op = images(batch, Extent(3), cropPadding: 1, flips: true)
        let order = Literal([16], integers: Array(repeating: 0, count: batch))
        let uniforms = StepUniforms(seed: 5, step: 6, imageCount: batch)
        #expect(agree(try result(of: op, on: bytes, order, step: uniforms), expected))
    }
}
