import ResinGraph
import ResinPlan
import ResinTensor

extension Op.Multiplication: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise(
            "multiply",
            [
                lowering.input(0), lowering.input(1), lowering.addend(of: epilogue),
                lowering.operand(of: epilogue), lowering.output(0), .int(Int(epilogue.code)),
            ])
    }
}

extension Op.ChannelScaling: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let isOfImages = lowering.inputShape(1).rank > 1
        lowering.eachPixelOfImages(
            isOfImages ? "scale_image_channels" : "scale_channels", separately: isOfImages,
            [
                lowering.input(0), lowering.input(1), lowering.addend(of: epilogue),
                lowering.operand(of: epilogue), lowering.output(0),
            ], [.int(Int(epilogue.code))])
    }
}

extension Op.ParametricReLU: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelOfImages(
            "parametric_relu", separately: false,
            [lowering.input(0), lowering.input(1), lowering.output(0)],
            [.int(lowering.inputShape(1).count)])
    }
}

extension Op.ParametricReLUGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelOfImages(
            "parametric_relu_gradient", separately: false,
            (0..<3).map(lowering.input) + [lowering.output(0)], [.int(lowering.inputShape(2).count)])
    }
}

extension Op.StochasticDepth: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelOfImages(
            "stochastic_depth", separately: true,
            [
                lowering.input(0), lowering.addend(of: epilogue), lowering.operand(of: epilogue),
                lowering.output(0), .uniforms, .uint(dropout.node), .uint(dropout.threshold),
                .float(1 / (1 - dropout.probability)),
            ], [.int(Int(epilogue.code))])
    }
}

extension Op.ChannelProductSum: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        if result.rank > 1 { return DeviceForm(lower: sumImages) }
        let shape = graph.shape(of: node.inputs[0])
        let chunks =
            switch traits.kind {
            case .cpu: ChannelChunks(shape, traits).count
            case .gpu: ReductionChunks(shape, traits).count
            }
        return DeviceForm(workspaceByteCount: 4 * chunks * shape.channels, lower: sumAll)
    }

    /// On GPUs a group for each image and run of channels.
    private func sumImages(_ lowering: inout Lowering) {
        let (image, traits) = (lowering.inputShape(0), lowering.traits)
        let arguments: [Launch.Argument] = [
            lowering.input(0), lowering.input(1), lowering.operand(of: epilogue), lowering.output(0),
            .int(image.height * image.width), .int(image.channels), .int(Int(epilogue.code)),
        ]
        switch traits.kind {
        case .cpu:
            lowering.launch(
                "image_products", in: .channelScaling,
                global: [traits.channelWorkers(image), 1, image.images], arguments)
        case .gpu:
            let group = ReductionGroup(channels: image.channels, traits)
            lowering.launch(
                "image_products_reduction", in: .channelSumsReduction, defining: group.definitions,
                global: [group.width(channels: image.channels, traits), group.rows, image.images],
                local: group.local + [1], arguments)
        }
    }

    /// Chunks of all images' pixels, and the chunks' sums: those of all channels go to the first chunk's place.
    private func sumAll(_ lowering: inout Lowering) {
        let (shape, traits) = (lowering.inputShape(0), lowering.traits)
        let inputs = [lowering.input(0), lowering.input(1), .workspace]
        let addsChannels = isOfAllChannels && shape.channels > 1
        let results = [Launch.Argument.workspace, addsChannels ? .workspace : lowering.output(0)]
        let taken = [Launch.Argument.int(takesNegative ? 1 : 0)]
        switch traits.kind {
        case .cpu:
            let chunks = ChannelChunks(shape, traits)
            lowering.launch(
                "channel_products", in: .channelScaling, global: [1, chunks.count],
                inputs + chunks.arguments + taken)
            lowering.launch(
                "channel_products_combine", in: .channelScaling,
                global: [divide(shape.channels, by: traits.lanes)], results + chunks.arguments)
        case .gpu:
            let chunks = ReductionChunks(shape, traits)
            let width = chunks.group.width(channels: shape.channels, traits)
            func launch(_ kernel: String, chunks count: Int, _ arguments: [Launch.Argument]) {
                lowering.launch(
                    kernel, in: .channelSumsReduction, defining: chunks.group.definitions,
                    global: [width, chunks.group.rows * count], local: chunks.group.local, arguments)
            }
            launch("channel_products_reduction", chunks: chunks.count, inputs + chunks.arguments + taken)
            launch("channel_products_combine_reduction", chunks: 1, results + chunks.arguments)
        }
        guard addsChannels else { return }
        lowering.launch(
            "add_channels", in: .channelScaling, global: [1],
            [.workspace, lowering.output(0), .int(shape.channels)])
    }
}

extension Lowering {
    /// Launches a kernel of channel_scaling.cl over the first input's pixels.
    ///
    /// - Parameter separately: whether images are told apart.
    fileprivate mutating func eachPixelOfImages(
        _ kernel: String, separately: Bool, _ arguments: [Argument], _ constants: [Argument] = []
    ) {
        let shape = inputShape(0)
        let images = separately ? shape.images : 1
        let pixels = shape.pixels / images
        let chunk =
            traits.kind == .cpu ? ChannelChunks([pixels, shape.channels], traits).size : Self.pixelsAnItem
        launch(
            kernel, in: .channelScaling,
            global: [traits.channelWorkers(shape), divide(pixels, by: chunk), images],
            arguments + [.int(pixels), .int(shape.channels), .int(chunk)] + constants)
    }
}
