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

    /// Values of `torch.nn.functional.interpolate(mode="bilinear", antialias=True)` in double precision.
    struct Golden: Sendable {
        let size: (Int, Int, Int)
        let target: (Int, Int)
        let values: [Double]
    }
    static let goldens = [
        Golden(
            size: (5, 7, 1), target: (2, 3), values: [101.442, 149.465, 177.364, 160.273, 114.567, 170.429]),
        Golden(
            size: (3, 4, 3), target: (2, 2),
            values: [
                68.5, 137.214, 183.929, 101.214, 185.071, 178.357, 92.071, 150.786, 187.5, 146.214, 151.5,
                134.786,
            ]),
        Golden(
            size: (2, 3, 1), target: (4, 5),
            values: [
                0.0, 19.2, 48.0, 121.2, 170.0, 27.5, 43.3, 67.0, 135.1, 180.5, 82.5, 91.5, 105.0, 162.9,
                201.5,
                110.0, 115.6, 124.0, 176.8, 212.0,
            ]),
        Golden(
            size: (6, 2, 1), target: (3, 5),
            values: [
                90.571, 91.314, 94.286, 97.257, 98.0, 131.0, 131.2, 132.0, 132.8, 133.0, 178.857, 173.943,
                154.286, 134.629, 129.714,
            ]),
    ]

    @Test("It is PyTorch's interpolation with anti-aliasing", arguments: goldens)
    func pyTorch(golden: Golden) {
        let (height, width, channels) = golden.size
        let resized = image(height, width, channels)
            .resized(toHeight: golden.target.0, width: golden.target.1)
        #expect(resized.pixels.count == golden.values.count)
        for (byte, value) in zip(resized.pixels, golden.values) {
            #expect(abs(Double(byte) - value) <= 0.5001)
        }
    }
}
