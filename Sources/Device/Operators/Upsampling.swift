import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.Upsampling: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.resize("resize", self, of: lowering.inputShape(0), result: lowering.outputShape(0))
    }
}

extension Op.UpsamplingGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.resize("resize_gradient", forward, of: inputShape, result: inputShape)
    }
}

extension Lowering {
    /// - Parameters:
    ///   - image: what is resized.
    ///   - result: what the launch makes.
    fileprivate mutating func resize(
        _ kernel: String, _ op: Op.Upsampling, of image: Shape, result: Shape
    ) {
        var geometry = ResizeGeometry()
        (geometry.height, geometry.width) = (Int32(image.height), Int32(image.width))
        (geometry.outputHeight, geometry.outputWidth) = (Int32(op.size.height), Int32(op.size.width))
        geometry.channels = Int32(image.channels)
        if case .bilinear(let alignsCorners) = op.method {
            geometry.isBilinear = 1
            geometry.alignsCorners = alignsCorners ? 1 : 0
        }
        launch(
            kernel, in: .upsampling,
            global: [
                traits.channelWorkers(result), traits.kind == .cpu ? 1 : result.width,
                result.images * result.height,
            ],
            [input(0), output(0), .geometry(geometry)])
    }
}
