import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension PoolGeometry {
    init(_ window: Window, image: Shape, output: Shape) {
        self.init()
        (height, width, channels) = (Int32(image.height), Int32(image.width), Int32(image.channels))
        (kernelHeight, kernelWidth) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (strideHeight, strideWidth) = (Int32(window.stride.height), Int32(window.stride.width))
        (paddingHeight, paddingWidth) = (Int32(window.padding.top), Int32(window.padding.left))
        (outputHeight, outputWidth) = (Int32(output.height), Int32(output.width))
    }
}

extension Window {
    /// What max pooling's kernels are built for, where it is not usual.
    fileprivate var dilations: [(String, Int)] { DilatedTaps(dilation).definitions }

    /// What average pooling's are.
    fileprivate var endPaddings: [(String, Int)] {
        padding.isSymmetric ? [] : [("PADDING_BOTTOM", padding.bottom), ("PADDING_RIGHT", padding.right)]
    }
}

extension Op.MaxPool2D: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        var geometry = PoolGeometry(window, image: lowering.inputShape(0), output: lowering.outputShape(0))
        geometry.givesIndices = givesIndices ? 1 : 0
        geometry.epilogue = epilogue.code
        lowering.launch(
            "maxpool2d_forward", in: .pooling, defining: window.dilations,
            global: lowering.rows(of: lowering.outputShape(0), &geometry),
            [
                lowering.input(0), lowering.output(0), givesIndices ? lowering.output(1) : .zeros,
                .geometry(geometry),
            ])
    }
}

extension Op.MaxPool2DGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        var geometry = PoolGeometry(window, image: inputShape, output: lowering.inputShape(0))
        geometry.epilogue = epilogue.code
        lowering.launch(
            "maxpool2d_gradient", in: .pooling, defining: window.dilations,
            global: lowering.rows(of: inputShape, &geometry),
            [
                lowering.input(0), lowering.input(1), lowering.operand(of: epilogue), lowering.output(0),
                .geometry(geometry),
            ])
    }
}

extension Op.AveragePool2D: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        var geometry = PoolGeometry(window, image: lowering.inputShape(0), output: lowering.outputShape(0))
        geometry.countsPadding = countsPadding ? 1 : 0
        geometry.epilogue = epilogue.code
        lowering.launch(
            "averagepool2d_forward", in: .pooling, defining: window.endPaddings,
            global: lowering.rows(of: lowering.outputShape(0), &geometry),
            [lowering.input(0), lowering.output(0), .geometry(geometry)])
    }
}

extension Op.AveragePool2DGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        var geometry = PoolGeometry(forward.window, image: inputShape, output: lowering.inputShape(0))
        geometry.countsPadding = forward.countsPadding ? 1 : 0
        geometry.epilogue = epilogue.code
        lowering.launch(
            "averagepool2d_gradient", in: .pooling, defining: forward.window.endPaddings,
            global: lowering.rows(of: inputShape, &geometry),
            [lowering.input(0), lowering.operand(of: epilogue), lowering.output(0), .geometry(geometry)])
    }
}

extension Op.AdaptiveAveragePool2D: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let (image, output) = (lowering.inputShape(0), lowering.outputShape(0))
        var geometry = PoolGeometry(Window(kernel: 1), image: image, output: output)
        geometry.epilogue = epilogue.code
        lowering.launch(
            "adaptive_averagepool2d_forward", in: .pooling, global: lowering.rows(of: output, &geometry),
            [lowering.input(0), lowering.output(0), .geometry(geometry)])
    }
}

extension Op.AdaptiveAveragePool2DGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        var geometry = PoolGeometry(Window(kernel: 1), image: inputShape, output: lowering.inputShape(0))
        geometry.epilogue = epilogue.code
        lowering.launch(
            "adaptive_averagepool2d_gradient", in: .pooling,
            global: lowering.rows(of: inputShape, &geometry),
            [lowering.input(0), lowering.operand(of: epilogue), lowering.output(0), .geometry(geometry)])
    }
}

extension Op.GlobalAveragePool: DeviceOperator {
    /// On GPUs a group for each image and run of channels.
    func lower(_ lowering: inout Lowering) {
        let (image, traits) = (lowering.inputShape(0), lowering.traits)
        switch traits.kind {
        case .cpu:
            let geometry = PoolGeometry(Window(kernel: 1), image: image, output: lowering.outputShape(0))
            lowering.launch(
                "global_averagepool_forward", in: .pooling,
                global: [traits.channelWorkers(image), 1, image.images],
                [lowering.input(0), lowering.output(0), .geometry(geometry)])
        case .gpu:
            let group = ReductionGroup(channels: image.channels, traits)
            lowering.launch(
                "global_averagepool_forward_reduction", in: .poolingReduction, defining: group.definitions,
                global: [group.width(channels: image.channels, traits), group.rows, image.images],
                local: group.local + [1],
                [
                    lowering.input(0), lowering.output(0), .int(image.height * image.width),
                    .int(image.channels),
                ])
        }
    }
}

extension Op.GlobalAveragePoolGradient: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let image = lowering.outputShape(0)
        let columns = lowering.traits.kind == .cpu ? 1 : image.height * image.width
        var geometry = PoolGeometry(Window(kernel: 1), image: image, output: lowering.inputShape(0))
        geometry.epilogue = epilogue.code
        lowering.launch(
            "global_averagepool_gradient", in: .pooling,
            global: [lowering.traits.channelWorkers(image), columns, image.images],
            [lowering.input(0), lowering.operand(of: epilogue), lowering.output(0), .geometry(geometry)])
    }
}

extension DeviceTraits {
    /// Work-items that share a pixel's channels.
    func channelWorkers(_ shape: Shape) -> Int { kind == .cpu ? 1 : divide(shape.channels, by: lanes) }
}

extension Lowering {
    /// The launch's sizes for the rows of a result.
    fileprivate func rows(of shape: Shape, _ geometry: inout PoolGeometry) -> [Int] {
        let rows = shape.images * shape.height
        geometry.rows = Int32(rows)
        switch traits.kind {
        case .cpu: return [1, 1, traits.shares(of: rows)]
        case .gpu: return [traits.channelWorkers(shape), shape.width, rows]
        }
    }
}
