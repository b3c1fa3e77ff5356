import ResinGraph
import ResinPlan
import ResinTensor

/// Minimal filtering with 6 × 6 pixels a tile: what `convolution2d_winograd.cl` calls POINTS and OUTPUT.
private enum Winograd {
    static let points = 6
    static let frequencies = points * points

    /// Results a tile has on each side; nil where the convolution is not of the kind.
    static func output(_ window: Window, _ traits: DeviceTraits) -> Int? {
        guard traits.prefersLongWorkItems, traits.allowsWinograd, window.stride == Extent(1),
            window.kernel == Extent(3) || window.kernel == Extent(5)
        else { return nil }
        return points + 1 - window.kernel.height
    }
}

/// The form of `winograd_convolution`, the forward pass or the input gradient of a convolution.
struct WinogradTile: Hashable {
    /// Tiles a work-item transforms; results do not depend on it.
    var block: Int
    var pixels: Int
    var columns: Int
    var kernel: Int
    var tileRows, tileColumns: Int
    var images: Int
    /// Vectors of summed channels, and tiles of result channels.
    var vectors: Int
    var channelTiles: Int
    var lanes: Int

    /// Nil where the direct sum serves better: other strides and kernels; too few channels to fill vectors; so
    /// many that the transforms of a few tiles outgrow a core's cache; or so few tiles that transforming
    /// the filter costs more than it saves.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard let output = Winograd.output(window, traits) else { return nil }
        lanes = traits.lanes
        guard image.channels >= lanes, result.channels >= lanes else { return nil }
        (pixels, columns) = lanes < 16 ? (4, 2) : (12, 2)
        kernel = window.kernel.height
        images = result.images
        (tileRows, tileColumns) = (divide(result.height, by: output), divide(result.width, by: output))
        vectors = divide(image.channels, by: lanes)
        channelTiles = divide(result.channels, by: columns * lanes)
        let tiles = images * tileRows * tileColumns
        guard tiles >= 48 else { return nil }
        block = 0
        // The largest block that the cache holds and that leaves every core several.
        for steps in [4, 2, 1] {
            block = steps * pixels
            let hasWorkForAll = divide(tiles, by: block) >= 4 * traits.computeUnits
            if (hasWorkForAll || steps == 1) && localByteCount <= traits.localMemoryByteCount { return }
        }
        return nil
    }

    var transformedByteCount: Int { 4 * Winograd.frequencies * block * vectors * lanes }
    var productsByteCount: Int { 4 * Winograd.frequencies * block * columns * lanes }
    private var localByteCount: Int { transformedByteCount + productsByteCount }
    var packedByteCount: Int {
        4 * channelTiles * Winograd.frequencies * vectors * lanes * columns * lanes
    }
    var blocks: Int { divide(images * tileRows * tileColumns, by: block) }
    var definitions: [(String, Int)] {
        [("KERNEL", kernel), ("BLOCK", block), ("PIXELS", pixels), ("ROWS", pixels), ("COLUMNS", columns)]
    }
}

/// The form of the filter gradient's kernels.
struct WinogradFilterGradientTile: Hashable {
    static let block = 32
    var rows: Int
    var columns: Int
    var kernel: Int
    var tileRows, tileColumns: Int
    var images: Int
    var channels: Int
    var vectors: Int
    var channelTiles: Int
    var lanes: Int
    /// Tiles that are transformed at a time; a matter of shapes alone, for sums are made in this order.
    var chunk: Int

    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard let output = Winograd.output(window, traits) else { return nil }
        lanes = traits.lanes
        guard image.channels >= lanes, result.channels >= lanes else { return nil }
        (rows, columns) = lanes < 16 ? (4, 2) : (12, 2)
        kernel = window.kernel.height
        images = image.images
        channels = image.channels
        (tileRows, tileColumns) = (divide(result.height, by: output), divide(result.width, by: output))
        vectors = divide(image.channels, by: lanes)
        channelTiles = divide(result.channels, by: columns * lanes)
        chunk = 512
        guard tiles >= 64 else { return nil }
        chunk = min(chunk, tiles.roundedUp(toMultipleOf: Self.block))
    }

    var tiles: Int { images * tileRows * tileColumns }
    var definitions: [(String, Int)] {
        [("KERNEL", kernel), ("BLOCK", Self.block), ("PIXELS", 1), ("ROWS", rows), ("COLUMNS", columns)]
    }

    /// The parts of the workspace, one behind the other. A register tile reads up to `rows` channels past the last.
    var imageByteCount: Int {
        (4 * Winograd.frequencies * chunk * vectors * lanes + 4 * rows).roundedUp(
            toMultipleOf: FlatLayout.alignment)
    }
    var gradientByteCount: Int {
        (4 * Winograd.frequencies * chunk * channelTiles * columns * lanes)
            .roundedUp(toMultipleOf: FlatLayout.alignment)
    }
    var productsByteCount: Int {
        4 * (Winograd.frequencies * channels + 1) * channelTiles * columns * lanes
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

/// `WinogradGeometry` of Kernels/convolution2d_winograd.cl.
private struct WinogradGeometry: BitwiseCopyable {
    var images, height, width, channels: Int32
    var paddingHeight, paddingWidth: Int32
    var resultHeight, resultWidth, resultChannels: Int32
    var tileRows, tileColumns: Int32
    var hasBias: Int32
    var epilogue: Int32

    init(
        image: Shape, result: Shape, _ window: Window, tileRows: Int, tileColumns: Int, hasBias: Bool = false,
        epilogue: Epilogue = .none
    ) {
        (images, height, width) = (Int32(image.images), Int32(image.height), Int32(image.width))
        channels = Int32(image.channels)
        (paddingHeight, paddingWidth) = (Int32(window.padding.height), Int32(window.padding.width))
        (resultHeight, resultWidth) = (Int32(result.height), Int32(result.width))
        resultChannels = Int32(result.channels)
        (self.tileRows, self.tileColumns) = (Int32(tileRows), Int32(tileColumns))
        self.hasBias = hasBias ? 1 : 0
        self.epilogue = epilogue.code
    }
}

extension Lowering {
    static func usesWinograd(_ node: Node, in graph: Graph, traits: DeviceTraits) -> Bool {
        func shape(_ index: Int) -> Shape { graph.shape(of: node.inputs[index]) }
        if case .convolution2D(let op) = node.op {
            let result = graph.shape(of: node.outputs[0])
            return WinogradTile(op.window, image: shape(0), result: result, traits) != nil
        }
        if case .convolution2DInputGradient(let op) = node.op, let window = op.window.mirrored {
            return WinogradTile(window, image: shape(0), result: op.inputShape, traits) != nil
        }
        if case .convolution2DFilterGradient(let op) = node.op {
            return WinogradFilterGradientTile(op.window, image: shape(0), result: shape(1), traits) != nil
        }
        return false
    }

    private static let winogradFile = "convolution2d_winograd"

    /// A convolution of `image`, the node's first input, with the filter that is its second.
    mutating func winograd(
        _ tile: WinogradTile, _ window: Window, image: Shape, result: Shape, bias: Argument?,
        epilogue: Epilogue, isTransposed: Bool = false
    ) throws {
        let (inputs, outputs) =
            isTransposed ? (result.channels, image.channels) : (image.channels, result.channels)
        try launch(
            "winograd_pack", in: Self.winogradFile, defining: tile.definitions,
            global: [tile.vectors * tile.lanes, tile.channelTiles],
            [.value(node.inputs[1]), .workspace, .int(inputs), .int(outputs), .int(isTransposed ? 1 : 0)])
        let geometry = WinogradGeometry(
            image: image, result: result, window, tileRows: tile.tileRows, tileColumns: tile.tileColumns,
            hasBias: bias != nil, epilogue: epilogue)
        try launch(
            "winograd_convolution", in: Self.winogradFile, defining: tile.definitions, global: [tile.blocks],
            [
                .value(node.inputs[0]), .workspace, bias ?? .zeros, mask(epilogue), .value(node.outputs[0]),
                .local(byteCount: tile.transformedByteCount), .local(byteCount: tile.productsByteCount),
                .geometry(geometry),
            ])
    }

    mutating func winogradFilterGradient(
        _ tile: WinogradFilterGradientTile, _ window: Window, image: Shape, result: Shape, hasBias: Bool
    ) throws {
        let geometry = WinogradGeometry(
            image: image, result: result, window, tileRows: tile.tileRows, tileColumns: tile.tileColumns)
        let images = Argument.workspacePart(offset: 0, byteCount: tile.imageByteCount)
        let gradients = Argument.workspacePart(
            offset: tile.imageByteCount, byteCount: tile.gradientByteCount)
        let products = Argument.workspacePart(
            offset: tile.imageByteCount + tile.gradientByteCount, byteCount: tile.productsByteCount)
        for first in stride(from: 0, to: tile.tiles, by: tile.chunk) {
            let count = min(tile.chunk, tile.tiles - first)
            let blocks = divide(count, by: WinogradFilterGradientTile.block)
            try launch(
                "winograd_transform_image", in: Self.winogradFile, defining: tile.definitions,
                global: [blocks],
                [.value(node.inputs[0]), images, .int(first), .int(count), .geometry(geometry)])
            try launch(
                "winograd_transform_gradient", in: Self.winogradFile, defining: tile.definitions,
                global: [blocks],
                [.value(node.inputs[1]), gradients, .int(first), .int(count), .geometry(geometry)])
            try launch(
                "winograd_multiply", in: Self.winogradFile, defining: tile.definitions,
                global: [tile.channelTiles, Winograd.frequencies],
                [images, gradients, products, .int(tile.channels), .int(count), .int(first == 0 ? 1 : 0)])
        }
        try launch(
            "winograd_filter_gradient", in: Self.winogradFile, defining: tile.definitions,
            global: [tile.channels, tile.channelTiles],
            [
                products, .value(node.outputs[0]), hasBias ? .value(node.outputs[1]) : .zeros,
                .int(tile.channels), .int(result.channels), .int(hasBias ? 1 : 0),
            ])
    }
}
