import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// How a filter's gradient is cut up: the tile of a work-group, and parts of the output pixels.
struct TiledGradientSplit {
    let tile: GroupTile
    /// Parts of the pixels that are summed apart; a matter of shapes alone, never of the number of cores,
    /// which results must not depend on.
    let splits: Int
    /// Of the filter: taps × input channels.
    let rows: Int
    let columns: Int
    fileprivate let taps: DilatedTaps

    /// A split is worth its sums from so many chunks on.
    private static let leastChunks = 16
    /// More than this for partial sums would show in the memory of a training step.
    private static let mostPartialBytes = 64 << 20

    /// - Parameter batches: products of that size, each with sums of its own.
    init(_ window: Window, image: Shape, gradient: Shape, _ tiles: [GroupTile], batches: Int = 1) {
        rows = window.kernel.area * image.channels
        columns = gradient.channels
        taps = DilatedTaps(window.dilation)
        tile = GroupTile.best(of: tiles, rows: rows, columns: columns, isSplit: true)
        let workItems = batches * tile.groups(rows: rows, columns: columns) * tile.workItems
        let most = min(
            gradient.pixels / (tile.depth * Self.leastChunks),
            Self.mostPartialBytes / (4 * batches * (rows + 1) * columns))
        splits = max(min(divide(2 * GroupTile.busyWorkItems, by: workItems), most), 1)
    }

    var groups: Int { tile.groups(rows: rows, columns: columns) * splits }
    var partialByteCount: Int { splits == 1 ? 0 : 4 * splits * (rows + 1) * columns }
}

extension TiledGradientGeometry {
    init(_ window: Window, image: Shape, gradient: Shape, _ split: TiledGradientSplit, hasBias: Bool) {
        self.init()
        setLayer(window, image: image, result: gradient)
        splits = Int32(split.splits)
        splitStride = Int32((split.rows + 1) * split.columns)
        biasOffset = Int32(split.splits > 1 ? split.rows * split.columns : 0)
        self.hasBias = hasBias ? 1 : 0
        gradientStride = outputChannels
    }
}

/// The filter's gradient as a matrix product through local memory, in parts of the pixels that are added up behind it
/// (convolution2d_filter_gradient_tiled.cl).
struct TiledFilterGradient: ConvolutionForm {
    static let name = TiledConvolution.name
    static let reason = TiledConvolution.reason
    static let takesDilation = true

    let split: TiledGradientSplit
    let staging: Staging
    /// Values that a piece holds; nil where operands come word by word.
    private var pieceWidth: Int?

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard !traits.groupTiles.isEmpty else { return nil }
        split = TiledGradientSplit(pass.window, image: pass.image, gradient: pass.result, traits.groupTiles)
        let areWhole = [pass.image, pass.result].allSatisfy { $0.channels % pass.pieceWidth == 0 }
        staging = areWhole ? traits.staging : .words
        if staging > .words { pieceWidth = pass.pieceWidth }
    }

    var workspaceByteCount: Int { split.partialByteCount }
    func gradientWidth(_ pass: ConvolutionPass) -> Int? {
        pieceWidth ?? loadWidth(channels: pass.result.channels)
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let geometry = geometry(pass, lowering)
        lowering.multiply(
            lowering.input(0), lowering.input(1), into: sums(pass, in: lowering), split, geometry, staging,
            pieceWidth: pieceWidth)
        addSplits(
            pass, in: .tiledFilterGradient,
            defining: split.definitions(geometry, staging, pieceWidth: pieceWidth), &lowering)
    }

    /// Where the sums go, filter and bias: to the gradients, or in parts to the workspace; then the gradients, and what
    /// groups are counted with that add the parts.
    func sums(_ pass: ConvolutionPass, in lowering: Lowering) -> [Launch.Argument] {
        let gradients = [pass.filter(in: lowering), pass.biasGradient(in: lowering)]
        let counters: Launch.Argument =
            addsSplits(lowering.traits)
            ? .counters(split.tile.groups(rows: split.rows, columns: split.columns)) : .zeros
        return (split.splits > 1 ? [.workspace, .workspace] : gradients) + gradients + [counters]
    }

    /// The product of the node that is being lowered, whose groups add up the parts where they can.
    func geometry(_ pass: ConvolutionPass, _ lowering: Lowering) -> TiledGradientGeometry {
        var geometry = TiledGradientGeometry(
            pass.window, image: pass.image, gradient: pass.result, split, hasBias: pass.hasBias)
        geometry.addsSplits = addsSplits(lowering.traits) ? 1 : 0
        let layout = lowering.pixelLayout(of: lowering.node.inputs[1])
        (geometry.gradientStride, geometry.gradientFirst) = (Int32(layout.stride), Int32(layout.first))
        return geometry
    }

    private func addsSplits(_ traits: DeviceTraits) -> Bool { split.splits > 1 && traits.fence != nil }

    /// Adds up the parts, where there are any and no group of the product does.
    func addSplits(
        _ pass: ConvolutionPass, in file: KernelFile, defining definitions: [(String, Int)],
        _ lowering: inout Lowering
    ) {
        guard split.splits > 1, !addsSplits(lowering.traits) else { return }
        let filterCount = split.rows * split.columns
        let values = filterCount + (pass.hasBias ? pass.result.channels : 0)
        lowering.launch(
            "convolution2d_filter_gradient_reduce", in: file, defining: definitions,
            global: [values.roundedUp(toMultipleOf: Self.reduceItems)],
            local: [Self.reduceItems],
            [
                .workspace, pass.filter(in: lowering), pass.biasGradient(in: lowering), .int(filterCount),
                .int(pass.result.channels), .int(split.splits), .int(pass.hasBias ? 1 : 0),
            ])
    }

    private static let reduceItems = 128
}

extension TiledGradientSplit {
    func definitions(
        _ geometry: TiledGradientGeometry, _ staging: Staging, pieceWidth: Int?
    ) -> [(String, Int)] {
        tile.definitions(staging) + [
            ("SOURCE_WIDTH", pieceWidth ?? loadWidth(channels: Int(geometry.channels))),
            ("RESULT_WIDTH", pieceWidth ?? loadWidth(channels: Int(geometry.outputChannels))),
        ] + taps.definitions
    }
}

extension Lowering {
    /// Sums of so many batches, in splits, to where `TiledFilterGradient.sums` says.
    mutating func multiply(
        _ images: Argument, _ gradients: Argument, into sums: [Argument],
        _ split: TiledGradientSplit, _ geometry: TiledGradientGeometry, _ staging: Staging = .words,
        pieceWidth: Int? = nil,
        batches: Int = 1
    ) {
        launch(
            "convolution2d_filter_gradient_tiled", in: .tiledFilterGradient,
            defining: split.definitions(geometry, staging, pieceWidth: pieceWidth),
            global: [split.groups * split.tile.workItems, batches], local: [split.tile.workItems, 1],
            [images, gradients] + sums + [.geometry(geometry)])
    }
}
