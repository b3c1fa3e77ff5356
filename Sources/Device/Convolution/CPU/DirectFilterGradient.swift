import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// The sum as it is written (convolution2d_filter_gradient.cl), in registers for a tile of the filter, over parts of the
/// batch.
struct DirectFilterGradient: ConvolutionForm {
    static let name = "direct"
    static let reason = GatherConvolution.reason
    static let takesDilation = true

    private let rows: Int
    private let columns: Int
    private let channelTiles: Int
    /// Taps of a filter's row that are runs of their own.
    private let runs: Int
    /// Parts of the batch that are summed apart, so that there is work for every core; a matter of shapes
    /// alone, never of the number of cores, which results must not depend on.
    private let splits: Int
    /// Images that a work-item goes through before it moves on to the next rows of the filter: as many as
    /// stay in a core's cache.
    private let blockImages: Int
    /// Of dw, and db as one more row, for every split.
    let workspaceByteCount: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (window, image, gradient) = (pass.window, pass.image, pass.result)
        runs = window.dilation.width == 1 ? 1 : window.kernel.width
        let run = window.kernel.width / runs * image.channels
        if traits.lanes < 16 {
            (rows, columns) = traits.kind == .cpu ? (6, 2) : (4, 1)
        } else if gradient.channels <= traits.lanes {
            (rows, columns) = (24, 1)
        } else if run % 12 != 0 && run % 8 == 0 && gradient.channels % (3 * traits.lanes) == 0 {
            (rows, columns) = (8, 3)
        } else {
            (rows, columns) = (12, 2)
        }
        channelTiles = divide(gradient.channels, by: columns * traits.lanes)
        let workItems = traits.kind == .cpu ? 64 : 1024
        splits = min(max(workItems / (window.kernel.height * runs * channelTiles), 1), image.images)
        let bytesAnImage =
            4 * (image.count / image.images + gradient.height * gradient.width * columns * traits.lanes)
        blockImages = max((512 << 10) / bytesAnImage, 1)
        workspaceByteCount = 4 * splits * (window.kernel.height * runs * run + 1) * gradient.channels
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = FilterGradientGeometry()
        geometry.setLayer(pass.window, image: pass.image, result: pass.result)
        geometry.splits = Int32(splits)
        geometry.blockImages = Int32(blockImages)
        geometry.hasBias = pass.hasBias ? 1 : 0
        lowering.launch(
            "convolution2d_filter_gradient", in: .filterGradient,
            defining: [("ROWS", rows), ("COLUMNS", columns)] + DilatedTaps(pass.window.dilation).definitions,
            global: [pass.window.kernel.height * runs, channelTiles, splits],
            [lowering.input(0), lowering.input(1), .workspace, .geometry(geometry)])
        pass.addSplits(splits, &lowering)
    }
}

extension ConvolutionPass {
    /// Adds up the sums of so many parts of the batch, which lie in the workspace one behind the other.
    func addSplits(_ splits: Int, _ lowering: inout Lowering) {
        lowering.launch(
            "convolution2d_filter_reduce", in: .filterReduce,
            global: [divide(filterCount + (hasBias ? result.channels : 0), by: lowering.traits.lanes)],
            [
                .workspace, filter(in: lowering), biasGradient(in: lowering), .int(filterCount),
                .int(result.channels), .int(splits), .int(hasBias ? 1 : 0),
            ])
    }
}
