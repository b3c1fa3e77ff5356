import ResinGraph
import ResinTensor

/// The register tile of `convolution2d_filter_gradient`, and how the images are split.
struct FilterGradientTile: Hashable {
    var rows: Int
    var columns: Int
    var channelTiles: Int
    /// Parts of the batch that are summed apart, so that there is work for every core; a matter of shapes
    /// alone, never of the number of cores, which results must not depend on.
    var splits: Int
    /// Images that a work-item goes through before it moves on to the next rows of the filter: as many as
    /// stay in a core's cache.
    var blockImages: Int
    /// dw, and db as one more row.
    private var valuesASplit: Int

    init(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        let run = window.kernel.width * image.channels
        if traits.lanes < 16 {
            (rows, columns) = traits.prefersLongWorkItems ? (6, 2) : (4, 1)
        } else if gradient.channels <= traits.lanes {
            (rows, columns) = (24, 1)
        } else if run % 12 != 0 && run % 8 == 0 && gradient.channels % (3 * traits.lanes) == 0 {
            (rows, columns) = (8, 3)
        } else {
            (rows, columns) = (12, 2)
        }
        channelTiles = divide(gradient.channels, by: columns * traits.lanes)
        let workItems = traits.prefersLongWorkItems ? 64 : 1024
        splits = min(max(workItems / (window.kernel.height * channelTiles), 1), image.images)
        let bytesAnImage =
            4 * (image.count / image.images + gradient.height * gradient.width * columns * traits.lanes)
        blockImages = max((512 << 10) / bytesAnImage, 1)
        valuesASplit = (window.kernel.height * run + 1) * gradient.channels
    }

    var definitions: [(String, Int)] { [("ROWS", rows), ("COLUMNS", columns)] }
    var partialByteCount: Int { 4 * splits * valuesASplit }
}

/// `FilterGradientGeometry` of Kernels/convolution2d_filter_gradient.cl.
private struct FilterGradientGeometry: BitwiseCopyable {
    var layer: LayerGeometry
    var splits, blockImages: Int32
    var hasBias: Int32
}

extension Lowering {
    mutating func lower(_ op: Op.Convolution2DFilterGradient) throws {
        let image = graph.shape(of: node.inputs[0])
        let gradient = graph.shape(of: node.inputs[1])
        let window = op.window
        let form = FilterGradientForm(window, image: image, gradient: gradient, traits)
        switch form {
        case .winograd(let tile):
            try winogradFilterGradient(
                tile, window, image: image, result: gradient, hasBias: op.hasBias)
        case .dense(let tile):
            try denseFilterGradient(tile, op, inputs: image, outputs: gradient)
        case .rows(let tile):
            try rowsFilterGradient(tile, window, image: image, gradient: gradient, hasBias: op.hasBias)
        case .packed(let tile):
            try packedFilterGradient(tile, window, image: image, gradient: gradient, hasBias: op.hasBias)
        case .direct(let tile):
            try directFilterGradient(tile, window, image: image, gradient: gradient, hasBias: op.hasBias)
        }
        guard let splits = form.splits else { return }
        let filterCount = window.kernel.area * image.channels * gradient.channels
        try launch(
            "convolution2d_filter_reduce", in: "convolution2d_filter_reduce",
            global: [divide(filterCount + (op.hasBias ? gradient.channels : 0), by: traits.lanes)],
            [
                .workspace, .value(node.outputs[0]), op.hasBias ? .value(node.outputs[1]) : .zeros,
                .int(filterCount), .int(gradient.channels), .int(splits), .int(op.hasBias ? 1 : 0),
            ])
    }

    private mutating func directFilterGradient(
        _ tile: FilterGradientTile, _ window: Window, image: Shape, gradient: Shape, hasBias: Bool
    ) throws {
        let geometry = FilterGradientGeometry(
            layer: LayerGeometry(window, image: image, result: gradient),
            splits: Int32(tile.splits), blockImages: Int32(tile.blockImages), hasBias: hasBias ? 1 : 0)
        try launch(
            "convolution2d_filter_gradient", in: "convolution2d_filter_gradient", defining: tile.definitions,
            global: [window.kernel.height, tile.channelTiles, tile.splits],
            [.value(node.inputs[0]), .value(node.inputs[1]), .workspace, .geometry(geometry)])
    }
}
