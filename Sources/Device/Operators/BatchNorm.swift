import ResinGraph
import ResinPlan
import ResinTensor

/// How the pixels of a reduction by channel are cut into chunks: small enough for a core's nearest caches.
struct ChannelChunks: Hashable {
    var pixels: Int
    var channels: Int
    /// Pixels a chunk.
    var size: Int

    init(_ shape: Shape, _ traits: DeviceTraits) {
        pixels = shape.pixels
        channels = shape.channels
        size = min(max((16 << 10) / channels, 16), 1024)
    }

    var count: Int { divide(pixels, by: size) }
    /// Two values a channel and chunk.
    var partialByteCount: Int { 4 * 2 * count * channels }
    var arguments: [Launch.Argument] { [.int(pixels), .int(channels), .int(size)] }
}

extension Op.BatchNorm: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        // The convolution before it may have made the statistics.
        NormSums(with: node, in: graph, traits) == nil
            ? .channelReduction(of: graph.shape(of: node.inputs[0]), on: traits, lower)
            : DeviceForm(lower: normalise)
    }

    func lower(_ lowering: inout Lowering) {
        lowering.reduce(
            "batch_norm_statistics", [lowering.input(0)], by: "batch_norm_combine",
            to: [lowering.output(1), lowering.output(2), lowering.input(3), lowering.input(4)],
            [.float(epsilon), .float(momentum)])
        normalise(&lowering)
    }

    private func normalise(_ lowering: inout Lowering) {
        let (x, scale, shift) = (lowering.input(0), lowering.input(1), lowering.input(2))
        let (y, mean, inverse) = (lowering.output(0), lowering.output(1), lowering.output(2))
        lowering.eachPixel(
            "batch_norm_normalise", [x, scale, shift, mean, inverse, lowering.addend(of: epilogue), y],
            [.int(Int(epilogue.code))])
    }
}

extension Op.BatchNormInference: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixel(
            "batch_norm_inference",
            (0..<5).map(lowering.input) + [lowering.addend(of: epilogue), lowering.output(0)],
            [.int(Int(epilogue.code)), .float(epsilon)])
    }
}

extension Op.BatchNormGradient: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        // What made dy may have summed it.
        NormSums(with: node, in: graph, traits) == nil
            ? .channelReduction(of: graph.shape(of: node.inputs[0]), on: traits, lower)
            : DeviceForm(lower: differentiate)
    }

    func lower(_ lowering: inout Lowering) {
        lowering.reduce(
            "batch_norm_gradient_sums", [0, 1, 3, 4].map(lowering.input), by: "batch_norm_gradient_combine",
            to: [lowering.output(1), lowering.output(2)])
        differentiate(&lowering)
    }

    private func differentiate(_ lowering: inout Lowering) {
        let (dy, x, scale) = (lowering.input(0), lowering.input(1), lowering.input(2))
        let (mean, inverse) = (lowering.input(3), lowering.input(4))
        let (dx, dscale, dshift) = (lowering.output(0), lowering.output(1), lowering.output(2))
        lowering.eachPixel("batch_norm_gradient", [dy, x, scale, mean, inverse, dscale, dshift, dx], [])
    }
}

extension DeviceForm {
    /// Of a node that sums by channel over the pixels of its first input.
    static func channelReduction(
        of shape: Shape, on traits: DeviceTraits, _ lower: @escaping @Sendable (inout Lowering) -> Void
    ) -> DeviceForm {
        switch traits.kind {
        case .cpu:
            DeviceForm(workspaceByteCount: ChannelChunks(shape, traits).partialByteCount, lower: lower)
        case .gpu:
            DeviceForm(workspaceByteCount: ReductionChunks(shape, traits).partialByteCount, lower: lower)
        }
    }
}

extension Lowering {
    /// Sums over each chunk of the first input's pixels, and adds the chunks' sums: by a work-item a chunk and a launch behind
    /// it, or on a GPU by a group for each chunk and run of channels, and by the last of a run's groups.
    fileprivate mutating func reduce(
        _ kernel: String, _ inputs: [Argument], by combining: String, to results: [Argument],
        _ constants: [Argument] = []
    ) {
        switch traits.kind {
        case .cpu:
            let chunks = ChannelChunks(inputShape(0), traits)
            launch(
                kernel, in: .batchNorm, global: [1, chunks.count], inputs + [.workspace] + chunks.arguments)
            launch(
                combining, in: .batchNorm, global: [divide(chunks.channels, by: traits.lanes)],
                [.workspace] + results + chunks.arguments + constants)
        case .gpu:
            let chunks = ReductionChunks(inputShape(0), traits)
            // Few channels at a time, so that as many work-items as possible share the chunks.
            let combiners = ReductionGroup(channels: chunks.channels, mostColumns: 8, traits)
            func launchGroups(
                _ kernel: String, of group: ReductionGroup, chunks count: Int, _ arguments: [Argument]
            ) {
                launch(
                    kernel, in: .batchNormReduction,
                    defining: group.definitions + [("COMBINE_X", combiners.columns)],
                    global: [group.width(channels: chunks.channels, traits), group.rows * count],
                    local: group.local, arguments)
            }
            guard traits.fence != nil else {
                launchGroups(
                    "\(kernel)_reduction", of: chunks.group, chunks: chunks.count,
                    inputs + [.workspace] + chunks.arguments)
                launchGroups(
                    "\(combining)_reduction", of: combiners, chunks: 1,
                    [.workspace] + results + chunks.arguments + constants)
                return
            }
            let runs = chunks.group.width(channels: chunks.channels, traits) / chunks.group.columns
            launchGroups(
                "\(kernel)_whole_reduction", of: chunks.group, chunks: chunks.count,
                inputs + [.workspace] + results + [.counters(runs)] + chunks.arguments + constants)
        }
    }

    /// On GPUs the channels' coefficients are read once for so many pixels.
    static let pixelsAnItem = 8

    fileprivate mutating func eachPixel(_ kernel: String, _ arguments: [Argument], _ constants: [Argument]) {
        switch traits.kind {
        case .cpu:
            let chunks = ChannelChunks(inputShape(0), traits)
            launch(
                kernel, in: .batchNorm, global: [1, chunks.count], arguments + chunks.arguments + constants)
        case .gpu:
            let shape = inputShape(0)
            launch(
                kernel, in: .batchNorm,
                global: [
                    divide(shape.channels, by: traits.lanes), divide(shape.pixels, by: Self.pixelsAnItem),
                ],
                arguments + [.int(shape.pixels), .int(shape.channels), .int(Self.pixelsAnItem)] + constants)
        }
    }
}
