import ResinGraph
import ResinPlan
import ResinTensor

/// One of a convolution's three passes, with all that the choice of its form depends on beside the device.
struct ConvolutionPass: Sendable {
    enum Direction: String, CaseIterable, Sendable {
        case forward
        case inputGradient = "input gradient"
        case filterGradient = "filter gradient"
    }

    let direction: Direction
    let window: Window
    /// The layer's image and result, whichever of them or their gradients the pass reads or makes.
    let image: Shape
    let result: Shape
    /// Whether the layer has a bias, which the filter's gradient brings along.
    let hasBias: Bool
    let epilogue: Epilogue
    /// What activations are stored as, where it is in 16 bits.
    let halfType: ElementType?
    /// The filter's one tap, see `Graph.takingOnlyTaps`.
    let tap: FilterTap?
    /// The forward pass's, whose bias a batch norm may be folded into.
    let forward: Op.Convolution2D?

    init(_ op: Op.Convolution2D, _ node: Node, in graph: Graph) {
        direction = .forward
        window = op.window
        (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.outputs[0]))
        (hasBias, epilogue, tap, forward) = (op.hasBias, op.epilogue, op.tap, op)
        halfType = graph.halfType(of: node)
    }

    init(_ op: Op.Convolution2DInputGradient, _ node: Node, in graph: Graph) {
        direction = .inputGradient
        window = op.window
        (image, result) = (op.inputShape, graph.shape(of: node.inputs[0]))
        (hasBias, epilogue, tap, forward) = (false, op.epilogue, op.tap, nil)
        halfType = graph.halfType(of: node)
    }

    init(_ op: Op.Convolution2DFilterGradient, _ node: Node, in graph: Graph) {
        direction = .filterGradient
        window = op.window
        (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.inputs[1]))
        (hasBias, epilogue, tap, forward) = (op.hasBias, .none, op.tap, nil)
        halfType = graph.halfType(of: node)
    }

    /// What is convolved with the filter into what: the image into the result, or for the input's gradient at stride 1 the
    /// result's gradient into the image's, by the mirrored filter. Nil where that is no convolution.
    var convolution: (window: Window, source: Shape, target: Shape)? {
        switch direction {
        case .forward: (window, image, result)
        case .inputGradient:
            window.stride == Extent(1) ? window.mirrored.map { ($0, result, image) } : nil
        case .filterGradient: nil
        }
    }

    /// Whether the filter's outputs are summed, and not its inputs.
    var isTransposed: Bool { direction == .inputGradient }

    /// The filter that is read, or whose gradient is made.
    func filter(in lowering: Lowering) -> Launch.Argument {
        let value = direction == .filterGradient ? lowering.node.outputs[0] : lowering.node.inputs[1]
        guard let tap else { return .value(value) }
        return .part(value, tap.byteRange(inputs: image.channels, outputs: result.channels))
    }

    /// The gradient of the bias, where there is one.
    func biasGradient(in lowering: Lowering) -> Launch.Argument { hasBias ? lowering.output(1) : .zeros }

    // MARK: Offsets

    /// Of the offsets and factors of a folded batch norm, in whole units of alignment: the last part of the workspace.
    var foldedByteCount: Int {
        forward?.foldedNormEpsilon == nil
            ? 0 : (8 * result.channels).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    /// The convolution's bias, or what a folded batch norm makes of it.
    func offset(_ lowering: inout Lowering) -> ConvolutionOffset {
        guard let forward else { return .none }
        let bias: Launch.Argument? = hasBias ? lowering.input(2) : nil
        guard let epsilon = forward.foldedNormEpsilon else {
            return bias.map { ConvolutionOffset(argument: $0, kind: 1) } ?? .none
        }
        let folded = Launch.Argument.workspacePart(
            offset: lowering.workspaceByteCount - foldedByteCount, byteCount: foldedByteCount)
        lowering.launch(
            "batch_norm_fold", in: .batchNorm, global: [divide(result.channels, by: lowering.traits.lanes)],
            readsWeightsAlone: true,
            [bias ?? .zeros] + lowering.node.inputs[forward.foldedNormInputs].map(Launch.Argument.value)
                + [folded, .int(result.channels), .int(hasBias ? 1 : 0), .float(epsilon)])
        return ConvolutionOffset(argument: folded, kind: 2)
    }
}

/// What is added to a convolution's sums: OFFSET_… of Kernels/shared/epilogue.cl.
struct ConvolutionOffset {
    var argument: Launch.Argument
    var kind: Int32

    static var none: ConvolutionOffset { ConvolutionOffset(argument: .zeros, kind: 0) }
}

extension Window {
    /// The window of the input gradient as a convolution of dy, for stride 1: as much padding as makes its result as
    /// large as the image was. Nil where the padding is wider than the kernel.
    var mirrored: Window? {
        guard padding.height < kernel.height && padding.width < kernel.width else { return nil }
        return Window(
            kernel: kernel, stride: stride,
            padding: Extent(kernel.height - 1 - padding.height, kernel.width - 1 - padding.width))
    }
}

extension Op.Convolution2D: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        NormSums(with: node, in: graph, traits)?.convolutionForm
            ?? ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}

extension Op.Convolution2DInputGradient: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        GradientPair(with: node, in: graph, traits)?.form(of: self)
            ?? NormSums(with: node, in: graph, traits)?.convolutionForm
            ?? ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}

extension Op.Convolution2DFilterGradient: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        GradientPair(with: node, in: graph, traits)?.form(of: self)
            ?? ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}
