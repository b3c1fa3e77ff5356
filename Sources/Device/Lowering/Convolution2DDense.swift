import ResinGraph
import ResinTensor

/// The form of the kernels in convolution2d_dense.cl.
struct DenseTile: Hashable {
    /// Images, rows of the filter, and vectors of its outputs a register tile.
    var images: Int
    var rows: Int
    var columns: Int
    /// Channel tiles that a work-item of the forward pass makes.
    var groupTiles: Int
    /// Rows of the filter that a work-item takes: of the forward pass at a time, of the gradients at all.
    static let forwardBlock = 32
    var gradientBlock: Int { 4 * rows }
    private var lanes: Int
    private var imageCount: Int

    /// Nil where images have more than a pixel, or where reading the filter is not what takes the time: where images are
    /// many, or the filter is small enough for a core's cache.
    ///
    /// - Parameters:
    ///   - inputs: the shape of the layer's input or its gradient.
    ///   - outputs: of its output or its gradient.
    init?(_ window: Window, inputs: Shape, outputs: Shape, _ traits: DeviceTraits) {
        guard
            traits.prefersLongWorkItems && window.kernel == Extent(1)
                && inputs.height * inputs.width * outputs.height * outputs.width == 1 && inputs.images <= 64
                && inputs.channels * outputs.channels >= 1 << 16
        else { return nil }
        lanes = traits.lanes
        imageCount = inputs.images
        images = imageCount >= 4 ? (lanes < 16 ? 2 : 4) : imageCount
        rows = lanes < 16 ? 4 : 6
        columns = min(lanes < 16 ? 2 : 4, divide(outputs.channels, by: lanes))
        groupTiles = min(8, divide(outputs.channels, by: columns * lanes))
    }

    var definitions: [(String, Int)] { [("IMAGES", images), ("ROWS", rows), ("COLUMNS", columns)] }
    var groupChannels: Int { groupTiles * columns * lanes }
    var weightsByteCount: Int { 4 * Self.forwardBlock * groupChannels }
    var totalsByteCount: Int { 4 * imageCount * groupChannels }
    var valuesByteCount: Int { 4 * imageCount * gradientBlock }
}

extension Lowering {
    private static let denseFile = "convolution2d_dense"

    mutating func dense(
        _ tile: DenseTile, _ op: Op.Convolution2D, inputs: Shape, outputs: Shape, offset: ConvolutionOffset
    ) throws {
        var geometry = PatchGeometry(
            image: inputs, result: outputs, op.window, patchStride: 0, block: DenseTile.forwardBlock)
        geometry.hasBias = offset.kind
        geometry.epilogue = op.epilogue.code
        geometry.groupTiles = Int32(tile.groupTiles)
        try launch(
            "dense", in: Self.denseFile, defining: tile.definitions,
            global: [divide(outputs.channels, by: tile.groupChannels)],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), offset.argument, .zeros,
                .value(node.outputs[0]), .local(byteCount: tile.weightsByteCount),
                .local(byteCount: tile.totalsByteCount), .geometry(geometry),
            ])
    }

    mutating func denseInputGradient(
        _ tile: DenseTile, _ op: Op.Convolution2DInputGradient, outputs: Shape
    ) throws {
        var geometry = PatchGeometry(
            image: op.inputShape, result: outputs, op.window, patchStride: 0, block: tile.gradientBlock)
        geometry.epilogue = op.epilogue.code
        try launch(
            "dense_input_gradient", in: Self.denseFile, defining: tile.definitions,
            global: [divide(op.inputShape.channels, by: tile.gradientBlock)],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), mask(op.epilogue), .value(node.outputs[0]),
                .geometry(geometry),
            ])
    }

    mutating func denseFilterGradient(
        _ tile: DenseTile, _ op: Op.Convolution2DFilterGradient, inputs: Shape, outputs: Shape
    ) throws {
        var geometry = PatchGeometry(
            image: inputs, result: outputs, op.window, patchStride: 0, block: tile.gradientBlock)
        geometry.hasBias = op.hasBias ? 1 : 0
        try launch(
            "dense_filter_gradient", in: Self.denseFile, defining: tile.definitions,
            global: [divide(inputs.channels, by: tile.gradientBlock)],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]),
                op.hasBias ? .value(node.outputs[1]) : .zeros,
                .local(byteCount: tile.valuesByteCount), .geometry(geometry),
            ])
    }
}
