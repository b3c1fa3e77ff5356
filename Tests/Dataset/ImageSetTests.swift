import ResinDataset
import ResinTensor
import Testing

@Suite struct ImageSetTests {
    private func refusal(_ body: () throws -> any ImageSource) -> ResinError? {
        #expect(throws: ResinError.self) { try body() }
    }

    @Test("The first n images keep their order")
    func prefix() throws {
        let set = try ImageSet(
            pixels: [1, 2, 3, 4, 5, 6], labels: [2, 0, 1], height: 1, width: 2, channels: 1, classCount: 3)
        let first = try set.prefix(2)
        #expect(first.count == 2)
        #expect(first.pixels == [1, 2, 3, 4])
        #expect(first.labels == [2, 0])
        #expect(try set.prefix(3).pixels == set.pixels)
    }

    @Test("More images than there are, or none, is a wrong use", arguments: [4, 0, -1])
    func prefixOutOfRange(n: Int) throws {
        let set = try ImageSet(
            pixels: [1, 2, 3], labels: [2, 0, 1], height: 1, width: 1, channels: 1, classCount: 3)
        let error = refusal { try set.prefix(n) }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("give 1 to 3") == true)
    }

    @Test("The first label out of range is named with its index and value")
    func labelOutOfRange() {
        let error = refusal {
            try ImageSet(
                pixels: [1, 2, 3], labels: [2, 7, 9], height: 1, width: 1, channels: 1, classCount: 3)
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("label 1 is 7") == true)
    }

    @Test("Pixels that do not make up the images are refused")
    func pixelCount() {
        let error = refusal {
            try ImageSet(pixels: [1, 2, 3], labels: [0, 1], height: 1, width: 2, channels: 1, classCount: 2)
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("2×1×2×1 pixel bytes, but there are 3") == true)
    }

    @Test("Images of no size and sets of no images are refused")
    func nothing() {
        let noSize = refusal {
            try ImageSet(pixels: [], labels: [0], height: 0, width: 2, channels: 1, classCount: 1)
        }
        #expect(noSize?.kind == .badContent)
        let noImages = refusal {
            try ImageSet(pixels: [], labels: [], height: 1, width: 1, channels: 1, classCount: 1)
        }
        #expect(noImages?.kind == .badContent)
    }

    @Test("Mean and standard deviation are a channel's own, on the 0 to 1 scale")
    func statistics() throws {
        // First channel: 0 and 255, mean ½, deviation ½; second: 51 twice, mean 0.2, deviation 0.
        let set = try ImageSet(
            pixels: [0, 51, 255, 51], labels: [0], height: 1, width: 2, channels: 2, classCount: 1)
        let (mean, standardDeviation) = try set.pixelStatistics(decimals: 4)
        #expect(mean == [0.5, 0.2])
        #expect(standardDeviation == [0.5, 0])
    }

    @Test("Training and test images of different size are refused")
    func differentSizes() throws {
        let small = try ImageSet(pixels: [1], labels: [0], height: 1, width: 1, channels: 1, classCount: 1)
        let wide = try ImageSet(pixels: [1, 2], labels: [0], height: 1, width: 2, channels: 1, classCount: 1)
        let error = #expect(throws: ResinError.self) {
            try Dataset(
                name: "pair", classNames: ["a"], train: small, test: wide, mean: [0],
                standardDeviation: [1])
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("one size") == true)
    }
}
