import ResinGraph
import ResinTensor

extension Lowering {
    /// A group for each image and run of channels.
    mutating func lowerGlobalAveragePoolGrouped() throws {
        let image = graph.shape(of: node.inputs[0])
        let group = ReductionGroup(channels: image.channels, traits)
        try launch(
            "global_averagepool_forward_grouped", in: "pooling2d_grouped", defining: group.definitions,
            global: [group.width(channels: image.channels, traits), group.rows, image.images],
            local: group.local + [1],
            [
                .value(node.inputs[0]), .value(node.outputs[0]), .int(image.height * image.width),
                .int(image.channels),
            ])
    }
}
