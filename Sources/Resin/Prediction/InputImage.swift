import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining

/// An image to be predicted, of any size, grey or in colour.
public enum InputImage: Hashable, Sendable {
    /// A PNG, JPEG or WebP file.
    case file(String)
    /// The bytes of such a file.
    case encoded([UInt8])
    case pixels(RasterImage)
}

/// How images come to what a network reads, as those did that it was tested on.
struct ImagePreparation: Sendable {
    /// 1 or 3.
    let channels: Int
    /// What the device gets; it resizes what has another size than the network's.
    let size: PixelSize
    private let fit: TestFit?
    private let evalCrop: Double
    private let honoursOrientation: Bool

    /// - Throws: `ResinError(.usage)` for a network that takes images neither grey nor in colour.
    init(_ network: Network, _ configuration: TrainingConfiguration) throws {
        channels = configuration.mean.count
        guard channels == 1 || channels == 3 else {
            throw ResinError(
                .usage, "the network takes \(channels) channels, but images are grey (1) or colour (3)")
        }
        fit = configuration.fit
        evalCrop = configuration.evalCrop
        honoursOrientation = configuration.honoursOrientation
        // Photographs are cropped to the network's size; published sets have one of their own.
        let own = fit == nil ? configuration.imageSize : nil
        size = PixelSize(
            height: own?[0] ?? network.input.height, width: own?[1] ?? network.input.width)
    }

    /// What a batch of them is on the device.
    func input(batch: Int) -> StepInput {
        .uniform(Shape(images: batch, height: size.height, width: size.width, channels: channels))
    }

    /// - Throws: `ResinError` where the image cannot be read.
    func prepare(_ image: InputImage) throws -> (image: RasterImage, flaw: String?) {
        let side = fit == nil ? nil : size.height
        var flaw: String?
        let decoded =
            switch image {
            case .file(let path):
                try RasterImage(
                    contentsOf: path, forSide: side, honoursOrientation: honoursOrientation
                ) { flaw = $0 }
            case .encoded(let bytes):
                try RasterImage(decoding: bytes, forSide: side, honoursOrientation: honoursOrientation) {
                    flaw = $0
                }
            case .pixels(let pixels): pixels
            }
        guard let fit else {
            return (decoded.fitted(channels: channels, height: size.height, width: size.width), flaw)
        }
        let converted = decoded.converted(toChannels: channels)
        let sample = fit.sample(
            of: PixelSize(height: converted.height, width: converted.width), to: size, evalCrop: evalCrop)
        return (converted.window(of: sample, size), flaw)
    }
}
