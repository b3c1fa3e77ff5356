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

    init(_ window: Window, image: Shape, gradient: Shape, _ tiles: [GroupTile]) {
        rows = window.kernel.area * image.channels
        columns = gradient.channels
        tile = GroupTile.best(of: tiles, rows: rows, columns: columns, isSplit: true)
        let workItems = tile.groups(rows: rows, columns: columns) * tile.workItems
        let most = min(
            gradient.pixels / (tile.depth * Self.leastChunks),
            Self.mostPartialBytes / (4 * (rows + 1) * columns))
        splits = max(min(divide(2 * GroupTile.busyWorkItems, by: workItems), most), 1)
    }

    var partialByteCount: Int { splits == 1 ? 0 : 4 * splits * (rows + 1) * columns }
}

/// `TiledGradientGeometry` of Kernels/convolution2d_filter_gradient_tiled.cl.
private struct TiledGradientGeometry: BitwiseCopyable {
    var images, height, width, channels: Int32
    var kernelHeight, kernelWidth: Int32
    var strideHeight, strideWidth: Int32
    var paddingHeight, paddingWidth: Int32
    var outputHeight, outputWidth, outputChannels: Int32
    var splits, splitStride, biasOffset: Int32
    var hasBias: Int32
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
            images: Int32(image.images), height: Int32(image.height), width: Int32(image.width),
            channels: Int32(image.channels), kernelHeight: Int32(window.kernel.height),
            kernelWidth: Int32(window.kernel.width), strideHeight: Int32(window.stride.height),
            strideWidth: Int32(window.stride.width), paddingHeight: Int32(window.padding.height),
            paddingWidth: Int32(window.padding.width), outputHeight: Int32(gradient.height),
            outputWidth: Int32(gradient.width), outputChannels: Int32(gradient.channels),
            splits: Int32(plan.splits), splitStride: Int32(filterCount + plan.columns),
            biasOffset: Int32(isSplit ? filterCount : 0), hasBias: op.hasBias ? 1 : 0)
        let filter = Argument.value(node.outputs[0])
        let bias: Argument = op.hasBias ? .value(node.outputs[1]) : .zeros
        let definitions =
            plan.tile.definitions + [
                ("SOURCE_WIDTH", loadWidth(channels: image.channels)),
                ("RESULT_WIDTH", loadWidth(channels: gradient.channels)),
            ]
        try launch(
            "convolution2d_filter_gradient_tiled", in: "convolution2d_filter_gradient_tiled",
            defining: definitions,
            global: [
                plan.tile.groups(rows: plan.rows, columns: plan.columns) * plan.splits * plan.tile.workItems
            ],
            local: [plan.tile.workItems],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), isSplit ? .workspace : filter,
                isSplit ? .workspace : bias, .geometry(geometry),
            ])
        guard isSplit else { return }
        let values = filterCount + (op.hasBias ? gradient.channels : 0)
        try launch(
            "convolution2d_filter_gradient_reduce", in: "convolution2d_filter_gradient_tiled",
            defining: definitions, global: [values.roundedUp(toMultipleOf: Self.reduceItems)],
            local: [Self.reduceItems],
            [
                .workspace, filter, bias, .int(filterCount), .int(gradient.channels), .int(plan.splits),
                .int(op.hasBias ? 1 : 0),
            ])
    }

    private static let reduceItems = 128
}
