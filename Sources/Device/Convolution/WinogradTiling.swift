import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// How minimal filtering cuts a convolution into tiles: what `winograd.cl` calls POINTS, KERNEL and OUTPUT.
struct WinogradTiling: Hashable {
    /// Pixels a tile reads on each side, 6 or 8.
    var points: Int
    var kernel: Int
    var images: Int
    var tileRows, tileColumns: Int
    var channels, resultChannels: Int
    var lanes: Int
    private var rows, columns: Int
    private var imagesOfChoice: Int

    /// A CPU's, whose channels have to fill vectors.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard image.channels >= traits.lanes, result.channels >= traits.lanes
        else { return nil }
        self.init(cutting: result, of: image, window, traits)
    }

    /// The tiling with the fewer multiplications; nil where the convolution is not of the kind, or has results so small
    /// that their tiles, mostly empty, save too little to pay for the transforms.
    init?(cutting result: Shape, of image: Shape, _ window: Window, _ traits: DeviceTraits) {
        lanes = traits.lanes
        guard traits.allowsWinograd, window.stride == Extent(1), window.dilation == Extent(1),
            window.kernel == Extent(3) || window.kernel == Extent(5)
        else { return nil }
        (channels, resultChannels) = (image.channels, result.channels)
        (rows, columns) = traits.registerTile(channels: resultChannels)
        kernel = window.kernel.height
        images = result.images
        imagesOfChoice = traits.imagesOfChoice ?? result.images
        (points, tileRows, tileColumns) = (8, 0, 0)
        cut(result)
        let withEight = self
        points = 6
        cut(result)
        if withEight.multiplications < multiplications { self = withEight }
        guard 4 * frequencies * tiles <= 3 * kernel * kernel * result.pixels else { return nil }
    }

    private mutating func cut(_ result: Shape) {
        (tileRows, tileColumns) = (divide(result.height, by: output), divide(result.width, by: output))
    }

    /// Results a tile has on each side.
    var output: Int { points + 1 - kernel }
    var frequencies: Int { points * points }
    var tiles: Int { images * tileRows * tileColumns }
    /// Of so many images as the form is chosen for.
    var tilesOfChoice: Int { imagesOfChoice * tileRows * tileColumns }
    /// Vectors of summed channels.
    var vectors: Int { divide(channels, by: lanes) }
    /// Tiles, or summed channels, by vectors of result channels.
    var registerTile: (rows: Int, columns: Int) { (rows, columns) }

    /// The same for all three passes of a size, which so share a program.
    var definitions: [(String, Int)] {
        let (rows, columns) = registerTile
        return [
            ("POINTS", points), ("KERNEL", kernel), ("ROWS", rows), ("COLUMNS", columns),
            ("GRADIENT_BLOCK", WinogradFilterGradient.block),
        ]
    }

    /// Of frequencies with so many floats each, and between them room for a vector (APART in Kernels/shared/winograd.cl).
    func byteCount(aFrequency count: Int) -> Int { 4 * frequencies * (count + lanes) }
    /// For a pair of channels; transforming the filter counts as much as some tiles.
    private var multiplications: Int { frequencies * (tilesOfChoice + 48) }
}

extension WinogradGeometry {
    init(
        image: Shape, result: Shape, _ window: Window, _ tiling: WinogradTiling, block: Int = 1,
        offset: ConvolutionOffset = .none, epilogue: Epilogue = .none
    ) {
        self.init()
        (images, height, width) = (Int32(image.images), Int32(image.height), Int32(image.width))
        channels = Int32(image.channels)
        (paddingHeight, paddingWidth) = (Int32(window.padding.top), Int32(window.padding.left))
        (resultHeight, resultWidth) = (Int32(result.height), Int32(result.width))
        resultChannels = Int32(result.channels)
        (tileRows, tileColumns) = (Int32(tiling.tileRows), Int32(tiling.tileColumns))
        self.block = Int32(block)
        resultStride = resultChannels
        offsetKind = offset.kind
        self.epilogue = epilogue.code
    }
}
