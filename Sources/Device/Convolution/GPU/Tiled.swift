import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension ConvolutionGeometry {
    /// Channels of the result that a load or store takes at once.
    var resultLoadWidth: Int {
        [resultChannels, resultStride, resultFirst].map { loadWidth(channels: Int($0)) }.min()!
    }
}

/// The filter of a product whose operands come in pieces, as Kernels/gpu/convolution2d_filter_operands.cl puts it.
struct FilterOperands {
    private let taps: Int
    /// Of the filter as it is stored.
    private let channels: Int
    private let outputs: Int
    /// Whether the outputs are summed: for the input's gradient.
    private let isTransposed: Bool
    /// Values that a piece of 16 bytes holds.
    let pieceWidth: Int
    let staging: Staging
    /// The part of the filter that is multiplied: its one tap.
    private let tapOffset: Int

    /// Nil where operands come word by word: where the device cannot take pieces, a pixel's channels are not whole pieces,
    /// or the product is too small.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        (taps, isTransposed) = (pass.window.kernel.area, pass.isTransposed)
        (channels, outputs) = (pass.image.channels, pass.result.channels)
        pieceWidth = pass.pieceWidth
        staging = traits.staging
        tapOffset =
            pass.tap?.byteRange(inputs: pass.image.channels, outputs: pass.result.channels).lowerBound ?? 0
        guard staging > .words, (isTransposed ? outputs : channels) % pieceWidth == 0,
            pass.result.pixels * taps * channels * outputs >= traits.leastPieceProducts
        else { return nil }
    }

    /// Whether a chunk of TILE_K, 16 words, is of one tap.
    var hasWholeTaps: Bool { (isTransposed ? outputs : channels) % (4 * pieceWidth) == 0 }
    var byteCount: Int {
        (taps * channels * outputs / pieceWidth * 16).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    /// Where the filter begins among the parameters.
    fileprivate func sourceByteOffset(of node: Node, _ plan: Plan) -> Int {
        guard case .region(.parameters, let offset) = plan[node.inputs[1]] else {
            preconditionFailure("\(node.name)'s filter is no parameter")
        }
        return offset + tapOffset
    }

    /// Squares of the filter's matrix, a work-group each.
    fileprivate var squares: Int { divide(taps * channels, by: Self.side) * divide(outputs, by: Self.side) }

    fileprivate func task(firstGroup: Int, source: Int, target: Int) -> FilterTask {
        FilterTask(
            firstGroup: Int32(firstGroup), source: Int32(source), target: Int32(target), taps: Int32(taps),
            channels: Int32(channels), outputs: Int32(outputs), sumsOutputs: isTransposed ? 1 : 0)
    }

    /// SIDE and GROUP_ROWS.
    fileprivate static let (side, groupRows) = (32, 8)
}

extension Lowering {
    /// Puts the filters of all nodes in order, in one launch.
    mutating func prepareFilters() {
        var tasks: [FilterTask] = []
        var groups = 0
        let start = plan.prepared.values.map(\.lowerBound).min()!
        for (index, range) in plan.prepared.sorted(by: { $0.key < $1.key }) {
            let operands = (plan.forms[index] as! DeviceForm).operands!
            tasks.append(
                operands.task(
                    firstGroup: groups, source: operands.sourceByteOffset(of: graph.nodes[index], plan) / 4,
                    target: (range.lowerBound - start) / (16 / operands.pieceWidth)))
            groups += operands.squares
        }
        let (side, groupRows) = (FilterOperands.side, FilterOperands.groupRows)
        launch(
            "convolution2d_filter_operands", in: .filterOperands, defining: [("TENSOR", 1)],
            global: [side * groups, groupRows], local: [side, groupRows],
            [.region(.parameters), .allPrepared, .table(tasks), .int(tasks.count)])
    }
}

extension ConvolutionPass {
    /// Activations that 16 bytes hold.
    var pieceWidth: Int { 16 / (halfType ?? .float32).byteCount }
}

/// A matrix product through local memory, whose left side is gathered from the image chunk by chunk: implicit GEMM
/// (convolution2d_tiled.cl).
struct TiledConvolution: ConvolutionForm {
    static let name = "tiled"
    static let reason =
        "what a GPU's local memory and tensor cores are for; the input's gradient phase by phase"
    static let takesDilation = true

    let operands: FilterOperands?

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard !traits.groupTiles.isEmpty else { return nil }
        operands = FilterOperands(pass, traits)
    }

    var writesChannelViews: Bool { true }
    func gradientWidth(_ pass: ConvolutionPass) -> Int? {
        operands?.pieceWidth ?? loadWidth(channels: pass.result.channels)
    }
    var staging: Staging { operands?.staging ?? .words }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) { lower(pass, nil, &lowering) }

    /// - Parameter sums: what the launch also sums of its result; such a pass is one launch.
    func lower(_ pass: ConvolutionPass, _ sums: NormSums?, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let filter = operands == nil ? pass.filter(in: lowering) : .prepared
        var launches = ConvolutionGeometry.phases(pass)
        if pass.direction == .forward {
            var geometry = ConvolutionGeometry.forward(pass, offset: offset)
            let layout = lowering.pixelLayout(of: lowering.node.outputs[0])
            (geometry.resultStride, geometry.resultFirst) = (Int32(layout.stride), Int32(layout.first))
            launches = [geometry]
        }
        let layout = lowering.pixelLayout(of: lowering.node.inputs[0])
        for var geometry in launches {
            geometry.setSource(layout)
            lowering.multiply(
                lowering.input(0), filter, into: lowering.output(0), geometry, operands,
                bias: offset.argument, addend: lowering.addend(of: pass.epilogue),
                operand: lowering.operand(of: pass.epilogue), isTransposed: pass.isTransposed,
                taps: DilatedTaps(pass), sums: sums)
        }
    }
}

extension Lowering {
    /// So many batches of convolutions of one size, side by side.
    mutating func multiply(
        _ source: Argument, _ filter: Argument, into result: Argument, _ geometry: ConvolutionGeometry,
        _ operands: FilterOperands? = nil, bias: Argument = .zeros, addend: Argument = .zeros,
        operand: Argument = .zeros,
        isTransposed: Bool = false, taps: DilatedTaps? = nil, batches: Int = 1, sums: NormSums? = nil
    ) {
        let channels = Int(geometry.resultChannels)
        let tile = GroupTile.best(
            of: traits.groupTiles, rows: geometry.pixels, columns: channels, batches: batches)
        let sourceWidth = operands?.pieceWidth ?? loadWidth(channels: Int(geometry.sourceChannels))
        let definitions =
            tile.definitions(operands?.staging ?? .words) + [
                ("TRANSPOSED", isTransposed ? 1 : 0), ("SOURCE_WIDTH", sourceWidth),
                ("RESULT_WIDTH", geometry.resultLoadWidth),
                ("WHOLE_TAPS", operands?.hasWholeTaps == true ? 1 : 0),
            ] + (taps?.definitions ?? [])
        if let sums {
            sums.multiply(
                source, filter, bias: bias, addend: addend, operand: operand, into: result, geometry, tile,
                definitions, &self)
            return
        }
        launch(
            "convolution2d_tiled", in: .tiled, defining: definitions,
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems, batches],
            local: [tile.workItems, 1],
            [source, filter, bias, addend, operand, result, .geometry(geometry)])
    }
}
