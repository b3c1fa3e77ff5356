import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// Minimal filtering on GPUs, a launch a stage (Kernels/gpu/convolution2d_winograd_stages.cl): what is transformed lies in the
/// workspace, of as many tiles at a time as there is room for.
struct StagedWinograd {
    let tiling: WinogradTiling
    /// Of the convolution that is cut; the input gradient's is mirrored.
    let window: Window
    let image: Shape
    let result: Shape
    /// Tiles at a time; a matter of shapes alone, for the filter gradient's sums are made in this order.
    let chunk: Int
    /// The filter gradient's sums of a chunk, to which the next one's are added.
    let gradient: TiledGradientSplit

    /// Nil where a GPU sums directly: on tensor cores, whose operands have too few digits for the transforms, in mixed
    /// precision for the same reason, and where the sums saved are not worth the memory traffic.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard
            let convolution = pass.direction == .filterGradient
                ? (pass.window, pass.image, pass.result) : pass.convolution
        else { return nil }
        (window, image, result) = convolution
        let (channels, resultChannels) = (image.channels, result.channels)
        guard !traits.groupTiles.isEmpty, !traits.usesTensorCores, pass.halfType == nil,
            2 * channels * resultChannels >= traits.leastWinogradChannels * (channels + resultChannels),
            let tiling = WinogradTiling(cutting: result, of: image, window, traits)
        else { return nil }
        self.tiling = tiling
        let tileByteCount = 4 * tiling.frequencies * (channels + resultChannels)
        chunk = min(max(traits.winogradByteCount / tileByteCount, 1), tiling.tiles)
        gradient = TiledGradientSplit(
            Window(kernel: Extent(1)), image: [chunk, 1, 1, channels],
            gradient: [chunk, 1, 1, resultChannels],
            traits.groupTiles, batches: tiling.frequencies)
    }

    var definitions: [(String, Int)] { [("POINTS", tiling.points), ("KERNEL", tiling.kernel)] }

    private func byteCount(_ rows: Int, _ columns: Int) -> Int {
        (4 * tiling.frequencies * rows * columns).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    var imageByteCount: Int { byteCount(chunk, image.channels) }
    /// Of products, or the transformed gradient.
    var resultByteCount: Int { byteCount(chunk, result.channels) }
    var filterByteCount: Int { byteCount(image.channels, result.channels) }
    var byteCount: Int { imageByteCount + resultByteCount + filterByteCount }

    var sumsByteCount: Int { gradient.splits * byteCount(image.channels + 1, result.channels) }
    var gradientByteCount: Int { imageByteCount + resultByteCount + sumsByteCount }

    /// The tiles of each chunk.
    var chunks: [Range<Int>] {
        stride(from: 0, to: tiling.tiles, by: chunk).map { $0..<min($0 + chunk, tiling.tiles) }
    }
}

struct StagedWinogradConvolution: ConvolutionForm {
    static let name = "Winograd in stages"
    static let reason =
        "3×3 and 5×5 at stride 1 in float32 with many channels, where there are no tensor cores"
    static let isWinograd = true

    private let staged: StagedWinograd

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let staged = StagedWinograd(pass, traits) else { return nil }
        self.staged = staged
    }

    var workspaceByteCount: Int { staged.byteCount }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let (image, result) = (staged.image, staged.result)
        let geometry = WinogradGeometry(
            image: image, result: result, staged.window, staged.tiling, offset: offset,
            epilogue: pass.epilogue)
        let images = Launch.Argument.workspacePart(offset: 0, byteCount: staged.imageByteCount)
        let products = Launch.Argument.workspacePart(
            offset: staged.imageByteCount, byteCount: staged.resultByteCount)
        let filter = Launch.Argument.workspacePart(
            offset: staged.imageByteCount + staged.resultByteCount, byteCount: staged.filterByteCount)
        lowering.stage(
            "winograd_filter_stage", staged, [result.channels, image.channels],
            [
                pass.filter(in: lowering), filter, .int(image.channels), .int(result.channels),
                .int(pass.isTransposed ? 1 : 0),
            ])
        for tiles in staged.chunks {
            lowering.stage(
                "winograd_image_stage", staged, [image.channels, tiles.count],
                [
                    lowering.input(0), images, .int(tiles.lowerBound), .int(tiles.count), .geometry(geometry),
                ])
            var product = ConvolutionGeometry(
                source: [tiles.count, 1, 1, image.channels], result: [tiles.count, 1, 1, result.channels],
                window: Window(kernel: Extent(1)), epilogue: .none)
            product.sourceBatch = Int32(tiles.count * image.channels)
            product.filterBatch = Int32(image.channels * result.channels)
            product.resultBatch = Int32(tiles.count * result.channels)
            lowering.multiply(images, filter, into: products, product, batches: staged.tiling.frequencies)
            lowering.stage(
                "winograd_result_stage", staged, [result.channels, tiles.count],
                [
                    products, offset.argument, lowering.addend(of: pass.epilogue),
                    lowering.operand(of: pass.epilogue), lowering.output(0),
                    .int(tiles.lowerBound), .int(tiles.count), .geometry(geometry),
                ])
        }
    }
}

struct StagedWinogradFilterGradient: ConvolutionForm {
    static let name = StagedWinogradConvolution.name
    static let reason = StagedWinogradConvolution.reason
    static let isWinograd = true

    private let staged: StagedWinograd

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let staged = StagedWinograd(pass, traits) else { return nil }
        self.staged = staged
    }

    var workspaceByteCount: Int { staged.gradientByteCount }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let (image, result) = (staged.image, staged.result)
        let geometry = WinogradGeometry(image: image, result: result, staged.window, staged.tiling)
        let images = Launch.Argument.workspacePart(offset: 0, byteCount: staged.imageByteCount)
        let gradients = Launch.Argument.workspacePart(
            offset: staged.imageByteCount, byteCount: staged.resultByteCount)
        let sums = Launch.Argument.workspacePart(
            offset: staged.imageByteCount + staged.resultByteCount, byteCount: staged.sumsByteCount)
        for tiles in staged.chunks {
            lowering.stage(
                "winograd_image_stage", staged, [image.channels, tiles.count],
                [
                    lowering.input(0), images, .int(tiles.lowerBound), .int(tiles.count), .geometry(geometry),
                ])
            lowering.stage(
                "winograd_gradient_stage", staged, [result.channels, tiles.count],
                [
                    lowering.input(1), gradients, .int(tiles.lowerBound), .int(tiles.count),
                    .geometry(geometry),
                ])
            var product = TiledGradientGeometry(
                Window(kernel: Extent(1)), image: [tiles.count, 1, 1, image.channels],
                gradient: [tiles.count, 1, 1, result.channels], staged.gradient, hasBias: pass.hasBias)
            let sumsOfFrequency = product.splitStride
            product.accumulates = tiles.lowerBound > 0 ? 1 : 0
            product.splitStride = Int32(staged.tiling.frequencies) * sumsOfFrequency
            product.biasOffset = Int32(image.channels * result.channels)
            product.imageBatch = Int32(tiles.count * image.channels)
            product.gradientBatch = Int32(tiles.count * result.channels)
            product.sumsBatch = sumsOfFrequency
            lowering.multiply(
                images, gradients, into: [sums, sums, .zeros, .zeros, .zeros], staged.gradient, product,
                batches: staged.tiling.frequencies)
        }
        lowering.stage(
            "winograd_filter_gradient_stage", staged, [result.channels, image.channels],
            [
                sums, pass.filter(in: lowering), pass.biasGradient(in: lowering), .int(image.channels),
                .int(result.channels), .int(staged.gradient.splits), .int(pass.hasBias ? 1 : 0),
            ])
    }
}

extension Lowering {
    fileprivate mutating func stage(
        _ name: String, _ staged: StagedWinograd, _ global: [Int], _ arguments: [Argument]
    ) {
        launch(name, in: .winogradStages, defining: staged.definitions, global: global, arguments)
    }
}
