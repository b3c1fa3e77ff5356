import ResinGraph
import ResinTensor

/// `PoolGeometry` of Kernels/pooling2d.cl.
private struct PoolGeometry: BitwiseCopyable {
    var height, width, channels: Int32
    var kernelHeight, kernelWidth: Int32
    var strideHeight, strideWidth: Int32
    var paddingHeight, paddingWidth: Int32
    var outputHeight, outputWidth: Int32
    var countsPadding: Int32 = 0
    var givesIndices: Int32 = 0
    var epilogue: Int32 = 0
    var rows: Int32 = 0

    init(_ window: Window, image: Shape, output: Shape) {
        (height, width, channels) = (Int32(image.height), Int32(image.width), Int32(image.channels))
        (kernelHeight, kernelWidth) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (strideHeight, strideWidth) = (Int32(window.stride.height), Int32(window.stride.width))
        (paddingHeight, paddingWidth) = (Int32(window.padding.height), Int32(window.padding.width))
        (outputHeight, outputWidth) = (Int32(output.height), Int32(output.width))
    }
}

extension Lowering {
    mutating func lower(_ op: Op.MaxPool2D) throws {
        var geometry = poolGeometry(op.window, image: node.inputs[0], output: node.outputs[0])
        geometry.givesIndices = op.givesIndices ? 1 : 0
        try launch(
            "maxpool2d_forward", in: "pooling2d",
            global: rows(of: graph.shape(of: node.outputs[0]), &geometry),
            [
                .value(node.inputs[0]), .value(node.outputs[0]),
                op.givesIndices ? .value(node.outputs[1]) : .zeros, .geometry(geometry),
            ])
    }

    mutating func lower(_ op: Op.MaxPool2DGradient) throws {
        var geometry = poolGeometry(op.window, image: node.outputs[0], output: node.inputs[0])
        geometry.epilogue = op.epilogue.code
        try launch(
            "maxpool2d_gradient", in: "pooling2d", global: rows(of: op.inputShape, &geometry),
            [
                .value(node.inputs[0]), .value(node.inputs[1]), mask(op.epilogue), .value(node.outputs[0]),
                .geometry(geometry),
            ])
    }

    mutating func lower(_ op: Op.AveragePool2D) throws {
        var geometry = poolGeometry(op.window, image: node.inputs[0], output: node.outputs[0])
        geometry.countsPadding = op.countsPadding ? 1 : 0
        try launch(
            "averagepool2d_forward", in: "pooling2d",
            global: rows(of: graph.shape(of: node.outputs[0]), &geometry),
            [.value(node.inputs[0]), .value(node.outputs[0]), .geometry(geometry)])
    }

    mutating func lower(_ op: Op.AveragePool2DGradient) throws {
        var geometry = poolGeometry(op.forward.window, image: node.outputs[0], output: node.inputs[0])
        geometry.countsPadding = op.forward.countsPadding ? 1 : 0
        try launch(
            "averagepool2d_gradient", in: "pooling2d", global: rows(of: op.inputShape, &geometry),
            [.value(node.inputs[0]), .value(node.outputs[0]), .geometry(geometry)])
    }

    mutating func lowerGlobalAveragePool() throws {
        let image = graph.shape(of: node.inputs[0])
        try launch(
            "global_averagepool_forward", in: "pooling2d", global: [channelWorkers(image), 1, image.images],
            [
                .value(node.inputs[0]), .value(node.outputs[0]),
                .geometry(poolGeometry(Window(kernel: 1), image: node.inputs[0], output: node.outputs[0])),
            ])
    }

    mutating func lowerGlobalAveragePoolGradient() throws {
        let image = graph.shape(of: node.outputs[0])
        let columns = traits.prefersLongWorkItems ? 1 : image.height * image.width
        try launch(
            "global_averagepool_gradient", in: "pooling2d",
            global: [channelWorkers(image), columns, image.images],
            [
                .value(node.inputs[0]), .value(node.outputs[0]),
                .geometry(poolGeometry(Window(kernel: 1), image: node.outputs[0], output: node.inputs[0])),
            ])
    }

    private func poolGeometry(_ window: Window, image: ValueID, output: ValueID) -> PoolGeometry {
        PoolGeometry(window, image: graph.shape(of: image), output: graph.shape(of: output))
    }

    /// Work-items that share a pixel's channels.
    func channelWorkers(_ shape: Shape) -> Int {
        traits.prefersLongWorkItems ? 1 : divide(shape.channels, by: traits.lanes)
    }

    /// The launch's sizes for the rows of a result.
    private func rows(of shape: Shape, _ geometry: inout PoolGeometry) -> [Int] {
        let rows = shape.images * shape.height
        geometry.rows = Int32(rows)
        return traits.prefersLongWorkItems
            ? [1, 1, traits.shares(of: rows)] : [channelWorkers(shape), shape.width, rows]
    }
}
