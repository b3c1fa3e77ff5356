import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// How a filter's gradient is cut up: the tile of a work-group, and parts of the output pixels.
struct TiledGradientSplit {
    let tile: GroupTile
    /// Parts of the pixels that are summed apart; a matter of shapes alone, never of the number of cores,
    /// which results must not depend on.
    let splits: Int
    /// Of the filter: taps × input channels.
    let rows: Int
    let columns: Int

    /// A split is worth its sums from so many chunks on.
    private static let leastChunks = 16
    /// More than this for partial sums would show in the memory of a training step.
    private static let mostPartialBytes = 64 << 20

    /// - Parameter batches: products of that size, each with sums of its own.
    init(_ window: Window, image: Shape, gradient: Shape, _ tiles: [GroupTile], batches: Int = 1) {
        rows = window.kernel.area * image.channels
        columns = gradient.channels
        tile = GroupTile.best(of: tiles, rows: rows, columns: columns, isSplit: true)
        let workItems = batches * tile.groups(rows: rows, columns: columns) * tile.workItems
        let most = min(
            gradient.pixels / (tile.depth * Self.leastChunks),
            Self.mostPartialBytes / (4 * batches * (rows + 1) * columns))
        splits = max(min(divide(2 * GroupTile.busyWorkItems, by: workItems), most), 1)
    }

    var partialByteCount: Int { splits == 1 ? 0 : 4 * splits * (rows + 1) * columns }
}

extension TiledGradientGeometry {
    init(_ window: Window, image: Shape, gradient: Shape, _ split: TiledGradientSplit, hasBias: Bool) {
        self.init()
        setLayer(window, image: image, result: gradient)
        splits = Int32(split.splits)
        splitStride = Int32((split.rows + 1) * split.columns)
        biasOffset = Int32(split.splits > 1 ? split.rows * split.columns : 0)
        self.hasBias = hasBias ? 1 : 0
    }
}

/// The filter's gradient as a matrix product through local memory, in parts of the pixels that are added up behind it
/// (convolution2d_filter_gradient_tiled.cl).
struct TiledFilterGradient: ConvolutionForm {
    static let name = TiledConvolution.name
    static let reason = TiledConvolution.reason

    private let split: TiledGradientSplit
    let staging: Staging
    /// Values that a piece holds; nil where operands come word by word.
    private var pieceWidth: Int?

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard !traits.groupTiles.isEmpty else { return nil }
        split = TiledGradientSplit(pass.window, image: pass.image, gradient: pass.result, traits.groupTiles)
        let areWhole = [pass.image, pass.result].allSatisfy { $0.channels % pass.pieceWidth == 0 }
        staging = areWhole ? traits.staging : .words
        if staging > .words { pieceWidth = pass.pieceWidth }
    }

    var workspaceByteCount: Int { split.partialByteCount }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let filterCount = split.rows * split.columns
        let isSplit = split.splits > 1
        let geometry = TiledGradientGeometry(
            pass.window, image: pass.image, gradient: pass.result, split, hasBias: pass.hasBias)
        let (filter, bias) = (pass.filter(in: lowering), pass.biasGradient(in: lowering))
        lowering.multiply(
            lowering.input(0), lowering.input(1), into: isSplit ? .workspace : filter,
            bias: isSplit ? .workspace : bias, split, geometry, staging, pieceWidth: pieceWidth)
        guard isSplit else { return }
        let values = filterCount + (pass.hasBias ? pass.result.channels : 0)
        lowering.launch(
            "convolution2d_filter_gradient_reduce", in: .tiledFilterGradient,
            defining: split.definitions(geometry, staging, pieceWidth: pieceWidth),
            global: [values.roundedUp(toMultipleOf: Self.reduceItems)],
            local: [Self.reduceItems],
            [
                .workspace, filter, bias, .int(filterCount), .int(pass.result.channels), .int(split.splits),
                .int(pass.hasBias ? 1 : 0),
            ])
    }

    private static let reduceItems = 128
}

extension TiledGradientSplit {
    func definitions(
        _ geometry: TiledGradientGeometry, _ staging: Staging, pieceWidth: Int?
    ) -> [(String, Int)] {
        tile.definitions(staging) + [
            ("SOURCE_WIDTH", pieceWidth ?? loadWidth(channels: Int(geometry.channels))),
            ("RESULT_WIDTH", pieceWidth ?? loadWidth(channels: Int(geometry.outputChannels))),
        ]
    }
}

extension Lowering {
    /// Sums of so many batches, in splits.
    mutating func multiply(
        _ images: Argument, _ gradients: Argument, into sums: Argument, bias: Argument,
        _ split: TiledGradientSplit, _ geometry: TiledGradientGeometry, _ staging: Staging = .words,
        pieceWidth: Int? = nil,
        batches: Int = 1
    ) {
        let groups = split.tile.groups(rows: split.rows, columns: split.columns) * split.splits
        launch(
            "convolution2d_filter_gradient_tiled", in: .tiledFilterGradient,
            defining: split.definitions(geometry, staging, pieceWidth: pieceWidth),
            global: [groups * split.tile.workItems, batches], local: [split.tile.workItems, 1],
            [images, gradients, sums, bias, .geometry(geometry)])
    }
}
