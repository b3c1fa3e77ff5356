/// How a row of a batch is made from an image's bytes: which part of the image, brought to which size, changed how, and
/// of which class it is. The host decides all of it, from the seed; the device does it.
///
/// In this order: `box` of the image is resized to `resized` (Pillow's bilinear filter with anti-aliasing, rounded to
/// bytes); the network's image is the window of that which begins at `windowTop`, `windowLeft`, black outside; it is mirrored; the
/// `adjustments` are made one after another, each rounded to bytes; it is normalised; `erased` is set to zero; and it is mixed
/// with another row of the batch.
public struct ImageSample: Hashable, Sendable {
    /// Where the stored piece begins in the bytes on the device.
    public var offset = 0
    /// The part of the image whose bytes are stored, `[height, width, channels]`; holds all that the window needs.
    public var piece: PixelBox
    /// The crop box, in the image.
    public var box: PixelBox
    /// What the box is brought to.
    public var resized: PixelSize
    /// The first row and column of the network's image, counted in the resized box; may be outside.
    public var windowTop = 0
    public var windowLeft = 0
    /// Left and right, and top and bottom, exchanged.
    public var isMirrored = false
    public var isFlipped = false
    public var label = 0
    /// At most `adjustmentLimit`.
    public var adjustments: [ImageAdjustment] = []
    /// Pixels of the network's image that are zero after normalisation (Zhong et al., "Random erasing data augmentation",
    /// AAAI 2020).
    public var erased: PixelBox?
    public var mixture: Mixture?

    /// Another row of the batch that this one is mixed with.
    public struct Mixture: Hashable, Sendable {
        /// Row of the batch, of the own shard where it is cut into some.
        public var partner: Int
        /// This row's weight in the loss, 0 … 1; without a box in the image, too (Zhang et al., "mixup: Beyond empirical risk
        /// minimization", ICLR 2018).
        public var share: Float
        /// Pixels that are the partner's (Yun et al., "CutMix: Regularization strategy to train strong classifiers with
        /// localizable features", ICCV 2019).
        public var box: PixelBox?

        public init(partner: Int, share: Float, box: PixelBox? = nil) {
            self.partner = partner
            self.share = share
            self.box = box
        }
    }

    /// The whole box, from the whole of the image's bytes.
    public init(of image: PixelSize, box: PixelBox, resized: PixelSize) {
        piece = PixelBox(image)
        self.box = box
        self.resized = resized
    }

    public static let adjustmentLimit = 8
}

/// A change of an image's bytes, as torchvision's `functional` does it on 8-bit images.
public enum ImageAdjustment: Hashable, Sendable {
    /// Blends with black, the mean grey, and the image's grey, by a factor ≥ 0; 1 changes nothing.
    case brightness(Float)
    case contrast(Float)
    case saturation(Float)
    /// Turns the hue by −½ … ½ of the circle.
    case hue(Float)
    /// Blends with a smoothed image.
    case sharpness(Float)
    /// Keeps so many upper bits, 0 … 8.
    case posterize(Int)
    /// Inverts what is at least the threshold, 0 … 255.
    case solarize(Float)
    case autocontrast
    case equalize
    /// Each pixel is that in column a·x + b·y + c and row d·x + e·y + f, rounded down, black outside: the inverse of a shear, a
    /// translation or a rotation. Columns and rows are counted from width / 2 and height / 2, rounded down; amounts are
    /// multiples of 2⁻¹⁶, as Pillow has them, which a `Float` holds exactly below 256.
    case affine(Float, Float, Float, Float, Float, Float)
}
