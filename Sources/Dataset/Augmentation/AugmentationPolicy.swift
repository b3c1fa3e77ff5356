import ResinTensor

/// What is done to training images: settings, and what follows from them for one image of one epoch. Named and defined
/// as in torchvision; see docs/augmentation.md.
///
/// All random numbers come from Philox, at a counter of image and epoch, or of the step for what is decided for a whole
/// batch: they do not depend on threads, on the order of calls, or on which other augmentations there are.
public struct AugmentationPolicy: Equatable, Sendable {
    /// Random crops from the image padded by so many pixels: of the data set's where all images have one size, else of the
    /// network's; 0 is off.
    public var cropPadding = 0
    /// Mirror each image with probability ½.
    public var flips = false
    /// Exchange top and bottom with probability ½.
    public var flipsVertically = false
    /// In place of `cropPadding`.
    public var randomResizedCrop: RandomResizedCrop?
    public var jitter: ColorJitter?
    public var randAugment: RandAugment?
    public var erasing: RandomErasing?
    /// α of λ ~ Beta(α, α); nil is off.
    public var mixup: Double?
    public var cutmix: Double?
    /// How a whole image comes to the network's size where no random crop says it, and with which share.
    public var fit = TestFit.crop
    public var fitShare = 0.875

    public init() {}

    /// Whether `Op.ImageInput` does all of it, on images of one size.
    public var isCropAndFlip: Bool {
        !flipsVertically && randomResizedCrop == nil && !hasAdjustments && erasing == nil && !mixes
    }

    /// Whether samples have adjustments.
    public var hasAdjustments: Bool { jitter != nil || randAugment != nil }

    /// Whether rows of a batch are mixed.
    public var mixes: Bool { mixup != nil || cutmix != nil }

    /// How an image becomes the network's in an epoch.
    ///
    /// - Parameters:
    ///   - size: the image's, upright.
    ///   - target: the network's.
    ///   - image: its number in the set, whatever the order.
    /// - Returns: a sample whose `piece` is the whole image, without a label.
    public func sample(
        of size: PixelSize, to target: PixelSize, seed: UInt64, epoch: Int, image: Int
    ) -> ImageSample {
        func draws(_ purpose: RandomDraws.Purpose) -> RandomDraws {
            RandomDraws(
                seed: seed, purpose, UInt32(truncatingIfNeeded: image), UInt32(truncatingIfNeeded: epoch))
        }
        var sample = geometry(of: size, to: target, draws(.crop))
        var flipping = draws(.flip)
        let (mirrors, turns) = (flipping.coin(), flipping.coin())
        sample.isMirrored = flips && mirrors
        sample.isFlipped = flipsVertically && turns
        if let jitter { sample.adjustments += jitter.adjustments(draws(.jitter)) }
        if let randAugment { sample.adjustments += randAugment.adjustments(of: target, draws(.randAugment)) }
        if let erasing { sample.erased = erasing.box(in: target, draws(.erasing)) }
        return sample
    }

    private func geometry(of size: PixelSize, to target: PixelSize, _ draws: RandomDraws) -> ImageSample {
        var draws = draws
        if let randomResizedCrop {
            return ImageSample(of: size, box: randomResizedCrop.box(in: size, &draws), resized: target)
        }
        guard cropPadding > 0 else { return fit.sample(of: size, to: target, evalCrop: fitShare) }
        // As `Resize` and `RandomCrop(padding=)`: the shorter side as long as the network's.
        var sample = fit.sample(of: size, to: target, evalCrop: 1)
        let bottom = max(sample.resized.height, target.height) - target.height
        let right = max(sample.resized.width, target.width) - target.width
        let (top, left) = (min(sample.windowTop, 0), min(sample.windowLeft, 0))
        sample.windowTop = top - cropPadding + draws.below(bottom + 2 * cropPadding + 1)
        sample.windowLeft = left - cropPadding + draws.below(right + 2 * cropPadding + 1)
        return sample
    }
}
