import ResinGraph
import ResinPlan
import ResinTensor

/// `TiledGeometry` of Kernels/convolution2d_tiled.cl.
struct TiledGeometry: BitwiseCopyable {
    var convolution: ConvolutionGeometry
    /// Floats from one batch to the next.
    var sourceBatch: Int32 = 0, filterBatch: Int32 = 0, resultBatch: Int32 = 0
    /// Floats from one pixel of the result to the next, and to its first channel, where it lies among another value's.
    var resultStride: Int32, resultFirst: Int32 = 0

    init(_ convolution: ConvolutionGeometry) {
        self.convolution = convolution
        resultStride = convolution.resultChannels
    }

    /// Channels of the result that a load or store takes at once.
    var resultWidth: Int {
        [convolution.resultChannels, resultStride, resultFirst].map { loadWidth(channels: Int($0)) }.min()!
    }
}

/// The filter of a product whose operands `cp.async` brings, as Kernels/convolution2d_filter_operands.cl puts it.
struct FilterOperands {
    let taps: Int
    /// Of the filter as it is stored.
    let channels: Int
    let outputs: Int
    /// Whether the outputs are summed: for the input's gradient.
    let isTransposed: Bool
    /// Values that a copy of 16 bytes brings.
    let pieceWidth: Int

    /// Nil where operands go through registers: where the device has no such copies, a pixel's channels are not whole pieces
    /// of 16 bytes, or the product is too small.
    init?(_ node: Node, in graph: Graph, _ traits: DeviceTraits) {
        let (image, result): (Shape, Shape)
        switch OnlyTap(node, in: graph)?.op ?? node.op {
        case .convolution2D(let op):
            (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.outputs[0]))
            (taps, isTransposed) = (op.window.kernel.area, false)
        case .convolution2DInputGradient(let op):
            (image, result) = (op.inputShape, graph.shape(of: node.inputs[0]))
            (taps, isTransposed) = (op.window.kernel.area, true)
        default: return nil
        }
        (channels, outputs) = (image.channels, result.channels)
        pieceWidth = graph.pieceWidth(of: node)
        guard traits.copiesAsynchronously, (isTransposed ? outputs : channels) % pieceWidth == 0,
            result.pixels * taps * channels * outputs >= traits.leastAsynchronousProducts
        else { return nil }
    }

    /// Whether a chunk of TILE_K, 16 words, is of one tap.
    var hasWholeTaps: Bool { (isTransposed ? outputs : channels) % (4 * pieceWidth) == 0 }
    var byteCount: Int {
        (taps * channels * outputs / pieceWidth * 16).roundedUp(toMultipleOf: FlatLayout.alignment)
    }
}

extension Graph {
    /// Activations that 16 bytes hold, of a convolution's node.
    fileprivate func pieceWidth(of node: Node) -> Int { 16 / (halfType(of: node) ?? .float32).byteCount }
}

extension Lowering {
    /// Values that a copy of 16 bytes brings to a convolution's tiles; nil where operands go through registers.
    static func pieceWidth(of node: Node, in graph: Graph, _ traits: DeviceTraits) -> Int? {
        guard case .convolution2DFilterGradient = node.op else {
            return FilterOperands(node, in: graph, traits)?.pieceWidth
        }
        let width = graph.pieceWidth(of: node)
        let areWhole = node.inputs.allSatisfy { graph.shape(of: $0).channels % width == 0 }
        return traits.copiesAsynchronously && areWhole ? width : nil
    }

    /// Scratch memory of a convolution or an input's gradient.
    static func groupedByteCount(of node: Node, in graph: Graph, _ traits: DeviceTraits) -> Int {
        StagedWinograd(node, in: graph, traits)?.byteCount
            ?? FilterOperands(node, in: graph, traits)?.byteCount ?? 0
    }

    mutating func lowerTiled(_ op: Op.Convolution2D) throws {
        let offset = try offset(op)
        var geometry = TiledGeometry(
            .convolution(
                op, source: graph.shape(of: node.inputs[0]), result: graph.shape(of: node.outputs[0]),
                offset: offset))
        let layout = pixelLayout(of: node.outputs[0])
        (geometry.resultStride, geometry.resultFirst) = (Int32(layout.stride), Int32(layout.first))
        let operands = FilterOperands(node, in: graph, traits)
        try multiply(
            .value(node.inputs[0]), filter(operands), into: .value(node.outputs[0]),
            geometry, operands, bias: offset.argument)
    }

    mutating func lowerTiled(_ op: Op.Convolution2DInputGradient) throws {
        let operands = FilterOperands(node, in: graph, traits)
        let filter = try filter(operands)
        for phase in ConvolutionGeometry.phases(op, gradient: graph.shape(of: node.inputs[0])) {
            try multiply(
                .value(node.inputs[0]), filter, into: .value(node.outputs[0]),
                TiledGeometry(phase), operands, mask: mask(op.epilogue), isTransposed: true)
        }
    }

    /// The node's filter as a product takes it.
    private mutating func filter(_ operands: FilterOperands?) throws -> Argument {
        let filter = Argument.value(node.inputs[1])
        guard let operands else { return filter }
        let prepared = Argument.workspacePart(offset: 0, byteCount: operands.byteCount)
        let file = "convolution2d_filter_operands"
        let (taps, channels, outputs) = (operands.taps, operands.channels, operands.outputs)
        if operands.isTransposed {
            try launch(
                "convolution2d_filter_regroup", in: file, defining: [("TENSOR", 1)],
                global: [outputs / 4, channels, taps],
                [filter, prepared, .int(taps), .int(channels), .int(outputs)])
        } else {
            // SIDE and GROUP_ROWS.
            let (side, groupRows) = (32, 8)
            try launch(
                "convolution2d_filter_transpose", in: file, defining: [("TENSOR", 1)],
                global: [
                    outputs.roundedUp(toMultipleOf: side), divide(taps * channels, by: side) * groupRows,
                ],
                local: [side, groupRows], [filter, prepared, .int(taps * channels), .int(outputs)])
        }
        return prepared
    }

    /// So many batches of convolutions of one size, side by side.
    mutating func multiply(
        _ source: Argument, _ filter: Argument, into result: Argument, _ tiled: TiledGeometry,
        _ operands: FilterOperands? = nil, bias: Argument = .zeros, mask: Argument = .zeros,
        isTransposed: Bool = false, batches: Int = 1
    ) throws {
        let geometry = tiled.convolution
        let channels = Int(geometry.resultChannels)
        let tile = GroupTile.best(
            of: traits.groupTiles, rows: geometry.pixels, columns: channels, batches: batches)
        let sourceWidth = operands?.pieceWidth ?? loadWidth(channels: Int(geometry.sourceChannels))
        try launch(
            "convolution2d_tiled", in: "convolution2d_tiled",
            defining: tile.definitions(copyingAsynchronously: operands != nil) + [
                ("TRANSPOSED", isTransposed ? 1 : 0), ("SOURCE_WIDTH", sourceWidth),
                ("RESULT_WIDTH", tiled.resultWidth),
                ("WHOLE_TAPS", operands?.hasWholeTaps == true ? 1 : 0),
            ],
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems, batches],
            local: [tile.workItems, 1],
            [source, filter, bias, mask, result, .geometry(tiled)])
    }
}
