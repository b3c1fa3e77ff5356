import ResinGraph
import ResinTensor

/// The register tile of `convolution2d_gather`: ROWS × COLUMNS vectors of sums.
struct ConvolutionTile: Hashable {
    var pixels: Int
    var columns: Int
    var lanes: Int
    /// Channel tiles that cover the result's channels.
    var tiles: Int

    /// With vectors of 16 there are 32 registers: 12 × 2 or 8 × 3 sums, the vectors of the filter and one of
    /// the image fill them. Three columns where they waste no channels (96 = 2 · 48; measured up to 1.4 times
    /// as fast there), one where all channels fit into it. Devices with fewer registers get smaller tiles.
    ///
    /// - Parameter givenColumns: columns that another kernel's tile has, whose filter is packed in this order.
    init(channels: Int, columns givenColumns: Int? = nil, _ traits: DeviceTraits) {
        lanes = traits.lanes
        if lanes < 16 {
            (pixels, columns) = traits.prefersLongWorkItems ? (6, 2) : (4, 1)
        } else if channels <= lanes {
            (pixels, columns) = (24, 1)
        } else if channels % (3 * lanes) == 0 {
            (pixels, columns) = (8, 3)
        } else {
            (pixels, columns) = (12, 2)
        }
        if let givenColumns { columns = givenColumns }
        tiles = divide(channels, by: columns * lanes)
    }

    var definitions: [(String, Int)] { [("ROWS", pixels), ("COLUMNS", columns)] }

    /// The filter in the kernel's order, with whole tiles.
    func packedByteCount(taps: Int, reduced: Int) -> Int { 4 * tiles * columns * lanes * taps * reduced }
}

/// `ConvolutionGeometry` of Kernels/convolution2d.cl, and `TiledGeometry` of convolution2d_tiled.cl.
struct ConvolutionGeometry: BitwiseCopyable {
    var sourceHeight, sourceWidth, sourceChannels: Int32
    var gridImages, gridHeight, gridWidth: Int32
    var strideHeight: Int32 = 1, strideWidth: Int32 = 1
    var originHeight: Int32 = 0, originWidth: Int32 = 0
    var tapRows, tapColumns: Int32
    var filterRows, filterColumns: Int32
    var firstRow: Int32 = 0, firstColumn: Int32 = 0
    var tapStepHeight: Int32 = 1, tapStepWidth: Int32 = 1
    var resultHeight, resultWidth, resultChannels: Int32
    var resultStepHeight: Int32 = 1, resultStepWidth: Int32 = 1
    var phaseHeight: Int32 = 0, phaseWidth: Int32 = 0
    var offsetKind: Int32
    var epilogue: Int32

    /// A convolution of `source` that fills all of `result` and uses every tap.
    init(
        source: Shape, result: Shape, window: Window, offset: ConvolutionOffset = .none, epilogue: Epilogue
    ) {
        (sourceHeight, sourceWidth) = (Int32(source.height), Int32(source.width))
        sourceChannels = Int32(source.channels)
        (gridImages, gridHeight, gridWidth) =
            (Int32(result.images), Int32(result.height), Int32(result.width))
        (tapRows, tapColumns) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (filterRows, filterColumns) = (tapRows, tapColumns)
        (resultHeight, resultWidth) = (gridHeight, gridWidth)
        resultChannels = Int32(result.channels)
        offsetKind = offset.kind
        self.epilogue = epilogue.code
    }

    /// Pixels of the launch.
    var pixels: Int { Int(gridImages) * Int(gridHeight) * Int(gridWidth) }
}

/// What is added to a convolution's sums: OFFSET_… of Kernels/common.cl.
struct ConvolutionOffset {
    var argument: Lowering.Argument
    var kind: Int32

    static var none: ConvolutionOffset { ConvolutionOffset(argument: .zeros, kind: 0) }
}

extension Epilogue {
    /// Its number in Kernels/common.cl.
    var code: Int32 {
        switch self {
        case .none: 0
        case .relu: 1
        case .reluMask: 2
        }
    }
}

/// One axis of one phase of the input gradient: the pixels phase, phase + stride, … of the image, and the
/// taps that reach them.
struct Phase {
    var pixels: Int
    var taps: Int
    /// The first of those taps in the mirrored filter.
    var firstTap: Int
    /// Where in dy the first pixel's taps start.
    var origin: Int

    init(_ phase: Int, size: Int, kernel: Int, stride: Int, padding: Int) {
        pixels = size > phase ? divide(size - phase, by: stride) : 0
        // Taps k with k ≡ phase + padding (mod stride), mirrored: kernel − 1 − k ascends as k descends.
        let remainder = (phase + padding) % stride
        taps = kernel > remainder ? divide(kernel - remainder, by: stride) : 0
        firstTap = kernel - 1 - remainder - stride * (taps - 1)
        origin = (phase + padding - remainder) / stride - (taps - 1)
    }
}

extension Lowering {
    mutating func lower(_ op: Op.Convolution2D) throws {
        let source = graph.shape(of: node.inputs[0])
        let result = graph.shape(of: node.outputs[0])
        let offset = try offset(op)
        if let tile = WinogradTile(op.window, image: source, result: result, traits) {
            return try winograd(
                tile, op.window, image: source, result: result, offset: offset, epilogue: op.epilogue)
        }
        if let tile = DenseTile(op.window, inputs: source, outputs: result, traits) {
            return try dense(tile, op, inputs: source, outputs: result, offset: offset)
        }
        let rows = RowsTile(op.window, image: source, result: result, traits)
        let tile = ConvolutionTile(channels: result.channels, columns: rows?.columns, traits)
        // A filter of just one tile's channels is packed as it is.
        let filter: Argument
        if result.channels == tile.columns * tile.lanes {
            filter = .value(node.inputs[1])
        } else {
            filter = .workspace
            try pack(
                tile, filter: node.inputs[1], taps: op.window.kernel.area, inputs: source.channels,
                outputs: result.channels)
        }
        if let rows {
            return try rowsConvolution(
                rows, filter: filter, op.window, image: source, result: result, offset: offset,
                epilogue: op.epilogue)
        }
        if let tile = PackedTile(op.window, image: source, result: result, traits) {
            return try packedConvolution(
                tile, filter: filter, op.window, image: source, result: result, offset: offset,
                epilogue: op.epilogue)
        }
        var geometry = ConvolutionGeometry(
            source: source, result: result, window: op.window, offset: offset, epilogue: op.epilogue)
        (geometry.strideHeight, geometry.strideWidth) =
            (Int32(op.window.stride.height), Int32(op.window.stride.width))
        (geometry.originHeight, geometry.originWidth) =
            (Int32(-op.window.padding.height), Int32(-op.window.padding.width))
        try gather(tile, filter: filter, geometry, bias: offset.argument, mask: .zeros)
    }

    /// Whether a node is a convolution by one of the kernels that can write among another value's channels.
    static func writesChannelViews(_ node: Node, in graph: Graph, traits: DeviceTraits) -> Bool {
        guard case .convolution2D(let op) = node.op, traits.groupTiles.isEmpty else { return false }
        let (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.outputs[0]))
        if WinogradTile(op.window, image: image, result: result, traits) != nil { return true }
        return DenseTile(op.window, inputs: image, outputs: result, traits) == nil
            && (RowsTile(op.window, image: image, result: result, traits) != nil
                || PackedTile(op.window, image: image, result: result, traits) != nil)
    }

    mutating func lower(_ op: Op.Convolution2DInputGradient) throws {
        let source = graph.shape(of: node.inputs[0])
        let result = op.inputShape
        let window = op.window
        if let mirrored = window.mirrored,
            let tile = WinogradTile(mirrored, image: source, result: result, traits)
        {
            return try winograd(
                tile, mirrored, image: source, result: result, offset: .none, epilogue: op.epilogue,
                isTransposed: true)
        }
        if let tile = DenseTile(window, inputs: result, outputs: source, traits) {
            return try denseInputGradient(tile, op, outputs: source)
        }
        if let rows = RowsInputGradientTile(window, image: result, gradient: source, traits) {
            let run = window.kernel.width * result.channels
            try pack(
                ConvolutionTile(channels: run, columns: rows.columns, traits), filter: node.inputs[1],
                taps: window.kernel.height, inputs: run, outputs: source.channels, isTransposed: true)
            return try rowsInputGradient(rows, op, gradient: source)
        }
        let rows =
            window.stride == Extent(1)
            ? window.mirrored.flatMap { RowsTile($0, image: source, result: result, traits) } : nil
        let tile = ConvolutionTile(channels: result.channels, columns: rows?.columns, traits)
        try pack(
            tile, filter: node.inputs[1], taps: window.kernel.area, inputs: result.channels,
            outputs: source.channels, isTransposed: true)
        if let rows, let mirrored = window.mirrored {
            return try rowsConvolution(
                rows, filter: .workspace, mirrored, image: source, result: result, offset: .none,
                epilogue: op.epilogue)
        }
        if window.stride == Extent(1), let mirrored = window.mirrored,
            let tile = PackedTile(mirrored, image: source, result: result, traits)
        {
            return try packedConvolution(
                tile, filter: .workspace, mirrored, image: source, result: result, offset: .none,
                epilogue: op.epilogue)
        }
        for row in 0..<window.stride.height {
            let rows = Phase(
                row, size: result.height, kernel: window.kernel.height, stride: window.stride.height,
                padding: window.padding.height)
            for column in 0..<window.stride.width {
                let columns = Phase(
                    column, size: result.width, kernel: window.kernel.width, stride: window.stride.width,
                    padding: window.padding.width)
                guard rows.pixels > 0 && columns.pixels > 0 else { continue }
                var geometry = ConvolutionGeometry(
                    source: source, result: result, window: window, epilogue: op.epilogue)
                (geometry.gridHeight, geometry.gridWidth) = (Int32(rows.pixels), Int32(columns.pixels))
                (geometry.originHeight, geometry.originWidth) = (Int32(rows.origin), Int32(columns.origin))
                (geometry.tapRows, geometry.tapColumns) = (Int32(rows.taps), Int32(columns.taps))
                (geometry.firstRow, geometry.firstColumn) = (Int32(rows.firstTap), Int32(columns.firstTap))
                (geometry.tapStepHeight, geometry.tapStepWidth) =
                    (Int32(window.stride.height), Int32(window.stride.width))
                (geometry.resultStepHeight, geometry.resultStepWidth) =
                    (geometry.tapStepHeight, geometry.tapStepWidth)
                (geometry.phaseHeight, geometry.phaseWidth) = (Int32(row), Int32(column))
                try gather(tile, filter: .workspace, geometry, bias: .zeros, mask: mask(op.epilogue))
            }
        }
    }

    private mutating func pack(
        _ tile: ConvolutionTile, filter: ValueID, taps: Int, inputs: Int, outputs: Int,
        isTransposed: Bool = false
    ) throws {
        try launch(
            "convolution2d_pack", in: "convolution2d", defining: tile.definitions,
            global: [taps * divide(isTransposed ? outputs : inputs, by: tile.lanes), tile.tiles],
            [.value(filter), .workspace, .int(taps), .int(inputs), .int(outputs), .int(isTransposed ? 1 : 0)])
    }

    private mutating func gather(
        _ tile: ConvolutionTile, filter: Argument, _ geometry: ConvolutionGeometry, bias: Argument,
        mask: Argument
    ) throws {
        try launch(
            "convolution2d_gather", in: "convolution2d", defining: tile.definitions,
            global: [divide(geometry.pixels, by: tile.pixels), tile.tiles],
            [
                .value(node.inputs[0]), filter, bias, mask, .value(node.outputs[0]), .zeros,
                .geometry(geometry),
            ])
    }
}
