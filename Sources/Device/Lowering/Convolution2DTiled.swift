import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerTiled(_ op: Op.Convolution2D) throws {
        let offset = try offset(op)
        let geometry = ConvolutionGeometry.convolution(
            op, source: graph.shape(of: node.inputs[0]), result: graph.shape(of: node.outputs[0]),
            offset: offset)
        try multiply(geometry, bias: offset.argument, mask: .zeros)
    }

    mutating func lowerTiled(_ op: Op.Convolution2DInputGradient) throws {
        for phase in ConvolutionGeometry.phases(op, gradient: graph.shape(of: node.inputs[0])) {
            try multiply(phase, bias: .zeros, mask: mask(op.epilogue), isTransposed: true)
        }
    }

    private mutating func multiply(
        _ geometry: ConvolutionGeometry, bias: Argument, mask: Argument, isTransposed: Bool = false
    ) throws {
        let channels = Int(geometry.resultChannels)
        let tile = GroupTile.best(of: traits.groupTiles, rows: geometry.pixels, columns: channels)
        try launch(
            "convolution2d_tiled", in: "convolution2d_tiled",
            defining: tile.definitions + [
                ("TRANSPOSED", isTransposed ? 1 : 0),
                ("SOURCE_WIDTH", loadWidth(channels: Int(geometry.sourceChannels))),
                ("RESULT_WIDTH", loadWidth(channels: channels)),
            ],
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems],
            local: [tile.workItems],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), bias, mask, .value(node.outputs[0]),
                .geometry(geometry),
            ])
    }
}
