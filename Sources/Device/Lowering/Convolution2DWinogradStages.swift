import ResinGraph
import ResinPlan
import ResinTensor

/// Minimal filtering on GPUs, a launch a stage (Kernels/convolution2d_winograd_stages.cl): what is transformed lies in the
/// workspace, of as many tiles at a time as there is room for.
struct StagedWinograd {
    let tiling: WinogradTiling
    /// Of the convolution that is cut; the input gradient's is mirrored.
    let window: Window
    let image: Shape
    let result: Shape
    /// Tiles at a time; a matter of shapes alone, for the filter gradient's sums are made in this order.
    let chunk: Int
    /// The filter gradient's sums of a chunk, to which the next one's are added.
    let gradient: TiledGradient

    /// Nil where a GPU sums directly: on tensor cores, whose operands have too few digits for the transforms, in mixed
    /// precision for the same reason, and where the sums saved are not worth the memory traffic.
    init?(_ node: Node, in graph: Graph, _ traits: DeviceTraits) {
        func shape(_ index: Int) -> Shape { graph.shape(of: node.inputs[index]) }
        switch node.op {
        case .convolution2D(let op):
            (image, result, window) = (shape(0), graph.shape(of: node.outputs[0]), op.window)
        case .convolution2DInputGradient(let op):
            guard op.window.stride == Extent(1), let mirrored = op.window.mirrored else { return nil }
            (image, result, window) = (shape(0), op.inputShape, mirrored)
        case .convolution2DFilterGradient(let op):
            (image, result, window) = (shape(0), shape(1), op.window)
        default: return nil
        }
        let (channels, resultChannels) = (image.channels, result.channels)
        guard !traits.groupTiles.isEmpty, !traits.usesTensorCores, graph.halfType(of: node) == nil,
            2 * channels * resultChannels >= traits.leastWinogradChannels * (channels + resultChannels),
            let tiling = WinogradTiling(cutting: result, of: image, window, traits)
        else { return nil }
        self.tiling = tiling
        let tileByteCount = 4 * tiling.frequencies * (channels + resultChannels)
        chunk = min(max(traits.winogradByteCount / tileByteCount, 1), tiling.tiles)
        gradient = TiledGradient(
            Window(kernel: Extent(1)), image: [chunk, 1, 1, channels],
            gradient: [chunk, 1, 1, resultChannels],
            traits.groupTiles, batches: tiling.frequencies)
    }

    var definitions: [(String, Int)] { [("POINTS", tiling.points), ("KERNEL", tiling.kernel)] }

    private func byteCount(_ rows: Int, _ columns: Int) -> Int {
        (4 * tiling.frequencies * rows * columns).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    var imageByteCount: Int { byteCount(chunk, image.channels) }
    /// Of products, or the transformed gradient.
    var resultByteCount: Int { byteCount(chunk, result.channels) }
    var filterByteCount: Int { byteCount(image.channels, result.channels) }
    var byteCount: Int { imageByteCount + resultByteCount + filterByteCount }

    var sumsByteCount: Int { gradient.splits * byteCount(image.channels + 1, result.channels) }
    var gradientByteCount: Int { imageByteCount + resultByteCount + sumsByteCount }

    /// The tiles of each chunk.
    var chunks: [Range<Int>] {
        stride(from: 0, to: tiling.tiles, by: chunk).map { $0..<min($0 + chunk, tiling.tiles) }
    }
}

extension Lowering {
    mutating func lowerGrouped(_ op: Op.Convolution2D) throws {
        guard let staged = StagedWinograd(node, in: graph, traits) else { return try lowerTiled(op) }
        try lower(staged, offset: offset(op), epilogue: op.epilogue, isTransposed: false)
    }

    mutating func lowerGrouped(_ op: Op.Convolution2DInputGradient) throws {
        guard let staged = StagedWinograd(node, in: graph, traits) else { return try lowerTiled(op) }
        try lower(staged, offset: .none, epilogue: op.epilogue, isTransposed: true)
    }

    mutating func lowerGrouped(_ op: Op.Convolution2DFilterGradient) throws {
        guard let staged = StagedWinograd(node, in: graph, traits) else { return try lowerTiled(op) }
        let (image, result) = (staged.image, staged.result)
        let geometry = WinogradGeometry(image: image, result: result, staged.window, staged.tiling)
        let images = Argument.workspacePart(offset: 0, byteCount: staged.imageByteCount)
        let gradients = Argument.workspacePart(
            offset: staged.imageByteCount, byteCount: staged.resultByteCount)
        let sums = Argument.workspacePart(
            offset: staged.imageByteCount + staged.resultByteCount, byteCount: staged.sumsByteCount)
        for tiles in staged.chunks {
            try stage(
                "winograd_image_stage", staged, [image.channels, tiles.count],
                [
                    .value(node.inputs[0]), images, .int(tiles.lowerBound), .int(tiles.count),
                    .geometry(geometry),
                ])
            try stage(
                "winograd_gradient_stage", staged, [result.channels, tiles.count],
                [
                    .value(node.inputs[1]), gradients, .int(tiles.lowerBound), .int(tiles.count),
                    .geometry(geometry),
                ])
            var product = TiledGradientGeometry(
                Window(kernel: Extent(1)), image: [tiles.count, 1, 1, image.channels],
                gradient: [tiles.count, 1, 1, result.channels], staged.gradient, hasBias: op.hasBias)
            let sumsOfFrequency = product.splitStride
            product.accumulates = tiles.lowerBound > 0 ? 1 : 0
            product.splitStride = Int32(staged.tiling.frequencies) * sumsOfFrequency
            product.biasOffset = Int32(image.channels * result.channels)
            product.imageBatch = Int32(tiles.count * image.channels)
            product.gradientBatch = Int32(tiles.count * result.channels)
            product.sumsBatch = sumsOfFrequency
            try multiply(
                images, gradients, into: sums, bias: sums, staged.gradient, product,
                batches: staged.tiling.frequencies)
        }
        try stage(
            "winograd_filter_gradient_stage", staged, [result.channels, image.channels],
            [
                sums, .value(node.outputs[0]), op.hasBias ? .value(node.outputs[1]) : .zeros,
                .int(image.channels), .int(result.channels), .int(staged.gradient.splits),
                .int(op.hasBias ? 1 : 0),
            ])
    }

    /// A convolution of the node's first input with the filter that is its second.
    private mutating func lower(
        _ staged: StagedWinograd, offset: ConvolutionOffset, epilogue: Epilogue, isTransposed: Bool
    ) throws {
        let (image, result) = (staged.image, staged.result)
        let geometry = WinogradGeometry(
            image: image, result: result, staged.window, staged.tiling, offset: offset, epilogue: epilogue)
        let images = Argument.workspacePart(offset: 0, byteCount: staged.imageByteCount)
        let products = Argument.workspacePart(
            offset: staged.imageByteCount, byteCount: staged.resultByteCount)
        let filter = Argument.workspacePart(
            offset: staged.imageByteCount + staged.resultByteCount, byteCount: staged.filterByteCount)
        try stage(
            "winograd_filter_stage", staged, [result.channels, image.channels],
            [
                .value(node.inputs[1]), filter, .int(image.channels), .int(result.channels),
                .int(isTransposed ? 1 : 0),
            ])
        for tiles in staged.chunks {
            try stage(
                "winograd_image_stage", staged, [image.channels, tiles.count],
                [
                    .value(node.inputs[0]), images, .int(tiles.lowerBound), .int(tiles.count),
                    .geometry(geometry),
                ])
            let product = ConvolutionGeometry(
                source: [tiles.count, 1, 1, image.channels], result: [tiles.count, 1, 1, result.channels],
                window: Window(kernel: Extent(1)), epilogue: .none)
            var batches = TiledGeometry(product)
            batches.sourceBatch = Int32(tiles.count * image.channels)
            batches.filterBatch = Int32(image.channels * result.channels)
            batches.resultBatch = Int32(tiles.count * result.channels)
            try multiply(images, filter, into: products, batches, batches: staged.tiling.frequencies)
            try stage(
                "winograd_result_stage", staged, [result.channels, tiles.count],
                [
                    products, offset.argument, mask(epilogue), .value(node.outputs[0]),
                    .int(tiles.lowerBound),
                    .int(tiles.count), .geometry(geometry),
                ])
        }
    }

    private mutating func stage(
        _ name: String, _ staged: StagedWinograd, _ global: [Int], _ arguments: [Argument]
    ) throws {
        try launch(
            name, in: "convolution2d_winograd_stages", defining: staged.definitions, global: global, arguments
        )
    }
}
