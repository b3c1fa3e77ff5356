import ResinTensor

/// torchvision's `RandomResizedCrop`: a part of the image with a random share of its area and random proportions, brought
/// to the network's size (Szegedy et al., "Going deeper with convolutions", CVPR 2015).
public struct RandomResizedCrop: Equatable, Sendable {
    /// Share of the image's area.
    public var scale: ClosedRange<Double>
    /// Width / height.
    public static let ratio = 3.0 / 4...4.0 / 3

    public static let defaultScale = 0.08...1.0

    public init(scale: ClosedRange<Double> = defaultScale) { self.scale = scale }

    private static let logRatio = PortableMath.log(ratio.lowerBound)...PortableMath.log(ratio.upperBound)

    func box(in image: PixelSize, _ draws: inout RandomDraws) -> PixelBox {
        for _ in 0..<10 {
            let area = Double(image.area) * draws.uniform(scale)
            let proportion = PortableMath.exp(draws.uniform(Self.logRatio))
            let width = Int((area * proportion).squareRoot().rounded(.toNearestOrEven))
            let height = Int((area / proportion).squareRoot().rounded(.toNearestOrEven))
            if (1...image.width).contains(width) && (1...image.height).contains(height) {
                return PixelBox(
                    top: draws.below(image.height - height + 1), left: draws.below(image.width - width + 1),
                    height: height, width: width)
            }
        }
        // The largest part in the middle whose proportions are allowed.
        var size = image
        let proportion = Double(image.width) / Double(image.height)
        if proportion < Self.ratio.lowerBound {
            size.height = Int((Double(image.width) / Self.ratio.lowerBound).rounded(.toNearestOrEven))
        } else if proportion > Self.ratio.upperBound {
            size.width = Int((Double(image.height) * Self.ratio.upperBound).rounded(.toNearestOrEven))
        }
        return PixelBox(
            top: (image.height - size.height) / 2, left: (image.width - size.width) / 2, height: size.height,
            width: size.width)
    }
}

/// torchvision's `RandomErasing` with its proportions, and zeros.
public struct RandomErasing: Codable, Equatable, Sendable {
    public var probability: Double
    /// Share of the image's area.
    public static let scale = 0.02...0.33
    /// Height / width.
    public static let ratio = 0.3...3.3

    public static let defaultProbability = 0.5

    enum CodingKeys: String, CodingKey { case probability }

    public init(probability: Double = defaultProbability) { self.probability = probability }

    private static let logRatio = PortableMath.log(ratio.lowerBound)...PortableMath.log(ratio.upperBound)

    /// Nil where nothing is erased: also where none of ten boxes is smaller than the image.
    func box(in image: PixelSize, _ draws: RandomDraws) -> PixelBox? {
        var draws = draws
        guard draws.unit() < probability else { return nil }
        for _ in 0..<10 {
            let area = Double(image.area) * draws.uniform(Self.scale)
            let proportion = PortableMath.exp(draws.uniform(Self.logRatio))
            let height = Int((area * proportion).squareRoot().rounded(.toNearestOrEven))
            let width = Int((area / proportion).squareRoot().rounded(.toNearestOrEven))
            guard height < image.height && width < image.width else { continue }
            let box = PixelBox(
                top: draws.below(image.height - height + 1), left: draws.below(image.width - width + 1),
                height: height, width: width)
            return box.size.area > 0 ? box : nil
        }
        return nil
    }
}
