import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// What a convolution's launch also sums by channel, for a batch norm that comes next and reads its result: the statistics
/// of a forward pass, or the two sums of a gradient (Kernels/gpu/convolution2d_norm_sums_tiled.cl). Nothing reads the result
/// again for that.
struct NormSums: Sendable {
    private let pass: ConvolutionPass
    private let form: TiledConvolution
    private let norm: Node
    /// The shift of the norm whose activation's output is the mask: the mask is made of what the norm read.
    private let maskShift: ValueID?
    private let partialByteCount: Int

    /// Row tiles whose sums one group puts together: MERGED. The square root of what the largest layers have.
    private static let merged = 64

    /// Of the convolution and the norm behind it, one of which the node is; nil where there are no such, or sums are made
    /// another way.
    init?(with node: Node, in graph: Graph, _ traits: DeviceTraits) {
        guard traits.kind == .gpu, traits.fence != nil,
            let index = graph.nodes.firstIndex(where: { $0.outputs == node.outputs })
        else { return nil }
        let first = node.op.isNormWithSums ? index - 1 : index
        guard first >= 0, first + 1 < graph.nodes.count else { return nil }
        let (convolution, norm) = (graph.nodes[first], graph.nodes[first + 1])
        guard norm.op.isNormWithSums, norm.inputs[0] == convolution.outputs[0] else { return nil }
        var maskShift: ValueID?
        switch (convolution.op, norm.op) {
        case (.convolution2D(let op), .batchNorm):
            guard op.epilogue == .none, op.foldedNormEpsilon == nil else { return nil }
            pass = ConvolutionPass(op, convolution, in: graph)
        case (.convolution2DInputGradient(let op), .batchNormGradient):
            guard GradientPair(with: convolution, in: graph, traits) == nil else { return nil }
            pass = ConvolutionPass(op, convolution, in: graph)
            guard ConvolutionGeometry.phases(pass).count == 1 else { return nil }
            maskShift = graph.shift(ofNormBehind: norm.inputs[1], maskedBy: op.epilogue, of: convolution)
        default: return nil
        }
        guard StagedWinogradConvolution(pass, traits) == nil, let form = TiledConvolution(pass, traits) else {
            return nil
        }
        (self.form, self.norm, self.maskShift) = (form, norm, maskShift)
        let target = pass.isTransposed ? pass.image : pass.result
        let tile = GroupTile.best(of: traits.groupTiles, rows: target.pixels, columns: target.channels)
        let tiles = divide(target.pixels, by: tile.rows)
        partialByteCount = 4 * 2 * target.channels * (tiles + divide(tiles, by: Self.merged))
    }

    var convolutionForm: DeviceForm {
        DeviceForm(
            name: TiledConvolution.name, reason: TiledConvolution.reason,
            workspaceByteCount: partialByteCount, operands: form.operands, inputViews: pass.inputViews(form),
            joinsNext: true, staging: form.staging
        ) { form.lower(pass, self, &$0) }
    }

    /// The convolution's launch.
    func multiply(
        _ source: Launch.Argument, _ filter: Launch.Argument, bias: Launch.Argument, addend: Launch.Argument,
        operand: Launch.Argument, into result: Launch.Argument, _ geometry: ConvolutionGeometry,
        _ tile: GroupTile, _ definitions: [(String, Int)], _ lowering: inout Lowering
    ) {
        let channels = Int(geometry.resultChannels)
        let runs = divide(divide(geometry.pixels, by: tile.rows), by: Self.merged)
        let counters = Launch.Argument.counters(divide(channels, by: tile.columns) * (runs + 1))
        func input(_ index: Int) -> Launch.Argument { .value(norm.inputs[index]) }
        func output(_ index: Int) -> Launch.Argument { .value(norm.outputs[index]) }
        let kernel: String
        let arguments: [Launch.Argument]
        if case .batchNorm(let op) = norm.op {
            kernel = "convolution2d_statistics_tiled"
            arguments = [
                source, filter, bias, result, .workspace, output(1), output(2), input(3), input(4), counters,
                .geometry(geometry), .float(op.epsilon), .float(op.momentum),
            ]
        } else {
            kernel = "convolution2d_gradient_sums_tiled"
            arguments = [
                source, filter, addend, maskShift == nil ? operand : .zeros, result, input(1), input(2),
                // Loaded, whether it is used or not.
                maskShift.map { .value($0) } ?? input(2), input(3), input(4), .workspace, output(1),
                output(2),
                counters, .geometry(geometry), .int(maskShift == nil ? 0 : 1),
            ]
        }
        lowering.launch(
            kernel, in: .tiledNormSums,
            defining: definitions + [("NORM_SUMS", 1), ("MERGED", Self.merged)],
            global: [tile.groups(rows: geometry.pixels, columns: channels) * tile.workItems],
            local: [tile.workItems], arguments)
    }
}

extension Op {
    /// Whether it is a batch norm that sums over its input.
    fileprivate var isNormWithSums: Bool {
        switch self {
        case .batchNorm, .batchNormGradient: true
        default: false
        }
    }
}

extension Graph {
    /// The shift of the batch norm that reads `x` and ends in the activation whose gradient masks what `node` makes, by that
    /// norm's output: the mask follows from x. Nil where the mask is of something else.
    fileprivate func shift(ofNormBehind x: ValueID, maskedBy epilogue: Epilogue, of node: Node) -> ValueID? {
        guard case .activationGradient(let activation) = epilogue.last, let mask = node.inputs.last,
            let norm = nodes.first(where: { $0.outputs.first == mask }), norm.inputs[0] == x,
            case .batchNorm(let op) = norm.op, op.epilogue == .activation(activation)
        else { return nil }
        return norm.inputs[2]
    }
}
