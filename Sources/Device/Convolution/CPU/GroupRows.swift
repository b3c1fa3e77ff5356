import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// What the kernels of convolution2d_group_rows.cl are built for, and how they cut up a pass.
private struct GroupRows {
    /// Whether a vector holds the outputs of several groups.
    private let isSmall: Bool
    /// Vectors of a block of the result's channels.
    let columns: Int
    /// Pixels of a run.
    private let pixels: Int
    /// Input channels of a register tile of the filter's gradient.
    private let tileInputs: Int
    private let lanes: Int
    private let window: Window
    private let direction: ConvolutionPass.Direction
    /// Of a group, on the side of the source: the image, or for its gradient dy.
    private let inputs: Int
    private(set) var geometry = GroupRowsGeometry()
    let blocks: Int
    private(set) var rows: Int
    private(set) var parts = 0
    let linesByteCount: Int
    let gradientsByteCount: Int

    /// Rows of the filter are unrolled up to so many taps, strides and columns.
    private static let (widestKernel, longestStride, mostColumns) = (7, 4, 32)
    /// What rows are copied to stays in the nearest caches.
    private static let mostByteCount = 128 << 10
    /// Parts that keep some cores busy while sums are added up by parts.
    private static let leastParts = 32

    /// Nil where rows of the filter are longer than the kernels are unrolled for, or those of the image outgrow a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        (window, direction, lanes) = (pass.window, pass.direction, traits.lanes)
        let (kernel, stride) = (window.kernel.width, window.stride.width)
        guard kernel <= Self.widestKernel, stride <= Self.longestStride,
            window.extent.width <= Self.mostColumns
        else { return nil }
        let (source, result) = pass.isTransposed ? (pass.result, pass.image) : (pass.image, pass.result)
        inputs = source.channels / pass.groups
        let outputs = result.channels / pass.groups
        isSmall = inputs == outputs && inputs < lanes && lanes % inputs == 0
        let vectors = divide(outputs, by: lanes)
        // Blocks of equal width.
        columns = isSmall ? 1 : divide(vectors, by: divide(vectors, by: lanes < 16 ? 3 : 4))
        blocks =
            isSmall ? divide(result.channels, by: lanes) : pass.groups * divide(vectors, by: columns)
        // Sums in registers: beside them are the filter's vectors and a value, of small groups the lanes' order.
        let tile = (lanes < 16 ? 12 : 24) / columns
        let step = pass.isTransposed ? stride : 1
        let hidden = pass.isTransposed ? window.padding.left % stride : 0
        let width = hidden + result.width
        let isFilterGradient = direction == .filterGradient
        let run = !isSmall ? tile : isFilterGradient ? 8 : lanes < 16 ? 13 - kernel : 16
        pixels = divide(width, by: divide(width, by: run)).roundedUp(toMultipleOf: step)
        tileInputs = isSmall ? min(inputs, 4) : divide(inputs, by: divide(inputs, by: tile))

        let resultColumns = width.roundedUp(toMultipleOf: pixels)
        let reach = window.extent.width - 1
        let linePixels: Int
        if pass.isTransposed {
            let lowest = reach / stride
            geometry.firstColumn = Int32(window.padding.left / stride - lowest)
            linePixels = (resultColumns - 1) / stride + 1 + lowest
        } else {
            geometry.firstColumn = Int32(-window.padding.left)
            linePixels = (resultColumns - 1) * stride + reach + 1
        }
        // A copy may write a vector behind the last pixel.
        let pitch =
            (linePixels * (isSmall ? lanes : inputs)).roundedUp(toMultipleOf: lanes) + (isSmall ? 0 : lanes)
        let gradientsARow = isFilterGradient ? 4 * resultColumns * columns * lanes : 0
        let (below, down) = (pass.window.extent.height - 1, pass.window.stride.height)
        func byteCountOfLines(_ rows: Int) -> Int {
            let lines = pass.isTransposed ? (rows - 1 + below) / down + 2 : (rows - 1) * down + below + 1
            return 4 * (lines * pitch + 2 * traits.lanes)
        }
        rows = result.height
        let allowed = traits.localMemoryByteCount / 2
        func byteCount(_ rows: Int) -> Int { byteCountOfLines(rows) + rows * gradientsARow }
        while rows > 1 && byteCount(rows) > min(Self.mostByteCount, allowed) { rows = divide(rows, by: 2) }
        if isFilterGradient {
            while rows > 4 && result.images * divide(result.height, by: rows) < Self.leastParts {
                rows = divide(rows, by: 2)
            }
        }
        guard byteCount(rows) <= allowed else { return nil }
        linesByteCount = byteCountOfLines(rows)
        gradientsByteCount = rows * gradientsARow
        parts = result.images * divide(result.height, by: rows)

        (geometry.sourceHeight, geometry.sourceWidth) = (Int32(source.height), Int32(source.width))
        (geometry.resultHeight, geometry.resultWidth) = (Int32(result.height), Int32(result.width))
        (geometry.sourceChannels, geometry.resultChannels) = (Int32(source.channels), Int32(result.channels))
        geometry.outputs = Int32(outputs)
        (geometry.kernelHeight, geometry.strideHeight) =
            (Int32(window.kernel.height), Int32(window.stride.height))
        (geometry.dilationHeight, geometry.paddingHeight) =
            (Int32(window.dilation.height), Int32(window.padding.top))
        (geometry.blocks, geometry.parts, geometry.rows) = (Int32(blocks), Int32(parts), Int32(rows))
        (geometry.linePixels, geometry.pitch) = (Int32(linePixels), Int32(pitch))
        (geometry.resultColumns, geometry.hiddenColumns) = (Int32(resultColumns), Int32(hidden))
        geometry.epilogue = pass.epilogue.code
        geometry.hasBias = pass.hasBias ? 1 : 0
    }

    var definitions: [(String, Int)] {
        [
            ("SMALL", isSmall ? 1 : 0), ("INPUTS", inputs), ("GRADIENT", direction == .inputGradient ? 1 : 0),
            ("COLUMNS", columns), ("PIXELS", pixels), ("KERNEL_WIDTH", window.kernel.width),
            ("STRIDE", window.stride.width), ("DILATION", window.dilation.width), ("ROWS", tileInputs),
        ]
    }

    /// The filter in the order of blocks.
    var packedByteCount: Int { 4 * blocks * window.kernel.area * inputs * columns * lanes }
}

/// Rows of the image, of a group's channels or of a vector of small groups, are copied into a core's cache with the padding's
/// zeros (convolution2d_group_rows.cl); the image's gradient at a stride in one launch.
struct GroupRowsConvolution: ConvolutionForm {
    static let name = "group rows"
    static let reason = "rows of a group's channels, or of a vector of small groups, fit a core's cache"
    static let takesDilation = true

    private let cut: GroupRows
    var workspaceByteCount: Int { cut.packedByteCount }

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let cut = GroupRows(pass, traits) else { return nil }
        self.cut = cut
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        var geometry = cut.geometry
        geometry.offsetKind = offset.kind
        lowering.launch(
            "convolution2d_group_rows_pack", in: .groupRows, defining: cut.definitions,
            global: [cut.blocks, pass.window.kernel.area], readsWeightsAlone: true,
            [pass.filter(in: lowering), .workspace, .geometry(geometry)])
        lowering.launch(
            "convolution2d_group_rows", in: .groupRows, defining: cut.definitions,
            global: [lowering.traits.shares(of: cut.parts * cut.blocks)],
            [
                lowering.input(0), .workspace, offset.argument, lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0),
                .local(byteCount: cut.linesByteCount), .geometry(geometry),
            ])
    }
}

/// The filter's gradient from such rows, summed over parts of them.
struct GroupRowsFilterGradient: ConvolutionForm {
    static let name = GroupRowsConvolution.name
    static let reason = GroupRowsConvolution.reason
    static let takesDilation = true

    private let cut: GroupRows
    private let splits: GroupedSplits
    var workspaceByteCount: Int { splits.byteCount }

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let cut = GroupRows(pass, traits) else { return nil }
        self.cut = cut
        splits = GroupedSplits(pass, mostParts: cut.parts, traits)
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        lowering.launch(
            "convolution2d_group_rows_filter_gradient", in: .groupRows, defining: cut.definitions,
            global: [splits.count],
            [
                lowering.input(0), lowering.input(1), .workspace, .local(byteCount: cut.linesByteCount),
                .local(byteCount: cut.gradientsByteCount), .geometry(cut.geometry),
            ])
        splits.add(pass, &lowering)
    }
}
