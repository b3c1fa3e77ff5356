import ResinDataset
import Testing

@Suite struct ImageResizeTests {
    private func image(_ height: Int, _ width: Int, _ channels: Int = 1) -> RasterImage {
        let pixels = (0..<height * width * channels).map { (index: Int) -> UInt8 in
            UInt8((37 * index * index + 11 * index) % 256)
        }
        return RasterImage(height: height, width: width, channels: channels, pixels: pixels)
    }

    @Test("An image of the size already keeps its bytes")
    func same() { #expect(image(3, 4, 3).resized(toHeight: 3, width: 4) == image(3, 4, 3)) }

    @Test("A shrunk image is the mean of what each pixel covers, weighted by a triangle")
    func halved() {
        // Two neighbours weigh 3/8 each, the next ones 1/8: at an edge 3, 3 and 1 of 7.
        let row = RasterImage(height: 1, width: 4, channels: 1, pixels: [7, 0, 70, 0])
        #expect(row.resized(toHeight: 1, width: 2).pixels == [13, 30])
    }

    @Test("An enlarged image is the bilinear interpolation between half-pixel centres")
    func doubled() {
        let row = RasterImage(height: 1, width: 2, channels: 1, pixels: [0, 100])
        #expect(row.resized(toHeight: 2, width: 4).pixels == [0, 25, 75, 100, 0, 25, 75, 100])
    }

    @Test("One grey stays that grey", arguments: [(1, 1), (3, 50), (40, 7), (17, 23)])
    func constant(height: Int, width: Int) {
        let grey = RasterImage(
            height: 17, width: 23, channels: 1, pixels: [UInt8](repeating: 255, count: 17 * 23))
        let resized = grey.resized(toHeight: height, width: width)
        #expect(resized.pixels == [UInt8](repeating: 255, count: height * width))
    }

    /// Values of Pillow 12's `resize((width, height), BILINEAR)`.
    struct Golden: Sendable {
        let size: (Int, Int, Int)
        let target: (Int, Int)
        let values: [UInt8]
    }
    static let goldens = [
        Golden(size: (5, 7, 1), target: (2, 3), values: [101, 149, 178, 161, 115, 170]),
        Golden(
            size: (3, 4, 3), target: (2, 2),
            values: [69, 138, 184, 101, 186, 179, 92, 151, 187, 146, 152, 135]),
        Golden(
            size: (2, 3, 1), target: (4, 5),
            values: [
                0, 19, 48, 121, 170, 28, 43, 67, 135, 181, 83, 92, 105, 163, 202, 110, 116, 124, 177, 212,
            ]),
        Golden(
            size: (6, 2, 1), target: (3, 5),
            values: [91, 91, 94, 97, 98, 131, 131, 132, 133, 133, 179, 174, 154, 135, 130]),
        Golden(
            size: (9, 10, 1), target: (7, 8),
            values: [
                72, 121, 148, 155, 158, 123, 133, 103, 203, 184, 173, 161, 105, 166, 138, 209, 116, 117, 161,
                129, 148, 177, 111, 143, 189, 145, 97, 147, 165, 147, 59, 64, 135, 46, 57, 163, 141, 113, 107,
                118, 134, 112, 83, 148, 83, 81, 118, 81, 118, 144, 78, 115, 163, 134, 92, 127,
            ]),
        Golden(size: (40, 31, 1), target: (2, 3), values: [128, 127, 128, 128, 127, 128]),
    ]

    @Test("It is Pillow's bilinear resize, to the bit, at any ratio", arguments: goldens)
    func pillow(golden: Golden) {
        let (height, width, channels) = golden.size
        let resized = image(height, width, channels)
            .resized(toHeight: golden.target.0, width: golden.target.1)
        #expect(resized.pixels == golden.values)
    }
}
