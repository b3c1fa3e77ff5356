import ResinGraph
import ResinTensor

/// `PatchGeometry` of Kernels/convolution2d_packed.cl.
struct PatchGeometry: BitwiseCopyable {
    var layer: LayerGeometry
    var hasBias: Int32 = 0, epilogue: Int32 = 0
    var splits: Int32 = 0, groupTiles: Int32 = 0, partRows: Int32 = 0
    var patchStride: Int32
    var block: Int32
    var resultStride: Int32, resultFirst: Int32 = 0

    init(image: Shape, result: Shape, _ window: Window, patchStride: Int, block: Int = 0) {
        layer = LayerGeometry(window, image: image, result: result)
        self.patchStride = Int32(patchStride)
        self.block = Int32(block)
        resultStride = layer.outputChannels
    }

    /// How the result's pixels lie, where they may be among another value's channels.
    mutating func setResult(_ layout: (stride: Int, first: Int)) {
        (resultStride, resultFirst) = (Int32(layout.stride), Int32(layout.first))
    }
}

/// The form of `convolution2d_packed`: the register tile is `ConvolutionTile`'s.
struct PackedTile: Hashable {
    var tile: ConvolutionTile
    /// Pixels whose patches a work-item packs; results do not depend on it.
    var block: Int
    var pixels: Int
    /// Floats of a patch.
    var length: Int

    /// Nil where a device's work-items are short, or a block's patches outgrow a core's cache.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard traits.prefersLongWorkItems else { return nil }
        tile = ConvolutionTile(channels: result.channels, traits)
        pixels = result.images * result.height * result.width
        length = window.kernel.area * image.channels
        block = 0
        for most in [72, 48, 24, tile.pixels] {
            block = max(most / tile.pixels, 1) * tile.pixels
            let hasWorkForAll = divide(pixels, by: block) >= 4 * traits.computeUnits
            if (hasWorkForAll || most == tile.pixels)
                && packedByteCount + lineByteCount <= traits.localMemoryByteCount
            {
                return
            }
        }
        return nil
    }

    var packedByteCount: Int { 4 * divide(length, by: tile.lanes) * tile.lanes * block }
    /// A patch, and what copying it may write behind it.
    var lineByteCount: Int { 4 * patchStride }
    var patchStride: Int { length.roundedUp(toMultipleOf: tile.lanes) + tile.lanes }
    var blocks: Int { divide(pixels, by: block) }
    var definitions: [(String, Int)] {
        [("ROWS", tile.pixels), ("COLUMNS", tile.columns)]
    }
}

/// The form of `convolution2d_filter_gradient_packed`.
struct PackedFilterGradientTile: Hashable {
    var rows: Int
    var columns: Int
    var lanes: Int
    /// Pixels a block.
    var block: Int
    /// Filter rows that a work-item takes: all, or one where their patches would outgrow the cache.
    var partRows: Int
    var parts: Int
    /// Channel tiles that a work-item takes, and groups of them.
    var groupTiles: Int
    var groups: Int
    /// Parts of the batch's pixels that are summed apart, so that there is work for every core; a matter of
    /// shapes alone, never of the number of cores, which results must not depend on.
    var splits: Int
    var patchStride: Int
    private var valuesASplit: Int

    /// Nil where a device's work-items are short, or even one filter row's patches outgrow a core's cache.
    init?(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        guard traits.prefersLongWorkItems else { return nil }
        lanes = traits.lanes
        (rows, columns) = traits.registerTile(channels: gradient.channels)
        let run = window.kernel.width * image.channels
        let pixels = gradient.images * gradient.height * gradient.width
        block = min(128, pixels.roundedUp(toMultipleOf: 8))
        // Patches, and sums, should each leave room for the other in a core's cache of a megabyte or two.
        let share = traits.localMemoryByteCount / 3
        partRows = 4 * window.kernel.height * run * block <= share ? window.kernel.height : 1
        parts = divide(window.kernel.height, by: partRows)
        let length = partRows * run
        if 4 * length * block > share { block = 64 }
        patchStride = (length + rows).roundedUp(toMultipleOf: lanes) + lanes
        // An odd number of cache lines, so that a column of the patches is spread over all sets of the cache.
        if lanes == 16 && patchStride % 32 == 0 { patchStride += 16 }
        let channelTiles = divide(gradient.channels, by: columns * lanes)
        groupTiles = min(max(share / (4 * length * columns * lanes), 1), channelTiles)
        groups = divide(channelTiles, by: groupTiles)
        valuesASplit = (window.kernel.height * run + 1) * gradient.channels
        splits = min(max(16 / (groups * parts), 1), divide(pixels, by: block))
        guard patchesByteCount + gradientsByteCount <= traits.localMemoryByteCount else { return nil }
    }

    var patchesByteCount: Int { 4 * block * patchStride }
    var gradientsByteCount: Int { 4 * block * groupTiles * columns * lanes }
    /// None for one split, which writes the gradients themselves.
    var partialByteCount: Int { splits == 1 ? 0 : 4 * splits * valuesASplit }
    var definitions: [(String, Int)] { [("ROWS", rows), ("COLUMNS", columns)] }
}

extension Lowering {
    private static let packedFile = "convolution2d_packed"

    /// A convolution of `image`, the node's first input, with the packed filter.
    mutating func packedConvolution(
        _ tile: PackedTile, filter: Argument, _ window: Window, image: Shape, result: Shape,
        offset: ConvolutionOffset,
        epilogue: Epilogue
    ) throws {
        var geometry = PatchGeometry(
            image: image, result: result, window, patchStride: tile.patchStride, block: tile.block)
        geometry.hasBias = offset.kind
        geometry.epilogue = epilogue.code
        geometry.setResult(pixelLayout(of: node.outputs[0]))
        try launch(
            "convolution2d_packed", in: Self.packedFile, defining: tile.definitions, global: [tile.blocks],
            [
                .value(node.inputs[0]), filter, offset.argument, mask(epilogue), .value(node.outputs[0]),
                .local(byteCount: tile.packedByteCount), .local(byteCount: tile.lineByteCount),
                .geometry(geometry),
            ])
    }

    mutating func packedFilterGradient(
        _ tile: PackedFilterGradientTile, _ window: Window, image: Shape, gradient: Shape, hasBias: Bool
    ) throws {
        var geometry = PatchGeometry(
            image: image, result: gradient, window, patchStride: tile.patchStride, block: tile.block)
        geometry.hasBias = hasBias ? 1 : 0
        geometry.splits = Int32(tile.splits)
        geometry.groupTiles = Int32(tile.groupTiles)
        geometry.partRows = Int32(tile.partRows)
        try launch(
            "convolution2d_filter_gradient_packed", in: Self.packedFile, defining: tile.definitions,
            global: [tile.splits, tile.groups, tile.parts],
            [
                .value(node.inputs[0]), .value(node.inputs[1]),
                tile.splits == 1 ? .value(node.outputs[0]) : .workspace,
                tile.splits == 1 && hasBias ? .value(node.outputs[1]) : .zeros,
                .local(byteCount: tile.patchesByteCount), .local(byteCount: tile.gradientsByteCount),
                .geometry(geometry),
            ])
    }
}
