import ResinGraph
import ResinPlan
import ResinTensor

extension Op.ActivationForward: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise(activation.identifier, [lowering.input(0), lowering.output(0)])
    }
}

extension Op.ActivationGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise(
            activation.gradientKernel, [lowering.input(0), lowering.input(1), lowering.output(0)])
    }
}

extension Op.Scale: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise("scale", [lowering.input(0), lowering.output(0), .float(factor)])
    }
}

extension Op.Add: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise(
            "add",
            [
                lowering.input(0), lowering.input(1), lowering.operand(of: epilogue), lowering.output(0),
                .int(Int(epilogue.code)),
            ])
    }
}

extension Op.Dropout: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.elementwise(
            "dropout",
            [
                lowering.input(0), lowering.output(0), .uniforms, .uint(node), .uint(threshold),
                .float(1 / (1 - probability)), lowering.operand(of: epilogue), .int(Int(epilogue.code)),
            ])
    }
}

extension Op.Flatten: DeviceOperator {
    func lower(_ lowering: inout Lowering) {}
}

extension Op.Unflatten: DeviceOperator {
    func lower(_ lowering: inout Lowering) {}
}

extension Lowering {
    /// Makes a value, of float32, zeros.
    mutating func clear(_ value: ValueID) {
        let count = graph.shape(of: value).count
        launch(
            "clear", in: .elementwise, global: [divide(count, by: traits.chunkVectors * traits.lanes)],
            [.value(value), .int(count), .int(traits.chunkVectors)])
    }

    /// Launches a kernel of elementwise.cl on the first output's elements.
    mutating func elementwise(_ kernel: String, _ arguments: [Argument]) {
        let count = outputShape(0).count
        launch(
            kernel, in: .elementwise, global: [divide(count, by: traits.chunkVectors * traits.lanes)],
            arguments + [.int(count), .int(traits.chunkVectors)])
    }
}

extension DeviceTraits {
    /// Consecutive vectors that a work-item of element-wise work takes.
    var chunkVectors: Int { kind == .cpu ? 256 : 1 }
}
