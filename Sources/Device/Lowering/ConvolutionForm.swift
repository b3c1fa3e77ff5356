import ResinGraph
import ResinTensor

// Which kernels make a convolution's three passes on a device without local memory of its own. Shapes and the device's
// traits decide, alone: once for the scratch memory, once for the launches.

/// How a convolution is made.
enum ConvolutionForm {
    case winograd(WinogradTile)
    case dense(DenseTile)
    case rows(RowsTile, filter: ConvolutionTile)
    case packed(PackedTile)
    /// Serves every shape.
    case gather(ConvolutionTile)

    init(_ window: Window, image: Shape, result: Shape, _ traits: DeviceTraits) {
        if let tile = WinogradTile(window, image: image, result: result, traits) {
            self = .winograd(tile)
        } else if let tile = DenseTile(window, inputs: image, outputs: result, traits) {
            self = .dense(tile)
        } else if let tile = RowsTile(window, image: image, result: result, traits) {
            self = .rows(
                tile, filter: ConvolutionTile(channels: result.channels, columns: tile.columns, traits))
        } else if let tile = PackedTile(window, image: image, result: result, traits) {
            self = .packed(tile)
        } else {
            self = .gather(ConvolutionTile(channels: result.channels, traits))
        }
    }

    /// Of the node's convolution, nil where it is none.
    init?(_ node: Node, in graph: Graph, _ traits: DeviceTraits) {
        guard case .convolution2D(let op) = OnlyTap(node, in: graph)?.op ?? node.op, traits.groupTiles.isEmpty
        else { return nil }
        self.init(
            op.window, image: graph.shape(of: node.inputs[0]), result: graph.shape(of: node.outputs[0]),
            traits)
    }

    /// The tile in whose order `convolution2d_pack` puts the filter; nil where the filter is taken as it lies, or
    /// transformed.
    var filterTile: ConvolutionTile? {
        switch self {
        case .winograd, .dense: nil
        case .rows(_, let tile), .gather(let tile): tile
        case .packed(let packed): packed.tile
        }
    }

    /// Bytes of the packed or transformed filter.
    func filterByteCount(_ window: Window, reduced: Int) -> Int {
        if case .winograd(let tile) = self { return tile.packedByteCount }
        return filterTile?.packedByteCount(taps: window.kernel.area, reduced: reduced) ?? 0
    }

    /// Whether its kernels can write among another value's channels.
    var writesChannelViews: Bool {
        switch self {
        case .winograd, .rows, .packed: true
        case .dense, .gather: false
        }
    }
}

/// How the gradient of a convolution's input is made.
enum InputGradientForm {
    /// The convolution of dy with the transposed and mirrored filter, whose window this is.
    case winograd(WinogradTile, Window)
    case rows(RowsTile, Window, filter: ConvolutionTile)
    case packed(PackedTile, Window)
    case dense(DenseTile)
    /// Each pixel of dy is added to the image rows under the filter.
    case scatter(RowsInputGradientTile, filter: ConvolutionTile)
    /// Serves every shape, phase by phase of the stride.
    case gather(ConvolutionTile)

    init(_ op: Op.Convolution2DInputGradient, gradient: Shape, _ traits: DeviceTraits) {
        let (window, image) = (op.window, op.inputShape)
        let mirrored = window.stride == Extent(1) ? window.mirrored : nil
        if let mirrored, let tile = WinogradTile(mirrored, image: gradient, result: image, traits) {
            self = .winograd(tile, mirrored)
        } else if let tile = DenseTile(window, inputs: image, outputs: gradient, traits) {
            self = .dense(tile)
        } else if let tile = RowsInputGradientTile(window, image: image, gradient: gradient, traits) {
            let run = window.kernel.width * image.channels
            self = .scatter(tile, filter: ConvolutionTile(channels: run, columns: tile.columns, traits))
        } else if let mirrored, let tile = RowsTile(mirrored, image: gradient, result: image, traits) {
            let filter = ConvolutionTile(channels: image.channels, columns: tile.columns, traits)
            self = .rows(tile, mirrored, filter: filter)
        } else if let mirrored, let tile = PackedTile(mirrored, image: gradient, result: image, traits) {
            self = .packed(tile, mirrored)
        } else {
            self = .gather(ConvolutionTile(channels: image.channels, traits))
        }
    }

    /// The tile in whose order the filter is packed, and the taps and image channels that it is taken to have; nil as
    /// above.
    func filter(_ op: Op.Convolution2DInputGradient) -> (tile: ConvolutionTile, taps: Int, channels: Int)? {
        let (kernel, channels) = (op.window.kernel, op.inputShape.channels)
        switch self {
        case .winograd, .dense: return nil
        // One of KH × 1 taps and KW·C channels.
        case .scatter(_, let tile): return (tile, kernel.height, kernel.width * channels)
        case .rows(_, _, let tile), .gather(let tile): return (tile, kernel.area, channels)
        case .packed(let packed, _): return (packed.tile, kernel.area, channels)
        }
    }

    /// Bytes of the packed or transformed filter.
    func filterByteCount(_ op: Op.Convolution2DInputGradient, gradient: Shape) -> Int {
        if case .winograd(let tile, _) = self { return tile.packedByteCount }
        guard let filter = filter(op) else { return 0 }
        return filter.tile.packedByteCount(taps: filter.taps, reduced: gradient.channels)
    }
}

/// How the gradients of a convolution's filter and bias are made.
enum FilterGradientForm {
    case winograd(WinogradFilterGradientTile)
    case dense(DenseTile)
    case rows(RowsFilterGradientTile)
    case packed(PackedFilterGradientTile)
    /// Serves every shape.
    case direct(FilterGradientTile)

    init(_ window: Window, image: Shape, gradient: Shape, _ traits: DeviceTraits) {
        if let tile = WinogradFilterGradientTile(window, image: image, result: gradient, traits) {
            self = .winograd(tile)
        } else if let tile = DenseTile(window, inputs: image, outputs: gradient, traits) {
            self = .dense(tile)
        } else if let tile = RowsFilterGradientTile(window, image: image, gradient: gradient, traits) {
            self = .rows(tile)
        } else if let tile = PackedFilterGradientTile(window, image: image, gradient: gradient, traits) {
            self = .packed(tile)
        } else {
            self = .direct(FilterGradientTile(window, image: image, gradient: gradient, traits))
        }
    }

    var workspaceByteCount: Int {
        switch self {
        case .winograd(let tile): tile.byteCount
        case .dense: 0
        case .rows(let tile): tile.partialByteCount
        case .packed(let tile): tile.partialByteCount
        case .direct(let tile): tile.partialByteCount
        }
    }

    /// Parts of the batch whose sums are left to be added up; nil where the kernels write the gradients themselves.
    var splits: Int? {
        switch self {
        case .winograd, .dense: nil
        case .rows(let tile): tile.splits
        case .packed(let tile): tile.splits == 1 ? nil : tile.splits
        case .direct(let tile): tile.splits
        }
    }
}
