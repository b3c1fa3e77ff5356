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

    /// Nil where operands come word by word: where the device cannot take pieces, a pixel's channels are not whole pieces,
    /// or the product is too small.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        (taps, isTransposed) = (pass.window.kernel.area, pass.isTransposed)
        (channels, outputs) = (pass.image.channels, pass.result.channels)
        pieceWidth = pass.pieceWidth
        staging = traits.staging
        guard staging > .words, (isTransposed ? outputs : channels) % pieceWidth == 0,
            pass.result.pixels * taps * channels * outputs >= traits.leastPieceProducts
        else { return nil }
    }

    /// Whether a chunk of TILE_K, 16 words, is of one tap.
    var hasWholeTaps: Bool { (isTransposed ? outputs : channels) % (4 * pieceWidth) == 0 }
    var byteCount: Int {
        (taps * channels * outputs / pieceWidth * 16).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    /// Puts the filter in order, in the workspace.
    func prepare(_ filter: Launch.Argument, _ lowering: inout Lowering) -> Launch.Argument {
        let prepared = Launch.Argument.workspacePart(offset: 0, byteCount: byteCount)
        if isTransposed {
            lowering.launch(
                "convolution2d_filter_regroup", in: .filterOperands, defining: [("TENSOR", 1)],
                global: [outputs / 4, channels, taps],
                [filter, prepared, .int(taps), .int(channels), .int(outputs)])
        } else {
            // SIDE and GROUP_ROWS.
            let (side, groupRows) = (32, 8)
            lowering.launch(
                "convolution2d_filter_transpose", in: .filterOperands, defining: [("TENSOR", 1)],
                global: [
                    outputs.roundedUp(toMultipleOf: side), divide(taps * channels, by: side) * groupRows,
                ],
                local: [side, groupRows], [filter, prepared, .int(taps * channels), .int(outputs)])
        }
        return prepared
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

    private let operands: FilterOperands?

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard !traits.groupTiles.isEmpty else { return nil }
        operands = FilterOperands(pass, traits)
    }

    var workspaceByteCount: Int { operands?.byteCount ?? 0 }
    var writesChannelViews: Bool { true }
    var staging: Staging { operands?.staging ?? .words }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        var filter = pass.filter(in: lowering)
        if let operands { filter = operands.prepare(filter, &lowering) }
        var launches = ConvolutionGeometry.phases(pass)
        if pass.direction == .forward {
            var geometry = ConvolutionGeometry.forward(pass, offset: offset)
            let layout = lowering.pixelLayout(of: lowering.node.outputs[0])
            (geometry.resultStride, geometry.resultFirst) = (Int32(layout.stride), Int32(layout.first))
            launches = [geometry]
        }
        for geometry in launches {
            lowering.multiply(
                lowering.input(0), filter, into: lowering.output(0), geometry, operands,
                bias: offset.argument, addend: lowering.addend(of: pass.epilogue),
                operand: lowering.operand(of: pass.epilogue), isTransposed: pass.isTransposed)
        }
    }
}

extension Lowering {
    /// So many batches of convolutions of one size, side by side.
    mutating func multiply(
        _ source: Argument, _ filter: Argument, into result: Argument, _ geometry: ConvolutionGeometry,
        _ operands: FilterOperands? = nil, bias: Argument = .zeros, addend: Argument = .zeros,
        operand: Argument = .zeros,
        isTransposed: Bool = false, batches: Int = 1
    ) {
        let channels = Int(geometry.resultChannels)
        let tile = GroupTile.best(
            of: traits.groupTiles, rows: geometry.pixels, columns: channels, batches: batches)
        let sourceWidth = operands?.pieceWidth ?? loadWidth(channels: Int(geometry.sourceChannels))
        launch(
            "convolution2d_tiled", in: .tiled,
            defining: tile.definitions(operands?.staging ?? .words) + [
                ("TRANSPOSED", isTransposed ? 1 : 0), ("SOURCE_WIDTH", sourceWidth),
                ("RESULT_WIDTH", geometry.resultLoadWidth),
                ("WHOLE_TAPS", operands?.hasWholeTaps == true ? 1 : 0),
            ],
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems, batches],
            local: [tile.workItems, 1],
            [source, filter, bias, addend, operand, result, .geometry(geometry)])
    }
}
