import ResinGraph
import ResinTensor

/// The register tile of `convolution2d_gather`: ROWS × COLUMNS vectors of sums.
struct ConvolutionTile: Hashable {
    var pixels: Int
    var columns: Int
    var lanes: Int
    /// Channel tiles that cover the result's channels.
    var tiles: Int

    /// - Parameter givenColumns: columns that another kernel's tile has, whose filter is packed in this order.
    init(channels: Int, columns givenColumns: Int? = nil, _ traits: DeviceTraits) {
        lanes = traits.lanes
        (pixels, columns) = traits.registerTile(channels: channels)
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

    /// The forward pass of a layer.
    static func convolution(
        _ op: Op.Convolution2D, source: Shape, result: Shape, offset: ConvolutionOffset
    ) -> ConvolutionGeometry {
        var geometry = ConvolutionGeometry(
            source: source, result: result, window: op.window, offset: offset, epilogue: op.epilogue)
        (geometry.strideHeight, geometry.strideWidth) =
            (Int32(op.window.stride.height), Int32(op.window.stride.width))
        (geometry.originHeight, geometry.originWidth) =
            (Int32(-op.window.padding.height), Int32(-op.window.padding.width))
        return geometry
    }

    /// The input gradient's phases, a launch each: the pixels of the image by their place within the stride.
    static func phases(_ op: Op.Convolution2DInputGradient, gradient: Shape) -> [ConvolutionGeometry] {
        let (window, image) = (op.window, op.inputShape)
        var phases: [ConvolutionGeometry] = []
        for row in 0..<window.stride.height {
            let rows = Phase(
                row, size: image.height, kernel: window.kernel.height, stride: window.stride.height,
                padding: window.padding.height)
            for column in 0..<window.stride.width {
                let columns = Phase(
                    column, size: image.width, kernel: window.kernel.width, stride: window.stride.width,
                    padding: window.padding.width)
                guard rows.pixels > 0 && columns.pixels > 0 else { continue }
                var geometry = ConvolutionGeometry(
                    source: gradient, result: image, window: window, epilogue: op.epilogue)
                (geometry.gridHeight, geometry.gridWidth) = (Int32(rows.pixels), Int32(columns.pixels))
                (geometry.originHeight, geometry.originWidth) = (Int32(rows.origin), Int32(columns.origin))
                // No tap at all reaches a phase of a kernel narrower than the stride: zeros, without a step.
                let isReached = rows.taps > 0 && columns.taps > 0
                (geometry.tapRows, geometry.tapColumns) =
                    isReached ? (Int32(rows.taps), Int32(columns.taps)) : (0, 0)
                (geometry.firstRow, geometry.firstColumn) = (Int32(rows.firstTap), Int32(columns.firstTap))
                (geometry.tapStepHeight, geometry.tapStepWidth) =
                    (Int32(window.stride.height), Int32(window.stride.width))
                (geometry.resultStepHeight, geometry.resultStepWidth) =
                    (geometry.tapStepHeight, geometry.tapStepWidth)
                (geometry.phaseHeight, geometry.phaseWidth) = (Int32(row), Int32(column))
                phases.append(geometry)
            }
        }
        return phases
    }

    /// Pixels of the launch.
    var pixels: Int { Int(gridImages) * Int(gridHeight) * Int(gridWidth) }
}

/// What the geometries of several kernels begin with: the layer's image, window and result.
struct LayerGeometry: BitwiseCopyable {
    var images, height, width, channels: Int32
    var kernelHeight, kernelWidth: Int32
    var strideHeight, strideWidth: Int32
    var paddingHeight, paddingWidth: Int32
    var outputHeight, outputWidth, outputChannels: Int32

    init(_ window: Window, image: Shape, result: Shape) {
        (images, height, width) = (Int32(image.images), Int32(image.height), Int32(image.width))
        channels = Int32(image.channels)
        (kernelHeight, kernelWidth) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (strideHeight, strideWidth) = (Int32(window.stride.height), Int32(window.stride.width))
        (paddingHeight, paddingWidth) = (Int32(window.padding.height), Int32(window.padding.width))
        (outputHeight, outputWidth) = (Int32(result.height), Int32(result.width))
        outputChannels = Int32(result.channels)
    }
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
        let form = ConvolutionForm(op.window, image: source, result: result, traits)
        var filter = Argument.value(node.inputs[1])
        // A filter of just one tile's channels is packed as it is.
        if let tile = form.filterTile, result.channels != tile.columns * tile.lanes {
            try pack(
                tile, filter: node.inputs[1], taps: op.window.kernel.area, inputs: source.channels,
                outputs: result.channels)
            filter = .workspace
        }
        switch form {
        case .winograd(let tile):
            try winograd(
                tile, op.window, image: source, result: result, offset: offset, epilogue: op.epilogue)
        case .dense(let tile):
            try dense(tile, op, inputs: source, outputs: result, offset: offset)
        case .rows(let tile, _):
            try rowsConvolution(
                tile, filter: filter, op.window, image: source, result: result, offset: offset,
                epilogue: op.epilogue)
        case .packed(let tile):
            try packedConvolution(
                tile, filter: filter, op.window, image: source, result: result, offset: offset,
                epilogue: op.epilogue)
        case .gather(let tile):
            try gather(
                tile, filter: filter, .convolution(op, source: source, result: result, offset: offset),
                bias: offset.argument, mask: .zeros)
        }
    }

    mutating func lower(_ op: Op.Convolution2DInputGradient) throws {
        let gradient = graph.shape(of: node.inputs[0])
        let form = InputGradientForm(op, gradient: gradient, traits)
        if let filter = form.filter(op) {
            try pack(
                filter.tile, filter: node.inputs[1], taps: filter.taps, inputs: filter.channels,
                outputs: gradient.channels, isTransposed: true)
        }
        switch form {
        case .winograd(let tile, let mirrored):
            try winograd(
                tile, mirrored, image: gradient, result: op.inputShape, offset: .none,
                epilogue: op.epilogue, isTransposed: true)
        case .rows(let tile, let mirrored, _):
            try rowsConvolution(
                tile, filter: .workspace, mirrored, image: gradient, result: op.inputShape, offset: .none,
                epilogue: op.epilogue)
        case .packed(let tile, let mirrored):
            try packedConvolution(
                tile, filter: .workspace, mirrored, image: gradient, result: op.inputShape, offset: .none,
                epilogue: op.epilogue)
        case .dense(let tile): try denseInputGradient(tile, op, outputs: gradient)
        case .scatter(let tile, _): try rowsInputGradient(tile, op, gradient: gradient)
        case .gather(let tile):
            for phase in ConvolutionGeometry.phases(op, gradient: gradient) {
                try gather(tile, filter: .workspace, phase, bias: .zeros, mask: mask(op.epilogue))
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
