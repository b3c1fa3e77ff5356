import ResinGraph
import ResinTensor

/// `TiledGeometry` of Kernels/convolution2d_tiled.cl.
struct TiledGeometry: BitwiseCopyable {
    var convolution: ConvolutionGeometry
    /// Floats from one batch to the next.
    var sourceBatch: Int32 = 0, filterBatch: Int32 = 0, resultBatch: Int32 = 0
}

extension Lowering {
    mutating func lowerTiled(_ op: Op.Convolution2D) throws {
        let offset = try offset(op)
        let geometry = ConvolutionGeometry.convolution(
            op, source: graph.shape(of: node.inputs[0]), result: graph.shape(of: node.outputs[0]),
            offset: offset)
        try multiply(
            .value(node.inputs[0]), .value(node.inputs[1]), into: .value(node.outputs[0]),
            TiledGeometry(convolution: geometry), bias: offset.argument)
    }

    mutating func lowerTiled(_ op: Op.Convolution2DInputGradient) throws {
        for phase in ConvolutionGeometry.phases(op, gradient: graph.shape(of: node.inputs[0])) {
            try multiply(
                .value(node.inputs[0]), .value(node.inputs[1]), into: .value(node.outputs[0]),
                TiledGeometry(convolution: phase), mask: mask(op.epilogue), isTransposed: true)
        }
    }

    /// So many batches of convolutions of one size, side by side.
    mutating func multiply(
        _ source: Argument, _ filter: Argument, into result: Argument, _ tiled: TiledGeometry,
        bias: Argument = .zeros, mask: Argument = .zeros, isTransposed: Bool = false, batches: Int = 1
    ) throws {
        let geometry = tiled.convolution
        let channels = Int(geometry.resultChannels)
        let tile = GroupTile.best(
            of: traits.groupTiles, rows: geometry.pixels, columns: channels, batches: batches)
        try launch(
            "convolution2d_tiled", in: "convolution2d_tiled",
            defining: tile.definitions + [
                ("TRANSPOSED", isTransposed ? 1 : 0),
                ("SOURCE_WIDTH", loadWidth(channels: Int(geometry.sourceChannels))),
                ("RESULT_WIDTH", loadWidth(channels: channels)),
            ],
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems, batches],
            local: [tile.workItems, 1],
            [source, filter, bias, mask, result, .geometry(tiled)])
    }
}
