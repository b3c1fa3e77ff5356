import ResinGraph
import ResinTensor

/// The form of the kernels in convolution2d_rows.cl.
struct RowsTile: Hashable {
    var columns: Int
    /// Columns j of the forward pass, or places k of the filter gradient, a register tile.
    var rows: Int
    /// Filter rows a register tile of the filter gradient.
    var taps: Int = 1
    /// Floats of a line.
    var line: Int
    /// Floats from column to column, a constant of the forward kernel's.
    var step: Int
    /// KW·C, where the forward kernel is unrolled over it.
    var run: Int = 0
    var kernelHeight: Int
    var lanes: Int
    /// Whether two neighbouring pixels share a vector.
    var isPaired: Bool

    /// The forward pass; nil where packed patches serve better: many channels on both sides, or results so narrow that
    /// register tiles would stick out of their rows.
    init?(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        guard Self.serves(image: image, result: result, traits) else { return nil }
        self.init(of: window, image: image, result: result, traits)
        // Such columns as other layers' filters are packed in, so that programs are few.
        columns = traits.registerTile(channels: result.channels).columns
        var registers = Self.registers(columns: columns, traits)
        if sharesValues {
            run = window.kernel.width
            // A row's value beside its sums.
            registers = (15 - columns) / (columns + 1)
        }
        // As few register tiles a row as there can be, of equal size.
        rows = divide(result.width, by: divide(result.width, by: registers))
        // Pairs need an even size, and programs become fewer.
        if lanes == 16 { rows = rows.roundedUp(toMultipleOf: 2) }
        setLine(window, image: image, result: result)
        guard lineByteCount <= traits.localMemoryByteCount / 4 else { return nil }
    }

    /// The filter gradient; nil as above.
    init?(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        guard Self.serves(image: image, result: gradient, traits) else { return nil }
        self.init(of: window, image: image, result: gradient, traits)
        let registers = Self.registers(columns: columns, traits)
        let run = window.kernel.width * image.channels
        rows = divide(run, by: divide(run, by: registers))
        if rows < run { rows = rows.roundedUp(toMultipleOf: 2) }
        for count in stride(from: window.kernel.height, to: 1, by: -1)
        where rows == run && window.kernel.height % count == 0 && count * rows <= registers {
            taps = count
            break
        }
        setLine(window, image: image, result: gradient)
        // A constant only where the kernel is unrolled for it.
        step = sharesValues ? 1 : 0
    }

    private init(of window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        lanes = traits.lanes
        columns = result.channels <= lanes ? 1 : 2
        isPaired =
            lanes == 16 && image.channels == 1 && window.stride.width == 1 && 2 * result.channels <= lanes
            && result.width % 2 == 0
        (rows, line) = (0, 0)
        step = window.stride.width * image.channels
        kernelHeight = window.kernel.height
    }

    /// Whether neighbouring columns' values are loaded once. With vectors of 16, a load is part of the multiply-add.
    private var sharesValues: Bool { lanes < 16 && step == 1 }

    private static func serves(image: Shape, result: Shape, _ traits: DeviceTraits) -> Bool {
        traits.prefersLongWorkItems && result.width >= 8
            && (image.channels <= 4 || result.channels <= 2 * traits.lanes)
    }

    /// Sums that a column of vectors may hold in registers, beside the vectors they are made from.
    private static func registers(columns: Int, _ traits: DeviceTraits) -> Int {
        // One for a value, `columns` for the filter's vectors.
        let registers = (traits.lanes < 16 ? 16 : 32) - 1
        return min((registers - columns) / columns, registers - 3)
    }

    private mutating func setLine(_ window: Window, image: Shape, result: Shape) {
        let padded = (window.padding.width + image.width) * image.channels
        let read = (max(result.width, rows) - 1) * step + window.kernel.width * image.channels + rows
        // Copying a row may write a vector's other lanes behind it.
        line = max(padded + lanes - 1, read).roundedUp(toMultipleOf: lanes)
    }

    var lineByteCount: Int { 4 * (kernelHeight * line + lanes) }
    var definitions: [(String, Int)] {
        [
            ("STEP", step), ("ROWS", rows), ("COLUMNS", columns), ("TAPS", taps),
            ("PAIRS", isPaired ? 1 : 0), ("RUN", run),
        ]
    }
}

/// What the filter gradient needs beside its register tile.
struct RowsFilterGradientTile: Hashable {
    var tile: RowsTile
    var partRows: Int
    /// Parts of the batch's rows that are summed apart; a matter of shapes alone, which results depend on.
    var splits: Int
    /// Rows of results whose lines are held at a time; sums do not depend on it.
    var block: Int
    private var lines: Int
    private var channelTiles: Int
    private var valuesASplit: Int

    /// Nil where sums and the lines under one row outgrow half of a core's cache.
    fileprivate init?(
        _ tile: RowsTile, _ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits
    ) {
        self.tile = tile
        let run = window.kernel.width * image.channels
        partRows = run.roundedUp(toMultipleOf: tile.rows)
        channelTiles = divide(gradient.channels, by: tile.columns * tile.lanes)
        splits = min(16, gradient.images * gradient.height)
        valuesASplit = (window.kernel.height * run + 1) * gradient.channels
        (block, lines) = (gradient.height, 0)
        let allowed = traits.localMemoryByteCount / 2
        repeat {
            lines = (block - 1) * window.stride.height + window.kernel.height
            if linesByteCount + sumsByteCount <= allowed { return }
            block /= 2
        } while block > 0
        return nil
    }

    init?(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        guard let tile = RowsTile(window, image: image, gradient: gradient, traits) else { return nil }
        self.init(tile, window, image: image, gradient: gradient, traits)
    }

    var linesByteCount: Int { 4 * (lines * tile.line + tile.lanes) }

    var sumsByteCount: Int {
        4 * channelTiles * (tile.kernelHeight * partRows + 1) * tile.columns * tile.lanes
    }
    var partialByteCount: Int { 4 * splits * valuesASplit }
}

/// The form of `convolution2d_input_gradient_rows`.
struct RowsInputGradientTile: Hashable {
    /// Vectors of what lies under a row of the filter.
    var columns: Int
    /// Pixels of dy a register tile.
    var rows: Int
    /// Filter rows a register tile.
    var taps: Int
    private var gatheredRows: Int
    var line: Int

    /// Nil where image channels fill vectors by themselves, or an image outgrows a core's cache.
    init?(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        let run = window.kernel.width * image.channels
        let (columns, registers) = (divide(run, by: traits.lanes), traits.lanes < 16 ? 12 : 24)
        guard traits.prefersLongWorkItems, 4 * image.channels <= 3 * traits.lanes,
            columns * traits.lanes <= 32, gradient.height * gradient.width > 1
        else { return nil }
        let kernelHeight = window.kernel.height
        self.columns = columns
        taps = (1...kernelHeight).last { kernelHeight % $0 == 0 && columns * $0 <= registers } ?? 1
        rows = min(registers / (columns * taps), 4)
        gatheredRows = max(
            (gradient.height - 1) * window.stride.height + kernelHeight,
            window.padding.height + image.height)
        let gathered = (gradient.width - 1) * window.stride.width * image.channels
        let read = (window.padding.width + image.width) * image.channels
        // Either may take part of a vector beyond its last float.
        line = (max(gathered + columns * traits.lanes, read + traits.lanes))
            .roundedUp(toMultipleOf: traits.lanes)
        guard linesByteCount <= traits.localMemoryByteCount / 2 else { return nil }
    }

    var linesByteCount: Int { 4 * gatheredRows * line }
    var definitions: [(String, Int)] {
        [("STEP", 0), ("ROWS", rows), ("COLUMNS", columns), ("TAPS", taps), ("PAIRS", 0), ("RUN", 0)]
    }
}

extension Lowering {
    private static let rowsFile = "convolution2d_rows"

    /// A convolution of `image`, the node's first input, with the packed filter.
    mutating func rowsConvolution(
        _ tile: RowsTile, filter: Argument, _ window: Window, image: Shape, result: Shape,
        offset: ConvolutionOffset,
        epilogue: Epilogue
    ) throws {
        var geometry = PatchGeometry(image: image, result: result, window, patchStride: tile.line)
        geometry.hasBias = offset.kind
        geometry.epilogue = epilogue.code
        geometry.setResult(pixelLayout(of: node.outputs[0]))
        try launch(
            "convolution2d_rows", in: Self.rowsFile, defining: tile.definitions,
            global: [traits.shares(of: result.images * result.height)],
            [
                .value(node.inputs[0]), filter, offset.argument, mask(epilogue), .value(node.outputs[0]),
                .local(byteCount: tile.lineByteCount), .geometry(geometry),
            ])
    }

    /// With the filter in the workspace, packed as one of KH × 1 taps and KW·C channels.
    mutating func rowsInputGradient(
        _ tile: RowsInputGradientTile, _ op: Op.Convolution2DInputGradient, gradient: Shape
    ) throws {
        var geometry = PatchGeometry(
            image: op.inputShape, result: gradient, op.window, patchStride: tile.line)
        geometry.epilogue = op.epilogue.code
        try launch(
            "convolution2d_input_gradient_rows", in: Self.rowsFile, defining: tile.definitions,
            global: [traits.shares(of: gradient.images)],
            [
                .value(node.inputs[0]), .workspace, mask(op.epilogue), .value(node.outputs[0]),
                .local(byteCount: tile.linesByteCount), .geometry(geometry),
            ])
    }

    mutating func rowsFilterGradient(
        _ form: RowsFilterGradientTile, _ window: Window, image: Shape, gradient: Shape, hasBias: Bool
    ) throws {
        var geometry = PatchGeometry(
            image: image, result: gradient, window, patchStride: form.tile.line, block: form.block)
        geometry.hasBias = hasBias ? 1 : 0
        geometry.splits = Int32(form.splits)
        geometry.partRows = Int32(form.partRows)
        try launch(
            "convolution2d_filter_gradient_rows", in: Self.rowsFile, defining: form.tile.definitions,
            global: [form.splits],
            [
                .value(node.inputs[0]), .value(node.inputs[1]), .workspace,
                .local(byteCount: form.linesByteCount), .local(byteCount: form.sumsByteCount),
                .geometry(geometry),
            ])
    }
}
