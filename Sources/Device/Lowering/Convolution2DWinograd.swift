import ResinGraph
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

    /// A CPU's, whose channels have to fill vectors.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard traits.prefersLongWorkItems, image.channels >= traits.lanes, result.channels >= traits.lanes
        else { return nil }
        self.init(cutting: result, of: image, window, traits)
    }

    /// The tiling with the fewer multiplications; nil where the convolution is not of the kind, or has results so small
    /// that their tiles, mostly empty, save too little to pay for the transforms.
    init?(cutting result: Shape, of image: Shape, _ window: Window, _ traits: DeviceTraits) {
        lanes = traits.lanes
        guard traits.allowsWinograd, window.stride == Extent(1),
            window.kernel == Extent(3) || window.kernel == Extent(5)
        else { return nil }
        (channels, resultChannels) = (image.channels, result.channels)
        (rows, columns) = traits.registerTile(channels: resultChannels)
        kernel = window.kernel.height
        images = result.images
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
    /// Vectors of summed channels.
    var vectors: Int { divide(channels, by: lanes) }
    /// Tiles, or summed channels, by vectors of result channels.
    var registerTile: (rows: Int, columns: Int) { (rows, columns) }

    /// The same for all three passes of a size, which so share a program.
    var definitions: [(String, Int)] {
        let (rows, columns) = registerTile
        return [
            ("POINTS", points), ("KERNEL", kernel), ("ROWS", rows), ("COLUMNS", columns),
            ("GRADIENT_BLOCK", WinogradFilterGradientTile.block),
        ]
    }

    /// Of so many floats a frequency, APART.
    func byteCount(aFrequency count: Int) -> Int { 4 * frequencies * (count + lanes) }
    /// For a pair of channels; transforming the filter counts as much as some tiles.
    private var multiplications: Int { frequencies * (tiles + 48) }
}

/// The form of `winograd_convolution`, the forward pass or the input gradient of a convolution.
struct WinogradTile: Hashable {
    var tiling: WinogradTiling
    /// Tiles a work-item transforms; results do not depend on it.
    var block: Int
    var pixels: Int
    var columns: Int

    /// Nil where the direct sum serves better: so many channels that the transforms of a few tiles outgrow a core's
    /// cache; or so few tiles that transforming the filter costs more than it saves.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard let tiling = WinogradTiling(window, image: image, result: result, traits),
            tiling.tiles >= 48
        else { return nil }
        self.tiling = tiling
        (pixels, columns) = tiling.registerTile
        // The block that all cores are done with soonest: each takes its turn, in which the filter comes once from the
        // last cache, as long as some tiles take. More than 24 tiles leave the filter no room in a core's own cache
        // (measured with 48: 5 to 40 % slower).
        var least = Int.max
        block = 0
        for candidate in stride(from: pixels, through: 24, by: pixels) {
            let fits = localByteCount(block: candidate) <= traits.localMemoryByteCount
            let turns = divide(divide(tiling.tiles, by: candidate), by: traits.computeUnits)
            let time = turns * (candidate + Self.filterTiles)
            if fits && time < least { (block, least) = (candidate, time) }
        }
        if block == 0 { return nil }
    }

    private static let filterTiles = 8

    /// Tiles of result channels.
    var channelTiles: Int { divide(tiling.resultChannels, by: columns * tiling.lanes) }
    var transformedByteCount: Int { tiling.byteCount(aFrequency: block * tiling.vectors * tiling.lanes) }
    var productsByteCount: Int { tiling.byteCount(aFrequency: block * columns * tiling.lanes) }

    private func localByteCount(block: Int) -> Int {
        tiling.byteCount(aFrequency: block * tiling.vectors * tiling.lanes)
            + tiling.byteCount(aFrequency: block * columns * tiling.lanes)
    }
    var packedByteCount: Int {
        4 * channelTiles * tiling.frequencies * tiling.vectors * tiling.lanes * columns * tiling.lanes
    }
    var blocks: Int { divide(tiling.tiles, by: block) }
}

/// The form of the filter gradient's kernels.
struct WinogradFilterGradientTile: Hashable {
    static let block = 32
    var tiling: WinogradTiling
    var rows: Int
    var columns: Int
    /// Tiles that are transformed at a time; a matter of shapes alone, for sums are made in this order.
    var chunk: Int

    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard let tiling = WinogradTiling(window, image: image, result: result, traits),
            tiling.tiles >= 64
        else { return nil }
        self.tiling = tiling
        (rows, columns) = tiling.registerTile
        chunk = min(512, tiling.tiles.roundedUp(toMultipleOf: Self.block))
        // What is transformed at a time comes back from the last cache, of which a core has about this much.
        while chunk > Self.block && imageByteCount + gradientByteCount > 24 << 20 {
            chunk = (chunk / 2).roundedUp(toMultipleOf: Self.block)
        }
    }

    var channelTiles: Int { divide(tiling.resultChannels, by: columns * tiling.lanes) }

    private var blocks: Int { chunk / Self.block }
    /// The parts of the workspace, one behind the other. A register tile reads up to `rows` channels past the last.
    var imageByteCount: Int {
        (blocks * tiling.byteCount(aFrequency: Self.block * tiling.vectors * tiling.lanes) + 4 * rows)
            .roundedUp(toMultipleOf: FlatLayout.alignment)
    }
    var gradientByteCount: Int {
        (blocks * tiling.byteCount(aFrequency: Self.block * channelTiles * columns * tiling.lanes))
            .roundedUp(toMultipleOf: FlatLayout.alignment)
    }
    var productsByteCount: Int {
        4 * (tiling.frequencies * tiling.channels + 1) * channelTiles * columns * tiling.lanes
    }
    var byteCount: Int { imageByteCount + gradientByteCount + productsByteCount }
}

extension Window {
    /// The window of the input gradient as a convolution of dy, for stride 1: as much padding as makes its result as
    /// large as the image was. Nil where the padding is wider than the kernel.
    var mirrored: Window? {
        guard padding.height < kernel.height && padding.width < kernel.width else { return nil }
        return Window(
            kernel: kernel, stride: stride,
            padding: Extent(kernel.height - 1 - padding.height, kernel.width - 1 - padding.width))
    }
}

/// `WinogradGeometry` of Kernels/winograd.cl.
struct WinogradGeometry: BitwiseCopyable {
    var images, height, width, channels: Int32
    var paddingHeight, paddingWidth: Int32
    var resultHeight, resultWidth, resultChannels: Int32
    var tileRows, tileColumns: Int32
    var block: Int32
    var resultStride: Int32, resultFirst: Int32 = 0
    var offsetKind: Int32
    var epilogue: Int32

    init(
        image: Shape, result: Shape, _ window: Window, _ tiling: WinogradTiling, block: Int = 1,
        offset: ConvolutionOffset = .none, epilogue: Epilogue = .none
    ) {
        (images, height, width) = (Int32(image.images), Int32(image.height), Int32(image.width))
        channels = Int32(image.channels)
        (paddingHeight, paddingWidth) = (Int32(window.padding.height), Int32(window.padding.width))
        (resultHeight, resultWidth) = (Int32(result.height), Int32(result.width))
        resultChannels = Int32(result.channels)
        (tileRows, tileColumns) = (Int32(tiling.tileRows), Int32(tiling.tileColumns))
        self.block = Int32(block)
        resultStride = resultChannels
        offsetKind = offset.kind
        self.epilogue = epilogue.code
    }
}

extension Lowering {
    static func usesWinograd(_ node: Node, in graph: Graph, traits: DeviceTraits) -> Bool {
        if !traits.groupTiles.isEmpty { return StagedWinograd(node, in: graph, traits) != nil }
        func shape(_ index: Int) -> Shape { graph.shape(of: node.inputs[index]) }
        switch node.op {
        case .convolution2D:
            if case .winograd = ConvolutionForm(node, in: graph, traits) { return true }
        case .convolution2DInputGradient(let op):
            if case .winograd = InputGradientForm(op, gradient: shape(0), traits) { return true }
        case .convolution2DFilterGradient(let op):
            let form = FilterGradientForm(op.window, image: shape(0), gradient: shape(1), traits)
            if case .winograd = form { return true }
        default: break
        }
        return false
    }

    private static let winogradFile = "convolution2d_winograd"

    /// A convolution of `image`, the node's first input, with the filter that is its second.
    mutating func winograd(
        _ tile: WinogradTile, _ window: Window, image: Shape, result: Shape, offset: ConvolutionOffset,
        epilogue: Epilogue, isTransposed: Bool = false
    ) throws {
        let (inputs, outputs) =
            isTransposed ? (result.channels, image.channels) : (image.channels, result.channels)
        try launch(
            "winograd_pack", in: Self.winogradFile, defining: tile.tiling.definitions,
            global: [tile.tiling.vectors * tile.tiling.lanes, tile.channelTiles],
            [.value(node.inputs[1]), .workspace, .int(inputs), .int(outputs), .int(isTransposed ? 1 : 0)])
        var geometry = WinogradGeometry(
            image: image, result: result, window, tile.tiling, block: tile.block, offset: offset,
            epilogue: epilogue)
        let layout = pixelLayout(of: node.outputs[0])
        (geometry.resultStride, geometry.resultFirst) = (Int32(layout.stride), Int32(layout.first))
        try launch(
            "winograd_convolution", in: Self.winogradFile, defining: tile.tiling.definitions,
            global: [tile.blocks],
            [
                .value(node.inputs[0]), .workspace, offset.argument, mask(epilogue), .value(node.outputs[0]),
                .local(byteCount: tile.transformedByteCount), .local(byteCount: tile.productsByteCount),
                .geometry(geometry),
            ])
    }

    mutating func winogradFilterGradient(
        _ tile: WinogradFilterGradientTile, _ window: Window, image: Shape, result: Shape, hasBias: Bool
    ) throws {
        let geometry = WinogradGeometry(
            image: image, result: result, window, tile.tiling, block: WinogradFilterGradientTile.block)
        let images = Argument.workspacePart(offset: 0, byteCount: tile.imageByteCount)
        let gradients = Argument.workspacePart(
            offset: tile.imageByteCount, byteCount: tile.gradientByteCount)
        let products = Argument.workspacePart(
            offset: tile.imageByteCount + tile.gradientByteCount, byteCount: tile.productsByteCount)
        let tiling = tile.tiling
        for first in stride(from: 0, to: tiling.tiles, by: tile.chunk) {
            let count = min(tile.chunk, tiling.tiles - first)
            let blocks = divide(count, by: WinogradFilterGradientTile.block)
            try launch(
                "winograd_transform_image", in: Self.winogradFile, defining: tile.tiling.definitions,
                global: [blocks],
                [.value(node.inputs[0]), images, .int(first), .int(count), .geometry(geometry)])
            try launch(
                "winograd_transform_gradient", in: Self.winogradFile, defining: tile.tiling.definitions,
                global: [blocks],
                [.value(node.inputs[1]), gradients, .int(first), .int(count), .geometry(geometry)])
            try launch(
                "winograd_multiply", in: Self.winogradFile, defining: tile.tiling.definitions,
                global: [tile.channelTiles, tiling.frequencies],
                [images, gradients, products, .int(tiling.channels), .int(count), .int(first == 0 ? 1 : 0)])
        }
        try launch(
            "winograd_filter_gradient", in: Self.winogradFile, defining: tile.tiling.definitions,
            global: [tiling.channels, tile.channelTiles],
            [
                products, .value(node.outputs[0]), hasBias ? .value(node.outputs[1]) : .zeros,
                .int(tiling.channels), .int(result.channels), .int(hasBias ? 1 : 0),
            ])
    }
}
