import ResinGraph
import ResinTensor

extension Lowering {
    /// Makes a value, of float32, zeros.
    mutating func clear(_ value: ValueID) throws {
        let count = graph.shape(of: value).count
        try launch(
            "clear", in: "elementwise", global: [divide(count, by: traits.chunkVectors * traits.lanes)],
            [.value(value), .int(count), .int(traits.chunkVectors)])
    }

    mutating func lowerReLU() throws {
        try elementwise("relu", [.value(node.inputs[0]), .value(node.outputs[0])])
    }

    mutating func lowerReLUGradient() throws {
        try elementwise(
            "relu_gradient", [.value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0])])
    }

    mutating func lowerSigmoid() throws {
        try elementwise("sigmoid", [.value(node.inputs[0]), .value(node.outputs[0])])
    }

    mutating func lowerSigmoidGradient() throws {
        try elementwise(
            "sigmoid_gradient", [.value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0])])
    }

    mutating func lower(_ op: Op.Scale) throws {
        try elementwise("scale", [.value(node.inputs[0]), .value(node.outputs[0]), .float(op.factor)])
    }

    mutating func lower(_ op: Op.Add) throws {
        try elementwise(
            "add",
            [
                .value(node.inputs[0]), .value(node.inputs[1]), mask(op.epilogue), .value(node.outputs[0]),
                .int(Int(op.epilogue.code)),
            ])
    }

    mutating func lower(_ op: Op.Dropout) throws {
        try elementwise(
            "dropout",
            [
                .value(node.inputs[0]), .value(node.outputs[0]), .uniforms, .uint(op.node),
                .uint(op.threshold), .float(1 / (1 - op.probability)),
            ])
    }

    private mutating func elementwise(_ name: String, _ arguments: [Argument]) throws {
        let count = graph.shape(of: node.outputs[0]).count
        try launch(
            name, in: "elementwise", global: [divide(count, by: traits.chunkVectors * traits.lanes)],
            arguments + [.int(count), .int(traits.chunkVectors)])
    }
}

extension DeviceTraits {
    /// Consecutive vectors that a work-item of element-wise work takes.
    var chunkVectors: Int { prefersLongWorkItems ? 256 : 1 }
}
