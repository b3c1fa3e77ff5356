import ResinGraph
import ResinPlan
import ResinTensor

extension Op.Softmax: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelAtOnce("softmax", [lowering.input(0), lowering.output(0)])
    }
}

extension Op.SoftmaxGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelAtOnce(
            "softmax_gradient", [lowering.input(0), lowering.input(1), lowering.output(0)])
    }
}

extension Op.LayerNorm: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelAtOnce(
            "layer_norm", (0..<3).map(lowering.input) + (0..<3).map(lowering.output), [.float(epsilon)])
    }
}

extension Op.LayerNormGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelAtOnce(
            "layer_norm_gradient", (0..<5).map(lowering.input) + [lowering.output(0)])
    }
}

extension Op.NormParameterSums: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        .channelReduction(of: graph.shape(of: node.inputs[0]), on: traits, lower)
    }

    /// Chunks of all pixels, and the chunks' sums.
    func lower(_ lowering: inout Lowering) {
        let (shape, traits) = (lowering.inputShape(0), lowering.traits)
        let inputs = (0..<4).map(lowering.input) + [.workspace]
        let results = [Launch.Argument.workspace, lowering.output(0), lowering.output(1)]
        switch traits.kind {
        case .cpu:
            let chunks = ChannelChunks(shape, traits)
            lowering.launch(
                "layer_norm_parameter_sums", in: .pixelwise, global: [1, chunks.count],
                inputs + chunks.arguments)
            lowering.launch(
                "batch_norm_gradient_combine", in: .batchNorm,
                global: [divide(shape.channels, by: traits.lanes)], results + chunks.arguments)
        case .gpu:
            let chunks = ReductionChunks(shape, traits)
            let width = chunks.group.width(channels: shape.channels, traits)
            func launch(_ kernel: String, chunks count: Int, _ arguments: [Launch.Argument]) {
                lowering.launch(
                    kernel, in: .pixelwiseReduction, defining: chunks.group.definitions,
                    global: [width, chunks.group.rows * count], local: chunks.group.local, arguments)
            }
            launch(
                "layer_norm_parameter_sums_reduction", chunks: chunks.count, inputs + chunks.arguments)
            launch("norm_parameter_combine_reduction", chunks: 1, results + chunks.arguments)
        }
    }
}

extension Lowering {
    /// Launches a kernel that takes each pixel's channels together: on a CPU chunks of pixels, on a GPU a row of a group's
    /// work-items for each pixel.
    fileprivate mutating func eachPixelAtOnce(
        _ kernel: String, _ arguments: [Argument], _ constants: [Argument] = []
    ) {
        let shape = inputShape(0)
        let sizes: [Argument] = [.int(shape.pixels), .int(shape.channels)]
        switch traits.kind {
        case .cpu:
            let chunks = ChannelChunks(shape, traits)
            launch(
                kernel, in: .pixelwise, global: [chunks.count],
                arguments + sizes + [.int(chunks.size)] + constants)
        case .gpu:
            let group = ReductionGroup(channels: shape.channels, traits)
            launch(
                "\(kernel)_reduction", in: .pixelwiseReduction, defining: group.definitions,
                global: [group.columns, shape.pixels.roundedUp(toMultipleOf: group.rows)],
                local: group.local, arguments + sizes + constants)
        }
    }
}
