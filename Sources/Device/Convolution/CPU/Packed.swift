import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension PatchGeometry {
    /// - Parameter pitch: floats from patch to patch, or from line to line.
    init(_ window: Window, image: Shape, result: Shape, pitch: Int = 0, block: Int = 0) {
        self.init()
        setLayer(window, image: image, result: result)
        self.pitch = Int32(pitch)
        self.block = Int32(block)
        resultStride = outputChannels
    }

    init(_ pass: ConvolutionPass, pitch: Int = 0, block: Int = 0) {
        self.init(pass.window, image: pass.image, result: pass.result, pitch: pitch, block: block)
    }

    /// How the result's pixels lie, where they may be among another value's channels.
    mutating func setResult(_ layout: (stride: Int, first: Int)) {
        (resultStride, resultFirst) = (Int32(layout.stride), Int32(layout.first))
    }
}

/// The patches under a block of pixels are packed into a core's cache and multiplied with the packed filter there
/// (convolution2d_packed.cl); the register tile is `ConvolutionTile`'s.
struct PackedConvolution: ConvolutionForm {
    static let name = "packed"
    static let reason =
        "many channels: patches of a block of pixels fit a core's cache and are read once for all outputs"

    private let tile: ConvolutionTile
    private let convolution: (window: Window, source: Shape, target: Shape)
    /// Pixels whose patches a work-item packs, and channel tiles that it makes of them; results depend on neither.
    private var block: Int
    private var groupTiles: Int
    private let pixels: Int
    /// Floats of a patch.
    private let length: Int
    let workspaceByteCount: Int

    /// Nil where a block's patches outgrow a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let convolution = pass.convolution else { return nil }
        self.convolution = convolution
        let (window, image, result) = convolution
        tile = ConvolutionTile(channels: result.channels, traits)
        pixels = result.images * result.height * result.width
        length = window.kernel.area * image.channels
        workspaceByteCount = tile.packedByteCount(taps: window.kernel.area, reduced: image.channels)
        (block, groupTiles) = (0, tile.tiles)
        for most in [72, 48, 24, tile.pixels] {
            let blocks = divide(pixels, by: max(most / tile.pixels, 1) * tile.pixels)
            block = divide(pixels, by: blocks).roundedUp(toMultipleOf: tile.pixels)
            // Few pixels are packed once for each of some groups of channels rather than in small blocks, for each of which
            // the whole filter would be read.
            let groups = min(divide((blocks > 1 ? 2 : 1) * traits.computeUnits, by: blocks), 4, tile.tiles)
            groupTiles = divide(tile.tiles, by: groups)
            let hasWorkForAll = blocks * divide(tile.tiles, by: groupTiles) >= traits.computeUnits
            if (hasWorkForAll || most == tile.pixels)
                && localByteCounts.reduce(0, +) <= traits.localMemoryByteCount
            {
                return
            }
        }
        return nil
    }

    var writesChannelViews: Bool { true }

    private var packedByteCount: Int { 4 * divide(length, by: tile.lanes) * tile.lanes * block }
    /// Of the patches, of one patch with what copying it may write behind it, and of sums that wait.
    private var localByteCounts: [Int] {
        [packedByteCount, 4 * pitch, chunk < length / tile.lanes ? 4 * block * tile.columns * tile.lanes : 4]
    }
    /// Vectors of a patch at a time: so many that a tile's filter for them stays in a core's nearest cache for all of a
    /// block's pixels; all where the whole tile's filter stays in the one behind.
    private var chunk: Int {
        let bytesAVector = 4 * tile.columns * tile.lanes * tile.lanes
        let vectors = divide(length, by: tile.lanes)
        return block == tile.pixels || vectors * bytesAVector <= 256 << 10
            ? vectors : max((32 << 10) / bytesAVector, 1)
    }
    private var pitch: Int { length.roundedUp(toMultipleOf: tile.lanes) + tile.lanes }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let filter = pass.packedFilter(tile, &lowering)
        var geometry = PatchGeometry(
            convolution.window, image: convolution.source, result: convolution.target, pitch: pitch,
            block: block)
        geometry.offsetKind = offset.kind
        geometry.epilogue = pass.epilogue.code
        geometry.groupTiles = Int32(groupTiles)
        geometry.chunk = Int32(chunk)
        geometry.setResult(lowering.pixelLayout(of: lowering.node.outputs[0]))
        lowering.launch(
            "convolution2d_packed", in: .packed, defining: tile.definitions,
            global: [divide(pixels, by: block), divide(tile.tiles, by: groupTiles)],
            [
                lowering.input(0), filter, offset.argument, lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0),
            ] + localByteCounts.map { .local(byteCount: $0) } + [.geometry(geometry)])
    }
}

/// Patches and gradients of a block of pixels packed into a core's cache, and multiplied there
/// (`convolution2d_filter_gradient_packed`).
struct PackedFilterGradient: ConvolutionForm {
    static let name = PackedConvolution.name
    static let reason = PackedConvolution.reason

    private let rows: Int
    private let columns: Int
    private let lanes: Int
    /// Pixels a block.
    private var block: Int
    /// Filter rows that a work-item takes: all, or one where their patches would outgrow the cache.
    private var partRows: Int
    private var parts: Int
    /// Channel tiles that a work-item takes, and groups of them.
    private var groupTiles: Int
    private var groups: Int
    /// Parts of the batch's pixels that are summed apart, so that there is work for every core; a matter of
    /// shapes alone, never of the number of cores, which results must not depend on.
    private var splits: Int
    private var pitch: Int
    private var valuesASplit: Int

    /// Nil where even one filter row's patches outgrow a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (window, image, gradient) = (pass.window, pass.image, pass.result)
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
        pitch = (length + rows).roundedUp(toMultipleOf: lanes) + lanes
        // An odd number of cache lines, so that a column of the patches is spread over all sets of the cache.
        if lanes == 16 && pitch % 32 == 0 { pitch += 16 }
        let channelTiles = divide(gradient.channels, by: columns * lanes)
        groupTiles = min(max(share / (4 * length * columns * lanes), 1), channelTiles)
        groups = divide(channelTiles, by: groupTiles)
        valuesASplit = (window.kernel.height * run + 1) * gradient.channels
        splits = min(max(16 / (groups * parts), 1), divide(pixels, by: block))
        guard patchesByteCount + gradientsByteCount <= traits.localMemoryByteCount else { return nil }
    }

    private var patchesByteCount: Int { 4 * block * pitch }
    private var gradientsByteCount: Int { 4 * block * groupTiles * columns * lanes }
    /// None for one split, which writes the gradients themselves.
    var workspaceByteCount: Int { splits == 1 ? 0 : 4 * splits * valuesASplit }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = PatchGeometry(pass, pitch: pitch, block: block)
        geometry.hasBias = pass.hasBias ? 1 : 0
        geometry.splits = Int32(splits)
        geometry.groupTiles = Int32(groupTiles)
        geometry.partRows = Int32(partRows)
        lowering.launch(
            "convolution2d_filter_gradient_packed", in: .packed,
            defining: [("ROWS", rows), ("COLUMNS", columns)], global: [splits, groups, parts],
            [
                lowering.input(0), lowering.input(1), splits == 1 ? pass.filter(in: lowering) : .workspace,
                splits == 1 ? pass.biasGradient(in: lowering) : .zeros, .local(byteCount: patchesByteCount),
                .local(byteCount: gradientsByteCount), .geometry(geometry),
            ])
        if splits > 1 { pass.addSplits(splits, &lowering) }
    }
}
