import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// What the kernels of depthwise_convolution2d.cl are built for.
private struct DepthwiseRun {
    /// Pixels of a row that a work-item holds in registers.
    let pixels: Int
    /// Results a channel.
    let multiplier: Int
    private let kernel, stride, dilation: Int

    /// Nil where groups have several input channels, or rows of the filter are longer than the kernels are unrolled for.
    ///
    /// - Parameter columns: of which runs are taken.
    init?(_ pass: ConvolutionPass, columns: Int, multipleOf step: Int = 1, _ traits: DeviceTraits) {
        let window = pass.window
        (kernel, stride, dilation) = (window.kernel.width, window.stride.width, window.dilation.width)
        guard pass.groupChannels.image == 1, kernel <= Self.widestKernel,
            window.extent.width <= Self.mostColumns,
            stride <= Self.longestStride
        else { return nil }
        multiplier = pass.groupChannels.result
        let most =
            switch (traits.kind, traits.lanes) {
            // As many as 128 registers are enough for (.ci/ptx).
            case (.gpu, _):
                min(multiplier == 1 ? 4 : 2, (pass.direction == .filterGradient ? 12 : 20) / kernel)
            case (.cpu, 16): 16
            case (.cpu, _): 13 - kernel
            }
        // As few runs a row as there can be, of equal length.
        let equal = divide(columns, by: divide(columns, by: most))
        let read = (Self.mostColumns - window.extent.width) / stride + 1
        pixels = min(equal, read).roundedUp(toMultipleOf: step)
    }

    private static let (widestKernel, longestStride, mostColumns) = (7, 4, 64)

    var definitions: [(String, Int)] {
        [
            ("PIXELS", pixels), ("KERNEL_WIDTH", kernel), ("STRIDE", stride), ("DILATION", dilation),
            ("MULTIPLIER", multiplier),
        ]
    }

    /// Sizes of a launch for rows of so many columns, from which runs are taken, and channels.
    func global(_ shape: Shape, columns: Int, _ traits: DeviceTraits) -> [Int] {
        let rows = shape.images * shape.height
        return switch traits.kind {
        case .cpu: [1, 1, traits.shares(of: rows)]
        case .gpu: [traits.channelWorkers(shape), divide(columns, by: pixels), rows]
        }
    }
}

struct DepthwiseConvolution: ConvolutionForm {
    static let name = "depthwise"
    static let reason =
        "one input channel a group: vectors go along channels, and runs of a row stay in registers"
    static let takesDilation = true

    private let run: DepthwiseRun

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let run = DepthwiseRun(pass, columns: pass.result.width, traits) else { return nil }
        self.run = run
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        var geometry = GroupedGeometry(pass)
        geometry.offsetKind = offset.kind
        lowering.launch(
            "depthwise_convolution2d", in: .depthwise, defining: run.definitions,
            global: run.global(pass.result, columns: pass.result.width, lowering.traits),
            [
                lowering.input(0), pass.filter(in: lowering), offset.argument,
                lowering.addend(of: pass.epilogue), lowering.operand(of: pass.epilogue), lowering.output(0),
                .geometry(geometry),
            ])
    }
}

struct DepthwiseInputGradient: ConvolutionForm {
    static let name = DepthwiseConvolution.name
    static let reason = DepthwiseConvolution.reason
    static let takesDilation = true

    private let run: DepthwiseRun
    /// The image's, and those of the padding on the left that runs begin with.
    private let columns: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let stride = pass.window.stride.width
        columns = pass.window.padding.left % stride + pass.image.width
        guard let run = DepthwiseRun(pass, columns: columns, multipleOf: stride, traits) else { return nil }
        self.run = run
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        lowering.launch(
            "depthwise_convolution2d_input_gradient", in: .depthwise, defining: run.definitions,
            global: run.global(pass.image, columns: columns, lowering.traits),
            [
                lowering.input(0), pass.filter(in: lowering), lowering.addend(of: pass.epilogue),
                lowering.operand(of: pass.epilogue), lowering.output(0), .geometry(GroupedGeometry(pass)),
            ])
    }
}

struct DepthwiseFilterGradient: ConvolutionForm {
    static let name = DepthwiseConvolution.name
    static let reason = DepthwiseConvolution.reason
    static let takesDilation = true

    private let run: DepthwiseRun
    private let splits: GroupedSplits
    private let workers: Int
    var workspaceByteCount: Int { splits.byteCount }

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        guard let run = DepthwiseRun(pass, columns: pass.result.width, traits) else { return nil }
        self.run = run
        workers = divide(pass.result.channels, by: traits.lanes)
        splits = GroupedSplits(pass, workItems: workers * pass.window.kernel.height, traits)
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = GroupedGeometry(pass)
        geometry.splits = Int32(splits.count)
        lowering.launch(
            "depthwise_convolution2d_filter_gradient", in: .depthwise, defining: run.definitions,
            global: lowering.traits.kind == .cpu
                ? [splits.count] : [workers, pass.window.kernel.height, splits.count],
            [lowering.input(0), lowering.input(1), .workspace, .geometry(geometry)])
        splits.add(pass, &lowering)
    }
}
