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
    /// Of channels, each a convolution of its own side by side with the others.
    let groups: Int
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
    /// The batch norm that is folded into a forward pass, and where its values stand in the node's inputs.
    let foldedNorm: (epsilon: Float, inputs: Range<Int>)?

    init(_ op: Op.Convolution2D, _ node: Node, in graph: Graph) {
        self.init(
            forward: op.window, hasBias: op.hasBias, op.epilogue, tap: op.tap,
            foldedNorm: op.foldedNormEpsilon.map { ($0, op.foldedNormInputs) }, node, in: graph)
    }

    init(_ op: Op.Convolution2DInputGradient, _ node: Node, in graph: Graph) {
        self.init(gradientOf: op.inputShape, op.window, op.epilogue, tap: op.tap, node, in: graph)
    }

    init(_ op: Op.Convolution2DFilterGradient, _ node: Node, in graph: Graph) {
        self.init(gradientOf: op.window, hasBias: op.hasBias, tap: op.tap, node, in: graph)
    }

    init(_ op: Op.GroupedConvolution2D, _ node: Node, in graph: Graph) {
        self.init(
            forward: op.window, groups: op.groups, hasBias: op.hasBias, op.epilogue,
            foldedNorm: op.foldedNormEpsilon.map { ($0, op.foldedNormInputs) }, node, in: graph)
    }

    init(_ op: Op.GroupedConvolution2DInputGradient, _ node: Node, in graph: Graph) {
        self.init(
            gradientOf: op.inputShape, op.window, groups: op.groups, op.epilogue, node, in: graph)
    }

    init(_ op: Op.GroupedConvolution2DFilterGradient, _ node: Node, in graph: Graph) {
        self.init(gradientOf: op.window, groups: op.groups, hasBias: op.hasBias, node, in: graph)
    }

    private init(
        forward window: Window, groups: Int = 1, hasBias: Bool, _ epilogue: Epilogue, tap: FilterTap? = nil,
        foldedNorm: (epsilon: Float, inputs: Range<Int>)?, _ node: Node, in graph: Graph
    ) {
        direction = .forward
        (self.window, self.groups) = (window, groups)
        (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.outputs[0]))
        (self.hasBias, self.epilogue, self.tap, self.foldedNorm) = (hasBias, epilogue, tap, foldedNorm)
        halfType = graph.halfType(of: node)
    }

    private init(
        gradientOf image: Shape, _ window: Window, groups: Int = 1, _ epilogue: Epilogue,
        tap: FilterTap? = nil, _ node: Node, in graph: Graph
    ) {
        direction = .inputGradient
        (self.window, self.groups) = (window, groups)
        (self.image, result) = (image, graph.shape(of: node.inputs[0]))
        (hasBias, self.epilogue, self.tap, foldedNorm) = (false, epilogue, tap, nil)
        halfType = graph.halfType(of: node)
    }

    private init(
        gradientOf window: Window, groups: Int = 1, hasBias: Bool, tap: FilterTap? = nil, _ node: Node,
        in graph: Graph
    ) {
        direction = .filterGradient
        (self.window, self.groups) = (window, groups)
        (image, result) = (graph.shape(of: node.inputs[0]), graph.shape(of: node.inputs[1]))
        (self.hasBias, epilogue, self.tap, foldedNorm) = (hasBias, .none, tap, nil)
        halfType = graph.halfType(of: node)
    }

    /// Input and output channels of a group.
    var groupChannels: (image: Int, result: Int) { (image.channels / groups, result.channels / groups) }
    /// Weights of the filter.
    var filterCount: Int { window.kernel.area * groupChannels.image * result.channels }

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
        foldedNorm == nil
            ? 0 : (8 * result.channels).roundedUp(toMultipleOf: FlatLayout.alignment)
    }

    /// The convolution's bias, or what a folded batch norm makes of it.
    func offset(_ lowering: inout Lowering) -> ConvolutionOffset {
        guard direction == .forward else { return .none }
        let bias: Launch.Argument? = hasBias ? lowering.input(2) : nil
        guard let foldedNorm else {
            return bias.map { ConvolutionOffset(argument: $0, kind: 1) } ?? .none
        }
        let folded = Launch.Argument.workspacePart(
            offset: lowering.workspaceByteCount - foldedByteCount, byteCount: foldedByteCount)
        lowering.launch(
            "batch_norm_fold", in: .batchNorm, global: [divide(result.channels, by: lowering.traits.lanes)],
            readsWeightsAlone: true,
            [bias ?? .zeros] + lowering.node.inputs[foldedNorm.inputs].map(Launch.Argument.value)
                + [folded, .int(result.channels), .int(hasBias ? 1 : 0), .float(foldedNorm.epsilon)])
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
    /// large as the image was. Nil where the padding is wider than the window.
    var mirrored: Window? {
        let sides = [
            extent.height - 1 - padding.top, extent.width - 1 - padding.left,
            extent.height - 1 - padding.bottom, extent.width - 1 - padding.right,
        ]
        guard sides.allSatisfy({ $0 >= 0 }) else { return nil }
        return Window(
            kernel: kernel, stride: stride,
            padding: Padding(top: sides[0], left: sides[1], bottom: sides[2], right: sides[3]),
            dilation: dilation)
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

extension Op.GroupedConvolution2D: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}

extension Op.GroupedConvolution2DInputGradient: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}

extension Op.GroupedConvolution2DFilterGradient: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        ConvolutionPass(self, node, in: graph).form(on: traits)
    }
}
