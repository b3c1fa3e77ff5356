import ResinGraph
import ResinKernels
import ResinPlan
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
        result.width >= 8
            && (image.channels <= 4 || result.channels <= 2 * traits.lanes)
    }

    /// Sums that a column of vectors may hold in registers, beside the vectors they are made from.
    private static func registers(columns: Int, _ traits: DeviceTraits) -> Int {
        // One for a value, `columns` for the filter's vectors.
        let registers = (traits.lanes < 16 ? 16 : 32) - 1
        return min((registers - columns) / columns, registers - 3)
    }

    private mutating func setLine(_ window: Window, image: Shape, result: Shape) {
        let padded = (window.padding.left + image.width) * image.channels
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

/// A convolution along lines: image rows with their padding, copied into a core's cache, from which a register tile of
/// columns takes what lies under the filter, without packing it (convolution2d_rows.cl).
struct RowsConvolution: ConvolutionForm {
    static let name = "rows"
    static let reason = "few channels on one side, where packed patches would cost more than they save"

    private let tile: RowsTile
    private let filter: ConvolutionTile
    private let convolution: (window: Window, source: Shape, target: Shape)
    let workspaceByteCount: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let convolution = pass.convolution,
            let tile = RowsTile(
                convolution.window, image: convolution.source, result: convolution.target, traits)
        else { return nil }
        self.convolution = convolution
        self.tile = tile
        filter = ConvolutionTile(channels: convolution.target.channels, columns: tile.columns, traits)
        workspaceByteCount = filter.packedByteCount(
            taps: convolution.window.kernel.area, reduced: convolution.source.channels)
    }

    var writesChannelViews: Bool { true }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let filter = pass.packedFilter(filter, &lowering)
        let (window, image, result) = convolution
        var geometry = PatchGeometry(window, image: image, result: result, pitch: tile.line)
        geometry.offsetKind = offset.kind
        geometry.epilogue = pass.epilogue.code
        geometry.setResult(lowering.pixelLayout(of: lowering.node.outputs[0]))
        lowering.launch(
            "convolution2d_rows", in: .rows, defining: tile.definitions,
            global: [lowering.traits.shares(of: result.images * result.height)],
            [
                lowering.input(0), filter, offset.argument, lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0),
                .local(byteCount: tile.lineByteCount), .geometry(geometry),
            ])
    }
}

/// The filter's gradient from such lines.
struct RowsFilterGradient: ConvolutionForm {
    static let name = RowsConvolution.name
    static let reason = RowsConvolution.reason

    private let tile: RowsTile
    private let partRows: Int
    /// Parts of the batch's rows that are summed apart; a matter of shapes alone, which results depend on.
    private let splits: Int
    /// Rows of results whose lines are held at a time; sums do not depend on it.
    private var block: Int
    private var lines: Int
    private var channelTiles: Int
    private var valuesASplit: Int

    /// Nil where sums and the lines under one row outgrow half of a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (window, image, gradient) = (pass.window, pass.image, pass.result)
        guard let tile = RowsTile(window, image: image, gradient: gradient, traits) else { return nil }
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

    private var linesByteCount: Int { 4 * (lines * tile.line + tile.lanes) }

    private var sumsByteCount: Int {
        4 * channelTiles * (tile.kernelHeight * partRows + 1) * tile.columns * tile.lanes
    }
    var workspaceByteCount: Int { 4 * splits * valuesASplit }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = PatchGeometry(pass, pitch: tile.line, block: block)
        geometry.hasBias = pass.hasBias ? 1 : 0
        geometry.splits = Int32(splits)
        geometry.partRows = Int32(partRows)
        lowering.launch(
            "convolution2d_filter_gradient_rows", in: .rows, defining: tile.definitions, global: [splits],
            [
                lowering.input(0), lowering.input(1), .workspace, .local(byteCount: linesByteCount),
                .local(byteCount: sumsByteCount), .geometry(geometry),
            ])
        pass.addSplits(splits, &lowering)
    }
}

/// Each pixel of dy is added to the image's rows under the filter (`convolution2d_input_gradient_rows`), with the filter
/// packed as one of KH × 1 taps and KW·C channels.
struct RowsInputGradient: ConvolutionForm {
    static let name = "scattered rows"
    static let reason = "so few image channels that a row of the filter over them is a few vectors"

    private let filter: ConvolutionTile
    /// Vectors of what lies under a row of the filter.
    private let columns: Int
    /// Pixels of dy a register tile.
    private let rows: Int
    /// Filter rows a register tile.
    private let taps: Int
    private let gatheredRows: Int
    private let line: Int
    let workspaceByteCount: Int

    /// Nil where image channels fill vectors by themselves, or an image outgrows a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (window, image, gradient) = (pass.window, pass.image, pass.result)
        let run = window.kernel.width * image.channels
        let (columns, registers) = (divide(run, by: traits.lanes), traits.lanes < 16 ? 12 : 24)
        guard 4 * image.channels <= 3 * traits.lanes,
            columns * traits.lanes <= 32, gradient.height * gradient.width > 1
        else { return nil }
        let kernelHeight = window.kernel.height
        self.columns = columns
        filter = ConvolutionTile(channels: run, columns: columns, traits)
        workspaceByteCount = filter.packedByteCount(taps: kernelHeight, reduced: gradient.channels)
        taps = (1...kernelHeight).last { kernelHeight % $0 == 0 && columns * $0 <= registers } ?? 1
        rows = min(registers / (columns * taps), 4)
        gatheredRows = max(
            (gradient.height - 1) * window.stride.height + kernelHeight,
            window.padding.top + image.height)
        let gathered = (gradient.width - 1) * window.stride.width * image.channels
        let read = (window.padding.left + image.width) * image.channels
        // Either may take part of a vector beyond its last float.
        line = (max(gathered + columns * traits.lanes, read + traits.lanes))
            .roundedUp(toMultipleOf: traits.lanes)
        guard linesByteCount <= traits.localMemoryByteCount / 2 else { return nil }
    }

    private var linesByteCount: Int { 4 * gatheredRows * line }
    private var definitions: [(String, Int)] {
        [("STEP", 0), ("ROWS", rows), ("COLUMNS", columns), ("TAPS", taps), ("PAIRS", 0), ("RUN", 0)]
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let (kernel, channels) = (pass.window.kernel, pass.image.channels)
        let packed = pass.packedFilter(
            filter, taps: kernel.height, inputs: kernel.width * channels, &lowering)
        var geometry = PatchGeometry(pass, pitch: line)
        geometry.epilogue = pass.epilogue.code
        lowering.launch(
            "convolution2d_input_gradient_rows", in: .rows, defining: definitions,
            global: [lowering.traits.shares(of: pass.result.images)],
            [
                lowering.input(0), packed, lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0),
                .local(byteCount: linesByteCount), .geometry(geometry),
            ])
    }
}
