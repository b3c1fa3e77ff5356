import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// Minimal filtering on CPUs (convolution2d_winograd.cl): transforms, products and transform back for a block of tiles in
/// one work-item, so that what is transformed stays in its cache.
struct WinogradConvolution: ConvolutionForm {
    static let name = "Winograd"
    static let reason =
        "3×3 and 5×5 at stride 1, whose channels fill vectors and whose tiles save more than their transforms cost"
    static let isWinograd = true

    private let tiling: WinogradTiling
    private let convolution: (window: Window, source: Shape, target: Shape)
    /// Tiles a work-item transforms; results do not depend on it.
    private var block: Int
    private var pixels: Int
    private var columns: Int

    /// Nil where the direct sum serves better: so many channels that the transforms of a few tiles outgrow a core's
    /// cache; or so few tiles that transforming the filter costs more than it saves.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let convolution = pass.convolution,
            let tiling = WinogradTiling(
                convolution.window, image: convolution.source, result: convolution.target, traits),
            tiling.tilesOfChoice >= 48
        else { return nil }
        self.tiling = tiling
        self.convolution = convolution
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
    private var channelTiles: Int { divide(tiling.resultChannels, by: columns * tiling.lanes) }
    private var transformedByteCount: Int {
        tiling.byteCount(aFrequency: block * tiling.vectors * tiling.lanes)
    }
    private var productsByteCount: Int { tiling.byteCount(aFrequency: block * columns * tiling.lanes) }

    private func localByteCount(block: Int) -> Int {
        tiling.byteCount(aFrequency: block * tiling.vectors * tiling.lanes)
            + tiling.byteCount(aFrequency: block * columns * tiling.lanes)
    }
    var workspaceByteCount: Int {
        4 * channelTiles * tiling.frequencies * tiling.vectors * tiling.lanes * columns * tiling.lanes
    }
    var writesChannelViews: Bool { true }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        lowering.launch(
            "winograd_pack", in: .winograd, defining: tiling.definitions,
            global: [tiling.vectors * tiling.lanes, channelTiles], readsWeightsAlone: true,
            [
                pass.filter(in: lowering), .workspace, .int(pass.image.channels), .int(pass.result.channels),
                .int(pass.isTransposed ? 1 : 0),
            ])
        var geometry = WinogradGeometry(
            image: convolution.source, result: convolution.target, convolution.window, tiling, block: block,
            offset: offset, epilogue: pass.epilogue)
        let layout = lowering.pixelLayout(of: lowering.node.outputs[0])
        (geometry.resultStride, geometry.resultFirst) = (Int32(layout.stride), Int32(layout.first))
        lowering.launch(
            "winograd_convolution", in: .winograd, defining: tiling.definitions,
            global: [divide(tiling.tiles, by: block)],
            [
                lowering.input(0), .workspace, offset.argument, lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0),
                .local(byteCount: transformedByteCount),
                .local(byteCount: productsByteCount), .geometry(geometry),
            ])
    }
}

/// The filter's gradient: a chunk of tiles is transformed, and multiplied frequency by frequency.
struct WinogradFilterGradient: ConvolutionForm {
    static let name = WinogradConvolution.name
    static let reason = WinogradConvolution.reason
    static let isWinograd = true

    static let block = 32
    private let tiling: WinogradTiling
    private let rows: Int
    private let columns: Int
    /// Tiles that are transformed at a time; a matter of shapes alone, for sums are made in this order.
    private var chunk: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let tiling = WinogradTiling(pass.window, image: pass.image, result: pass.result, traits),
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

    private var channelTiles: Int { divide(tiling.resultChannels, by: columns * tiling.lanes) }

    private var blocks: Int { chunk / Self.block }
    /// The parts of the workspace, one behind the other. A register tile reads up to `rows` channels past the last.
    private var imageByteCount: Int {
        (blocks * tiling.byteCount(aFrequency: Self.block * tiling.vectors * tiling.lanes) + 4 * rows)
            .roundedUp(toMultipleOf: FlatLayout.alignment)
    }
    private var gradientByteCount: Int {
        (blocks * tiling.byteCount(aFrequency: Self.block * channelTiles * columns * tiling.lanes))
            .roundedUp(toMultipleOf: FlatLayout.alignment)
    }
    private var productsByteCount: Int {
        4 * (tiling.frequencies * tiling.channels + 1) * channelTiles * columns * tiling.lanes
    }
    var workspaceByteCount: Int { imageByteCount + gradientByteCount + productsByteCount }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let geometry = WinogradGeometry(
            image: pass.image, result: pass.result, pass.window, tiling, block: Self.block)
        let images = Launch.Argument.workspacePart(offset: 0, byteCount: imageByteCount)
        let gradients = Launch.Argument.workspacePart(offset: imageByteCount, byteCount: gradientByteCount)
        let products = Launch.Argument.workspacePart(
            offset: imageByteCount + gradientByteCount, byteCount: productsByteCount)
        for first in stride(from: 0, to: tiling.tiles, by: chunk) {
            let count = min(chunk, tiling.tiles - first)
            let blocks = divide(count, by: Self.block)
            lowering.launch(
                "winograd_transform_image", in: .winograd, defining: tiling.definitions, global: [blocks],
                [lowering.input(0), images, .int(first), .int(count), .geometry(geometry)])
            lowering.launch(
                "winograd_transform_gradient", in: .winograd, defining: tiling.definitions, global: [blocks],
                [lowering.input(1), gradients, .int(first), .int(count), .geometry(geometry)])
            lowering.launch(
                "winograd_multiply", in: .winograd, defining: tiling.definitions,
                global: [channelTiles, tiling.frequencies],
                [images, gradients, products, .int(tiling.channels), .int(count), .int(first == 0 ? 1 : 0)])
        }
        lowering.launch(
            "winograd_filter_gradient", in: .winograd, defining: tiling.definitions,
            global: [tiling.channels, channelTiles],
            [
                products, pass.filter(in: lowering), pass.biasGradient(in: lowering), .int(tiling.channels),
                .int(pass.result.channels), .int(pass.hasBias ? 1 : 0),
            ])
    }
}
