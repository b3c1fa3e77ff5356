import ResinGraph
import ResinPlan
import ResinTensor

/// The tile of `convolution2d_filter_gradient_tiled`, and how the output pixels are split.
struct TiledGradient {
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

/// `TiledGradientGeometry` of Kernels/convolution2d_filter_gradient_tiled.cl.
struct TiledGradientGeometry: BitwiseCopyable {
    var layer: LayerGeometry
    var splits: Int32
    var accumulates: Int32 = 0
    var splitStride, biasOffset: Int32
    var hasBias: Int32
    /// Floats from one batch to the next.
    var imageBatch: Int32 = 0, gradientBatch: Int32 = 0, sumsBatch: Int32 = 0

    init(_ window: Window, image: Shape, gradient: Shape, _ plan: TiledGradient, hasBias: Bool) {
        layer = LayerGeometry(window, image: image, result: gradient)
        splits = Int32(plan.splits)
        splitStride = Int32((plan.rows + 1) * plan.columns)
        biasOffset = Int32(plan.splits > 1 ? plan.rows * plan.columns : 0)
        self.hasBias = hasBias ? 1 : 0
    }
}

extension Lowering {
    mutating func lowerTiled(_ op: Op.Convolution2DFilterGradient) throws {
        let image = graph.shape(of: node.inputs[0])
        let gradient = graph.shape(of: node.inputs[1])
        let window = op.window
        let plan = TiledGradient(window, image: image, gradient: gradient, traits.groupTiles)
        let filterCount = plan.rows * plan.columns
        let isSplit = plan.splits > 1
        let geometry = TiledGradientGeometry(
            window, image: image, gradient: gradient, plan, hasBias: op.hasBias)
        let filter = Argument.value(node.outputs[0])
        let bias: Argument = op.hasBias ? .value(node.outputs[1]) : .zeros
        try multiply(
            .value(node.inputs[0]), .value(node.inputs[1]), into: isSplit ? .workspace : filter,
            bias: isSplit ? .workspace : bias, plan, geometry)
        guard isSplit else { return }
        let values = filterCount + (op.hasBias ? gradient.channels : 0)
        try launch(
            "convolution2d_filter_gradient_reduce", in: Self.tiledGradientFile,
            defining: definitions(plan, geometry),
            global: [values.roundedUp(toMultipleOf: Self.reduceItems)],
            local: [Self.reduceItems],
            [
                .workspace, filter, bias, .int(filterCount), .int(gradient.channels), .int(plan.splits),
                .int(op.hasBias ? 1 : 0),
            ])
    }

    /// Sums of so many batches, in splits.
    mutating func multiply(
        _ images: Argument, _ gradients: Argument, into sums: Argument, bias: Argument, _ plan: TiledGradient,
        _ geometry: TiledGradientGeometry, batches: Int = 1
    ) throws {
        let groups = plan.tile.groups(rows: plan.rows, columns: plan.columns) * plan.splits
        try launch(
            "convolution2d_filter_gradient_tiled", in: Self.tiledGradientFile,
            defining: definitions(plan, geometry), global: [groups * plan.tile.workItems, batches],
            local: [plan.tile.workItems, 1], [images, gradients, sums, bias, .geometry(geometry)])
    }

    private func definitions(_ plan: TiledGradient, _ geometry: TiledGradientGeometry) -> [(String, Int)] {
        let width = Self.pieceWidth(of: node, in: graph, traits)
        return plan.tile.definitions(copyingAsynchronously: width != nil) + [
            ("SOURCE_WIDTH", width ?? loadWidth(channels: Int(geometry.layer.channels))),
            ("RESULT_WIDTH", width ?? loadWidth(channels: Int(geometry.layer.outputChannels))),
        ]
    }

    private static let tiledGradientFile = "convolution2d_filter_gradient_tiled"
    private static let reduceItems = 128
}
