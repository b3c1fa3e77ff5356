import ResinGraph
import ResinTensor

/// `InputGeometry` of Kernels/input.cl.
private struct InputGeometry: BitwiseCopyable {
    var sourceHeight, sourceWidth, channels: Int32
    var height, width: Int32
    var cropPadding, flips: Int32
    var rows: Int32
}

extension Lowering {
    mutating func lower(_ op: Op.ImageInput) throws {
        let images = graph.shape(of: node.inputs[0])
        let rows = op.batch * op.size.height
        let geometry = InputGeometry(
            sourceHeight: Int32(images.height), sourceWidth: Int32(images.width),
            channels: Int32(images.channels), height: Int32(op.size.height), width: Int32(op.size.width),
            cropPadding: Int32(op.cropPadding), flips: op.flips ? 1 : 0,
            rows: Int32(rows))
        let factors = op.standardDeviation.map { 1 / (255 * $0) }
        let offsets = zip(op.mean, op.standardDeviation).map { -$0 / $1 }
        let arguments: [Argument] = [
            .value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]), .uniforms,
            .constants(factors + offsets),
        ]
        if traits.prefersLongWorkItems {
            let line = Argument.local(byteCount: 4 * images.width * images.channels)
            try launch(
                "image_input_rows", in: "input", global: [traits.shares(of: rows)],
                arguments + [line, .geometry(geometry)])
        } else {
            try launch(
                "image_input", in: "input", global: [op.size.width, rows], arguments + [.geometry(geometry)])
        }
    }

    mutating func lowerLabelInput() throws {
        try launch(
            "label_input", in: "input", global: [graph.shape(of: node.outputs[0]).images],
            [.value(node.inputs[0]), .value(node.inputs[1]), .value(node.outputs[0]), .uniforms])
    }
}
