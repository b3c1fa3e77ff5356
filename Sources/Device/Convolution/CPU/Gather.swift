import ResinGraph
import ResinKernels
import ResinPlan
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

/// The sum as it is written, over pixels that are gathered tap by tap (convolution2d_gather.cl), with the filter packed by
/// channel tiles; the input's gradient phase by phase of the stride.
struct GatherConvolution: ConvolutionForm {
    static let name = "gather"
    static let reason = "serves every shape"
    static let takesDilation = true

    private let tile: ConvolutionTile
    let workspaceByteCount: Int
    let zeroCount: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (image, result) = (pass.image.channels, pass.result.channels)
        let (reduced, channels) = pass.isTransposed ? (result, image) : (image, result)
        tile = ConvolutionTile(channels: channels, traits)
        workspaceByteCount = tile.packedByteCount(taps: pass.window.kernel.area, reduced: reduced)
        zeroCount = pass.window.kernel.width * reduced
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let filter = pass.packedFilter(tile, &lowering)
        let launches =
            pass.isTransposed ? ConvolutionGeometry.phases(pass) : [.forward(pass, offset: offset)]
        for geometry in launches {
            lowering.launch(
                "convolution2d_gather", in: .gather,
                defining: tile.definitions + DilatedTaps(pass).definitions,
                global: [divide(geometry.pixels, by: tile.pixels), tile.tiles],
                [
                    lowering.input(0), filter, offset.argument, lowering.addend(of: pass.epilogue),
                    lowering.operand(of: pass.epilogue), lowering.output(0), .zeros, .geometry(geometry),
                ])
        }
    }
}

extension ConvolutionPass {
    /// The filter in the order of a tile, in the workspace: for the input's gradient always, for the forward pass unless
    /// it is of just one tile's channels, which lies in that order as it is.
    func packedFilter(_ tile: ConvolutionTile, _ lowering: inout Lowering) -> Launch.Argument {
        let outputs = result.channels
        if !isTransposed, outputs == tile.columns * tile.lanes { return filter(in: lowering) }
        return packedFilter(tile, taps: window.kernel.area, inputs: image.channels, &lowering)
    }

    /// The same, of a filter that is taken to have so many taps and inputs.
    func packedFilter(
        _ tile: ConvolutionTile, taps: Int, inputs: Int, _ lowering: inout Lowering
    ) -> Launch.Argument {
        let outputs = result.channels
        lowering.launch(
            "convolution2d_pack", in: .gather, defining: tile.definitions,
            global: [taps * divide(isTransposed ? outputs : inputs, by: tile.lanes), tile.tiles],
            readsWeightsAlone: true,
            [
                filter(in: lowering), .workspace, .int(taps), .int(inputs), .int(outputs),
                .int(isTransposed ? 1 : 0),
            ])
        return .workspace
    }
}
