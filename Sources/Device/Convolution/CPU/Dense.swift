import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// The form of the kernels in convolution2d_dense.cl.
struct DenseTile: Hashable {
    /// Images, rows of the filter, and vectors of its outputs a register tile.
    var images: Int
    var rows: Int
    var columns: Int
    /// Channel tiles that a work-item of the forward pass makes.
    var groupTiles: Int
    /// Rows of the filter that a work-item takes: of the forward pass at a time, of the gradients at all.
    static let forwardBlock = 32
    var gradientBlock: Int { 4 * rows }
    private var lanes: Int
    private var imageCount: Int

    /// Nil where images have more than a pixel, or where reading the filter is not what takes the time: where images are
    /// many, or the filter is small enough for a core's cache.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (inputs, outputs) = (pass.image, pass.result)
        guard
            pass.window.kernel == Extent(1)
                && inputs.height * inputs.width * outputs.height * outputs.width == 1
                && (traits.imagesOfChoice ?? inputs.images) <= 64
                && inputs.channels * outputs.channels >= 1 << 16
        else { return nil }
        lanes = traits.lanes
        imageCount = inputs.images
        images = imageCount >= 4 ? (lanes < 16 ? 2 : 4) : imageCount
        rows = lanes < 16 ? 4 : 6
        columns = min(lanes < 16 ? 2 : 4, divide(outputs.channels, by: lanes))
        groupTiles = min(8, divide(outputs.channels, by: columns * lanes))
    }

    var definitions: [(String, Int)] { [("IMAGES", images), ("ROWS", rows), ("COLUMNS", columns)] }
    var groupChannels: Int { groupTiles * columns * lanes }
    var weightsByteCount: Int { 4 * Self.forwardBlock * groupChannels }
    var totalsByteCount: Int { 4 * imageCount * groupChannels }
    var valuesByteCount: Int { 4 * imageCount * gradientBlock }
}

/// One image of a pixel after another through a filter that is too large for a core's cache: the filter is read once, and
/// as it lies (convolution2d_dense.cl).
struct DenseConvolution: ConvolutionForm {
    static let name = "dense"
    static let reason = "few images of one pixel, whose time is that of reading a large filter"

    private let tile: DenseTile

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let tile = DenseTile(pass, traits) else { return nil }
        self.tile = tile
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        var geometry = PatchGeometry(pass, block: DenseTile.forwardBlock)
        geometry.offsetKind = offset.kind
        geometry.epilogue = pass.epilogue.code
        geometry.groupTiles = Int32(tile.groupTiles)
        lowering.launch(
            "dense", in: .dense, defining: tile.definitions,
            global: [divide(pass.result.channels, by: tile.groupChannels)],
            [
                lowering.input(0), pass.filter(in: lowering), offset.argument,
                lowering.addend(of: pass.epilogue), .zeros, lowering.output(0),
                .local(byteCount: tile.weightsByteCount), .local(byteCount: tile.totalsByteCount),
                .geometry(geometry),
            ])
    }
}

struct DenseInputGradient: ConvolutionForm {
    static let name = DenseConvolution.name
    static let reason = DenseConvolution.reason

    private let tile: DenseTile

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let tile = DenseTile(pass, traits) else { return nil }
        self.tile = tile
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = PatchGeometry(pass, block: tile.gradientBlock)
        geometry.epilogue = pass.epilogue.code
        lowering.launch(
            "dense_input_gradient", in: .dense, defining: tile.definitions,
            global: [divide(pass.image.channels, by: tile.gradientBlock)],
            [
                lowering.input(0), pass.filter(in: lowering), lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0), .geometry(geometry),
            ])
    }
}

struct DenseFilterGradient: ConvolutionForm {
    static let name = DenseConvolution.name
    static let reason = DenseConvolution.reason

    private let tile: DenseTile

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let tile = DenseTile(pass, traits) else { return nil }
        self.tile = tile
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = PatchGeometry(pass, block: tile.gradientBlock)
        geometry.hasBias = pass.hasBias ? 1 : 0
        lowering.launch(
            "dense_filter_gradient", in: .dense, defining: tile.definitions,
            global: [divide(pass.image.channels, by: tile.gradientBlock)],
            [
                lowering.input(0), lowering.input(1), pass.filter(in: lowering),
                pass.biasGradient(in: lowering),
                .local(byteCount: tile.valuesByteCount), .geometry(geometry),
            ])
    }
}
