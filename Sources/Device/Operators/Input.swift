import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.ImageInput: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let images = lowering.inputShape(0)
        let rows = batch * size.height
        var geometry = InputGeometry()
        (geometry.sourceHeight, geometry.sourceWidth) = (Int32(images.height), Int32(images.width))
        geometry.channels = Int32(images.channels)
        (geometry.height, geometry.width) = (Int32(size.height), Int32(size.width))
        (geometry.cropPadding, geometry.flips) = (Int32(cropPadding), flips ? 1 : 0)
        geometry.rows = Int32(rows)
        let factors = standardDeviation.map { 1 / (255 * $0) }
        let offsets = zip(mean, standardDeviation).map { -$0 / $1 }
        let arguments: [Launch.Argument] = [
            lowering.input(0), lowering.input(1), lowering.output(0), .uniforms,
            .constants(factors + offsets),
        ]
        switch lowering.traits.kind {
        case .cpu:
            let line = Launch.Argument.local(byteCount: 4 * images.width * images.channels)
            lowering.launch(
                "image_input_rows", in: .input, global: [lowering.traits.shares(of: rows)],
                arguments + [line, .geometry(geometry)])
        case .gpu:
            lowering.launch(
                "image_input", in: .input, global: [size.width, rows], arguments + [.geometry(geometry)])
        }
    }
}

extension Op.LabelInput: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.launch(
            "label_input", in: .input, global: [lowering.outputShape(0).images],
            [lowering.input(0), lowering.input(1), lowering.output(0), .uniforms])
    }
}
