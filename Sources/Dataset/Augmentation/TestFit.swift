import ResinTensor

/// How an image that is not augmented comes to the network's size.
public enum TestFit: String, Codable, CaseIterable, Sendable {
    /// The proportions kept, from the middle as much as the network sees: torchvision's `Resize` of the shorter side to a
    /// little more than the network's, and `CenterCrop`.
    case crop
    /// The whole image, whatever its proportions.
    case stretch
    /// The whole image, its proportions kept, black beside it.
    case pad

    /// - Parameter evalCrop: of `crop`: the network's side as a share of what the shorter side is brought to; 224 / 256 is
    ///   0.875.
    /// - Returns: a sample whose `piece` is the whole image, without a label.
    public func sample(of size: PixelSize, to target: PixelSize, evalCrop: Double) -> ImageSample {
        var resized = target
        switch self {
        case .stretch: break
        case .crop:
            func enlarged(_ extent: Int) -> Int {
                max(Int((Double(extent) / evalCrop).rounded(.toNearestOrEven)), extent)
            }
            resized = PixelSize(height: enlarged(target.height), width: enlarged(target.width))
            // One side fits, and the other is longer.
            if size.width * resized.height <= size.height * resized.width {
                resized.height = max(resized.width * size.height / size.width, resized.height)
            } else {
                resized.width = max(resized.height * size.width / size.height, resized.width)
            }
        case .pad:
            if size.width * target.height <= size.height * target.width {
                resized.width = Self.part(target.height, size.width, size.height)
            } else {
                resized.height = Self.part(target.width, size.height, size.width)
            }
        }
        var sample = ImageSample(of: size, box: PixelBox(size), resized: resized)
        sample.windowTop = Self.half(resized.height - target.height)
        sample.windowLeft = Self.half(resized.width - target.width)
        return sample
    }

    /// extent · numerator / denominator, rounded, and at least one.
    private static func part(_ extent: Int, _ numerator: Int, _ denominator: Int) -> Int {
        max((2 * extent * numerator + denominator) / (2 * denominator), 1)
    }

    /// As `CenterCrop` rounds: to the even one of two that are as near.
    private static func half(_ margin: Int) -> Int {
        Int((Double(margin) / 2).rounded(.toNearestOrEven))
    }
}
