import ResinGraph
import ResinPlan
import ResinTensor

extension Op.GroupNorm: DeviceOperator {
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        let shape = graph.shape(of: node.inputs[0])
        return DeviceForm(workspaceByteCount: 4 * 2 * shape.images * shape.channels, lower: lower)
    }

    func lower(_ lowering: inout Lowering) {
        let shape = lowering.inputShape(0)
        let statistics = [lowering.output(1), lowering.output(2)]
        lowering.sumImages("image_moments", [lowering.input(0), .workspace])
        lowering.launch(
            "group_norm_combine", in: .groupNorm, global: [groups, shape.images],
            [.workspace] + statistics + lowering.sizesOfImages
                + [.int(shape.channels / groups), .float(epsilon)])
        lowering.eachImagesPixel(
            "group_norm_normalise", (0..<3).map(lowering.input) + statistics + [lowering.output(0)])
    }
}

extension Op.GroupNormGradient: DeviceOperator {
    /// The sums of each image, and those of each group.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        let shape = graph.shape(of: node.inputs[0])
        return DeviceForm(workspaceByteCount: 2 * 4 * 2 * shape.images * shape.channels, lower: lower)
    }

    func lower(_ lowering: inout Lowering) {
        let (shape, traits) = (lowering.inputShape(0), lowering.traits)
        let (dy, x, scale) = (lowering.input(0), lowering.input(1), lowering.input(2))
        let statistics = [lowering.input(3), lowering.input(4)]
        lowering.sumImages("image_gradient_sums", [dy, x] + statistics + [.workspace])
        // An image each is a chunk of those that batch norm's and layer norm's sums have.
        let combining: [Launch.Argument] = [
            .workspace, lowering.output(1), lowering.output(2), .int(shape.images), .int(shape.channels),
            .int(1),
        ]
        switch traits.kind {
        case .cpu:
            lowering.launch(
                "batch_norm_gradient_combine", in: .batchNorm,
                global: [divide(shape.channels, by: traits.lanes)], combining)
        case .gpu:
            let group = ReductionGroup(channels: shape.channels, traits)
            lowering.launch(
                "norm_parameter_combine_reduction", in: .pixelwiseReduction, defining: group.definitions,
                global: [group.width(channels: shape.channels, traits), group.rows], local: group.local,
                combining)
        }
        lowering.launch(
            "group_norm_gradient_combine", in: .groupNorm, global: [groups, shape.images],
            [.workspace, scale, .int(shape.images)] + lowering.sizesOfImages
                + [.int(shape.channels / groups)])
        lowering.eachImagesPixel(
            "group_norm_gradient",
            [dy, x, scale] + statistics + [.workspace, lowering.output(0), .int(shape.images)])
    }
}

extension Lowering {
    /// Pixels and channels of the first input's images.
    fileprivate var sizesOfImages: [Argument] {
        let shape = inputShape(0)
        return [.int(shape.height * shape.width), .int(shape.channels)]
    }

    /// Sums each image's channels: on GPUs by a group for each image and run of channels.
    fileprivate mutating func sumImages(_ kernel: String, _ arguments: [Argument]) {
        let shape = inputShape(0)
        switch traits.kind {
        case .cpu: launch(kernel, in: .groupNorm, global: [1, 1, shape.images], arguments + sizesOfImages)
        case .gpu:
            let group = ReductionGroup(channels: shape.channels, traits)
            launch(
                "\(kernel)_reduction", in: .groupNormReduction, defining: group.definitions,
                global: [group.width(channels: shape.channels, traits), group.rows, shape.images],
                local: group.local + [1], arguments + sizesOfImages)
        }
    }

    fileprivate mutating func eachImagesPixel(_ kernel: String, _ arguments: [Argument]) {
        let shape = inputShape(0)
        let pixels = shape.height * shape.width
        let chunk =
            traits.kind == .cpu ? ChannelChunks([pixels, shape.channels], traits).size : Self.pixelsAnItem
        launch(
            kernel, in: .groupNorm,
            global: [traits.channelWorkers(shape), divide(pixels, by: chunk), shape.images],
            arguments + sizesOfImages + [.int(chunk)])
    }
}
