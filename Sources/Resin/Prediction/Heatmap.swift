import ResinDataset
import ResinTensor

/// How much each place of an image speaks for a class (`Predictor.heatmap(of:for:)`).
public struct Heatmap: Hashable, Sendable {
    /// The dotted name of the layer that it was made of.
    public var layer: String
    /// The class that it is of.
    public var prediction: Prediction
    /// Those of the layer's output.
    public var height: Int
    public var width: Int
    /// `[height, width]`, zero and above, in no unit: of one map they may be compared.
    public var values: [Float]
    /// The image as the network saw it.
    public var picture: RasterImage

    public init(
        layer: String, prediction: Prediction, height: Int, width: Int, values: [Float], picture: RasterImage
    ) {
        precondition(height > 0 && width > 0 && values.count == height * width)
        self.layer = layer
        self.prediction = prediction
        self.height = height
        self.width = width
        self.values = values
        self.picture = picture
    }

    /// The picture with the map over it, brought to its size between pixels' centres.
    ///
    /// The map's largest value is pale yellow, half of it red, nothing leaves the picture as it is (`color(of:)`): colour covers
    /// the picture by up to 70 %, in proportion to the value.
    public func overlay() -> RasterImage {
        let largest = max(values.max() ?? 0, .leastNormalMagnitude)
        let grey = RasterImage(
            height: height, width: width, channels: 1,
            pixels: values.map { UInt8((255 * $0 / largest).rounded()) }
        ).resized(toHeight: picture.height, width: picture.width)
        let picture = picture.converted(toChannels: 3)
        let pixels = grey.pixels.enumerated().flatMap { index, byte in
            let share = Float(byte) / 255
            let cover = 0.7 * share
            return zip(Self.color(of: share), picture.pixels[3 * index..<3 * index + 3]).map {
                UInt8((cover * $0 + (1 - cover) * Float($1)).rounded())
            }
        }
        return RasterImage(height: picture.height, width: picture.width, channels: 3, pixels: pixels)
    }

    /// Red, green and blue, 0 … 255, of a share of the largest value: through five colours of Matplotlib's scale "inferno",
    /// at 0, ¼, ½, ¾ and 1, which grow lighter evenly.
    public static func color(of share: Float) -> [Float] {
        let colors: [[Float]] = [
            [0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164],
        ]
        let place = min(max(share, 0), 1) * Float(colors.count - 1)
        let first = min(Int(place), colors.count - 2)
        let rest = place - Float(first)
        return zip(colors[first], colors[first + 1]).map { (1 - rest) * $0 + rest * $1 }
    }
}
