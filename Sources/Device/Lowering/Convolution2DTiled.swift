import ResinGraph
import ResinTensor

extension Lowering {
    mutating func lowerTiled(_ op: Op.Convolution2D) throws {
        let source = graph.shape(of: node.inputs[0])
        let result = graph.shape(of: node.outputs[0])
        let offset = try offset(op)
        var geometry = ConvolutionGeometry(
            source: source, result: result, window: op.window, offset: offset, epilogue: op.epilogue)
        (geometry.strideHeight, geometry.strideWidth) =
            (Int32(op.window.stride.height), Int32(op.window.stride.width))
        (geometry.originHeight, geometry.originWidth) =
            (Int32(-op.window.padding.height), Int32(-op.window.padding.width))
        try multiply(geometry, bias: offset.argument, mask: .zeros)
    }

    mutating func lowerTiled(_ op: Op.Convolution2DInputGradient) throws {
        let window = op.window
        for row in 0..<window.stride.height {
            let rows = Phase(
                row, size: op.inputShape.height, kernel: window.kernel.height, stride: window.stride.height,
                padding: window.padding.height)
            for column in 0..<window.stride.width {
                let columns = Phase(
                    column, size: op.inputShape.width, kernel: window.kernel.width,
                    stride: window.stride.width, padding: window.padding.width)
                guard rows.pixels > 0 && columns.pixels > 0 else { continue }
                var geometry = ConvolutionGeometry(
                    source: graph.shape(of: node.inputs[0]), result: op.inputShape, window: window,
                    epilogue: op.epilogue)
                (geometry.gridHeight, geometry.gridWidth) = (Int32(rows.pixels), Int32(columns.pixels))
                (geometry.originHeight, geometry.originWidth) = (Int32(rows.origin), Int32(columns.origin))
                (geometry.tapRows, geometry.tapColumns) = (Int32(rows.taps), Int32(columns.taps))
                (geometry.firstRow, geometry.firstColumn) = (Int32(rows.firstTap), Int32(columns.firstTap))
                (geometry.tapStepHeight, geometry.tapStepWidth) =
                    (Int32(window.stride.height), Int32(window.stride.width))
                (geometry.resultStepHeight, geometry.resultStepWidth) =
                    (geometry.tapStepHeight, geometry.tapStepWidth)
                (geometry.phaseHeight, geometry.phaseWidth) = (Int32(row), Int32(column))
                // No tap at all reaches a phase of a kernel narrower than the stride: zeros, without a step.
                if rows.taps == 0 || columns.taps == 0 { (geometry.tapRows, geometry.tapColumns) = (0, 0) }
                try multiply(geometry, bias: .zeros, mask: mask(op.epilogue), isTransposed: true)
            }
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
