import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// Both gradients of a small layer by one launch (Kernels/gpu/convolution2d_gradients_tiled.cl): neither fills a large GPU,
/// and neither waits for the other. They are the products of `TiledConvolution` and `TiledFilterGradient`, in the tile of the
/// latter, whose sums over pixels are cut up by it.
struct GradientPair: Sendable {
    private static let name = "tiled pair"
    private static let reason =
        "both gradients of a layer that are too small to fill a large GPU, in one launch, listed as the input's"

    /// Work-items that a large GPU has at once: where there are more, there is no room for the other product.
    private static let mostWorkItems = GroupTile.busyWorkItems

    private let inputGradient, filterGradient: ConvolutionPass
    /// Their nodes, one behind the other.
    private let inputNode, filterNode: Int
    private let filterForm: TiledFilterGradient
    private let operands: FilterOperands?
    private let inputGeometry: ConvolutionGeometry
    private let staging: Staging

    /// The pair that a node is one of; nil where it is of none, or each is better off with a launch of its own.
    init?(with node: Node, in graph: Graph, _ traits: DeviceTraits) {
        guard !traits.groupTiles.isEmpty, let first = graph.firstOfGradientPair(with: node) else {
            return nil
        }
        var passes: [ConvolutionPass.Direction: (node: Int, pass: ConvolutionPass)] = [:]
        for index in [first, first + 1] {
            let node = graph.nodes[index]
            switch node.op {
            case .convolution2DInputGradient(let op):
                passes[.inputGradient] = (index, ConvolutionPass(op, node, in: graph))
            case .convolution2DFilterGradient(let op):
                passes[.filterGradient] = (index, ConvolutionPass(op, node, in: graph))
            default: return nil
            }
        }
        guard let input = passes[.inputGradient], let filter = passes[.filterGradient],
            input.pass.halfType == filter.pass.halfType, input.pass.window.dilation == Extent(1),
            StagedWinogradConvolution(input.pass, traits) == nil,
            StagedWinogradFilterGradient(filter.pass, traits) == nil,
            let filterForm = TiledFilterGradient(filter.pass, traits)
        else { return nil }
        (inputNode, inputGradient) = input
        (filterNode, filterGradient) = filter
        self.filterForm = filterForm
        operands = FilterOperands(inputGradient, traits)
        // Both operands come in the same way. Where pieces pay for the input's gradient, it is not small.
        if operands != nil && filterForm.staging == .words { return nil }
        staging = operands == nil ? .words : filterForm.staging
        let phases = ConvolutionGeometry.phases(inputGradient)
        guard phases.count == 1 else { return nil }
        inputGeometry = phases[0]
        guard (inputGroups + filterForm.split.groups) * tile.workItems <= Self.mostWorkItems else {
            return nil
        }
    }

    func form(of op: any Operator) -> DeviceForm {
        let isInput = op is Op.Convolution2DInputGradient
        let index = isInput ? inputNode : filterNode
        return DeviceForm(
            name: Self.name, reason: Self.reason,
            workspaceByteCount: isInput ? 0 : filterForm.workspaceByteCount,
            operands: isInput ? operands : nil,
            inputViews: [isInput ? 0 : 1: gradientWidth], joinsNext: index == min(inputNode, filterNode),
            staging: staging
        ) { lowering in
            if !isInput { filterGradient.clearOtherTaps(&lowering) }
            if index == max(inputNode, filterNode) { multiply(&lowering) }
        }
    }

    private var tile: GroupTile { filterForm.split.tile }
    private var inputGroups: Int {
        tile.groups(rows: inputGeometry.pixels, columns: Int(inputGeometry.resultChannels))
    }

    /// Values of dy, and of the image or its gradient, that one load brings.
    private var loadWidths: (gradient: Int, image: Int) {
        let gradient = operands?.pieceWidth ?? loadWidth(channels: inputGradient.result.channels)
        let image = operands?.pieceWidth ?? inputGeometry.resultLoadWidth
        // What a word of local memory is follows from the width of one product's loads, and it is the same for both.
        let areSame = gradient == image || inputGradient.halfType == nil || !tile.usesTensorCores
        return areSame ? (gradient, image) : (1, 1)
    }
    private var gradientWidth: Int { loadWidths.gradient }

    private var definitions: [(String, Int)] {
        let (gradientWidth, imageWidth) = loadWidths
        return tile.definitions(staging) + [
            ("TRANSPOSED", 1), ("BOTH_GRADIENTS", 1), ("SOURCE_WIDTH", gradientWidth),
            ("RESULT_WIDTH", imageWidth), ("WHOLE_TAPS", operands?.hasWholeTaps == true ? 1 : 0),
        ]
    }

    private func multiply(_ lowering: inout Lowering) {
        let (image, sums) = lowering.working(for: filterNode) { lowering in
            (lowering.input(0), filterForm.sums(filterGradient, in: lowering))
        }
        let sumsGeometry = lowering.working(for: filterNode) { filterForm.geometry(filterGradient, $0) }
        lowering.working(for: inputNode) { lowering in
            var inputGeometry = inputGeometry
            inputGeometry.setSource(lowering.pixelLayout(of: lowering.node.inputs[0]))
            let filter = operands == nil ? inputGradient.filter(in: lowering) : .prepared
            lowering.launch(
                "convolution2d_gradients_tiled", in: .tiledGradients, defining: definitions,
                global: [(inputGroups + filterForm.split.groups) * tile.workItems], local: [tile.workItems],
                [
                    lowering.input(0), filter, lowering.addend(of: inputGradient.epilogue),
                    lowering.operand(of: inputGradient.epilogue), lowering.output(0),
                    .geometry(inputGeometry), .int(inputGroups), image,
                ] + sums.map { .of(node: filterNode, $0) } + [
                    .geometry(sumsGeometry)
                ])
        }
        lowering.working(for: filterNode) { lowering in
            filterForm.addSplits(filterGradient, in: .tiledGradients, defining: definitions, &lowering)
        }
    }
}

extension Graph {
    /// The first of two nodes, one behind the other, that make both gradients of a layer, one of them being `node`.
    fileprivate func firstOfGradientPair(with node: Node) -> Int? {
        var index = 0
        while index + 1 < nodes.count {
            let isPair = nodes[index].makesGradients(beside: nodes[index + 1])
            for member in [index, index + 1] where nodes[member].outputs == node.outputs {
                if isPair { return index }
                if member == index { return nil }
            }
            index += isPair ? 2 : 1
        }
        return nil
    }
}

extension Node {
    fileprivate func makesGradients(beside other: Node) -> Bool {
        switch (op, other.op) {
        case (.convolution2DFilterGradient, .convolution2DInputGradient):
            other.makesGradients(beside: self)
        case (.convolution2DInputGradient(let input), .convolution2DFilterGradient(let filter)):
            name == other.name && inputs[0] == other.inputs[1] && input.window == filter.window
        default: false
        }
    }
}
