import ResinDataset
import ResinTensor
import Testing

@Suite struct GlyphTests {
    /// FNV-1a, 64 bits.
    private func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    @Test("A seed's images are pinned: whoever changes them changes what published results mean")
    func pinned() throws {
        let glyphs = try Dataset.glyphs(seed: 42, trainCount: 100, testCount: 20)
        #expect(hash(glyphs.train.pixels) == 15_200_885_101_001_800_907)
        #expect(hash(glyphs.test.pixels) == 17_793_546_139_578_082_116)
        #expect(glyphs.train.labels.prefix(10) == [4, 6, 3, 5, 8, 0, 2, 9, 1, 7])
    }

    @Test("The same seed gives the same bytes, another seed others")
    func seeds() throws {
        let one = try Dataset.glyphs(seed: 1, trainCount: 20, testCount: 10)
        let again = try Dataset.glyphs(seed: 1, trainCount: 20, testCount: 10)
        let other = try Dataset.glyphs(seed: 2, trainCount: 20, testCount: 10)
        #expect(one.train.pixels == again.train.pixels && one.test.pixels == again.test.pixels)
        #expect(one.train.labels == again.train.labels)
        #expect(one.train.pixels != other.train.pixels)
        #expect(one.train.labels != other.train.labels)
    }

    @Test("An image does not depend on how many are made")
    func independentOfCount() throws {
        let few = try Dataset.glyphs(seed: 3, trainCount: 7, testCount: 3)
        let many = try Dataset.glyphs(seed: 3, trainCount: 25, testCount: 12)
        #expect(try many.train.prefix(7).pixels == few.train.pixels)
        #expect(try many.train.prefix(7).labels == few.train.labels)
        #expect(try many.test.prefix(3).pixels == few.test.pixels)
    }

    @Test("Training and test images differ")
    func splitsDiffer() throws {
        let glyphs = try Dataset.glyphs(seed: 4, trainCount: 10, testCount: 10)
        #expect(glyphs.train.pixels != glyphs.test.pixels)
    }

    @Test("Each ten images in a row hold every class once, in changing order")
    func balance() throws {
        let labels = try Dataset.glyphs(seed: 5, trainCount: 30, testCount: 10).train.labels
        let groups = stride(from: 0, to: 30, by: 10).map { Array(labels[$0..<$0 + 10]) }
        for group in groups { #expect(group.sorted() == Array(0..<10)) }
        #expect(Set(groups).count == 3)
    }

    @Test("The named set holds 6,000 and 1,000 grey images of 28×28 and their statistics")
    func defaults() throws {
        let glyphs = try Dataset.named("glyphs", seed: 42)
        #expect(glyphs.train.shape == [6_000, 28, 28, 1])
        #expect(glyphs.test.shape == [1_000, 28, 28, 1])
        #expect(glyphs.classNames.count == 10 && Set(glyphs.classNames).count == 10)
        #expect(glyphs.mean == [0.2433])
        #expect(glyphs.standardDeviation == [0.2013])
    }

    @Test("The nearest class mean tells far more than chance and far less than all")
    func nearestMean() throws {
        let glyphs = try Dataset.glyphs(seed: 6, trainCount: 1_000, testCount: 200)
        let size = 28 * 28
        var means = [[Float]](repeating: [Float](repeating: 0, count: size), count: 10)
        for index in 0..<1_000 {
            let label = Int(glyphs.train.labels[index])
            for pixel in 0..<size {
                means[label][pixel] += Float(glyphs.train.pixels[index * size + pixel]) / 100
            }
        }
        var correct = 0
        for index in 0..<200 {
            let distances = means.map { mean in
                (0..<size).reduce(Float(0)) { sum, pixel in
                    let difference = mean[pixel] - Float(glyphs.test.pixels[index * size + pixel])
                    return sum + difference * difference
                }
            }
            let nearest = distances.indices.min { distances[$0] < distances[$1] }
            if nearest == Int(glyphs.test.labels[index]) { correct += 1 }
        }
        #expect((60...160).contains(correct), "\(correct) of 200")
    }

    @Test("No images is a wrong use")
    func noImages() {
        let error = #expect(throws: ResinError.self) { try Dataset.glyphs(seed: 1, trainCount: 0) }
        #expect(error?.kind == .usage)
    }
}
