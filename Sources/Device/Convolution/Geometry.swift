import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

// What is put into the structs of Kernels/include/KernelStructs.h for convolutions.

extension ConvolutionGeometry {
    /// A convolution of `source` that fills all of `result` and uses every tap.
    init(
        source: Shape, result: Shape, window: Window, offset: ConvolutionOffset = .none, epilogue: Epilogue
    ) {
        self.init()
        (strideHeight, strideWidth) = (1, 1)
        (tapStepHeight, tapStepWidth) = (1, 1)
        (resultStepHeight, resultStepWidth) = (1, 1)
        (sourceHeight, sourceWidth) = (Int32(source.height), Int32(source.width))
        sourceChannels = Int32(source.channels)
        sourceStride = sourceChannels
        (gridImages, gridHeight, gridWidth) =
            (Int32(result.images), Int32(result.height), Int32(result.width))
        (tapRows, tapColumns) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (filterRows, filterColumns) = (tapRows, tapColumns)
        (resultHeight, resultWidth) = (gridHeight, gridWidth)
        resultChannels = Int32(result.channels)
        resultStride = resultChannels
        offsetKind = offset.kind
        self.epilogue = epilogue.code
    }

    /// The forward pass of a layer.
    static func forward(_ pass: ConvolutionPass, offset: ConvolutionOffset) -> ConvolutionGeometry {
        let window = pass.window
        var geometry = ConvolutionGeometry(
            source: pass.image, result: pass.result, window: window, offset: offset, epilogue: pass.epilogue)
        (geometry.strideHeight, geometry.strideWidth) =
            (Int32(window.stride.height), Int32(window.stride.width))
        (geometry.originHeight, geometry.originWidth) =
            (Int32(-window.padding.top), Int32(-window.padding.left))
        return geometry
    }

    /// The input gradient's phases, a launch each: the pixels of the image by their place within the stride.
    static func phases(_ pass: ConvolutionPass) -> [ConvolutionGeometry] {
        let (window, image) = (pass.window, pass.image)
        var phases: [ConvolutionGeometry] = []
        for row in 0..<window.stride.height {
            let rows = Phase(
                row, size: image.height, kernel: window.kernel.height, stride: window.stride.height,
                padding: window.padding.top, dilation: window.dilation.height)
            for column in 0..<window.stride.width {
                let columns = Phase(
                    column, size: image.width, kernel: window.kernel.width, stride: window.stride.width,
                    padding: window.padding.left, dilation: window.dilation.width)
                guard rows.pixels > 0 && columns.pixels > 0 else { continue }
                var geometry = ConvolutionGeometry(
                    source: pass.result, result: image, window: window, epilogue: pass.epilogue)
                (geometry.gridHeight, geometry.gridWidth) = (Int32(rows.pixels), Int32(columns.pixels))
                (geometry.originHeight, geometry.originWidth) = (Int32(rows.origin), Int32(columns.origin))
                // No tap at all reaches a phase of a kernel narrower than the stride: zeros, without a step.
                let isReached = rows.taps > 0 && columns.taps > 0
                (geometry.tapRows, geometry.tapColumns) =
                    isReached ? (Int32(rows.taps), Int32(columns.taps)) : (0, 0)
                (geometry.firstRow, geometry.firstColumn) = (Int32(rows.firstTap), Int32(columns.firstTap))
                (geometry.tapStepHeight, geometry.tapStepWidth) =
                    (Int32(rows.tapStep), Int32(columns.tapStep))
                (geometry.resultStepHeight, geometry.resultStepWidth) =
                    (Int32(window.stride.height), Int32(window.stride.width))
                (geometry.phaseHeight, geometry.phaseWidth) = (Int32(row), Int32(column))
                phases.append(geometry)
            }
        }
        return phases
    }

    /// Where the source's pixels lie in their buffer: values from one to the next, and to its first channel.
    mutating func setSource(_ layout: (stride: Int, first: Int)) {
        (sourceStride, sourceFirst) = (Int32(layout.stride), Int32(layout.first))
    }

    /// Pixels of the launch.
    var pixels: Int { Int(gridImages) * Int(gridHeight) * Int(gridWidth) }
}

/// One axis of one phase of the input gradient: the pixels phase, phase + stride, … of the image, and the
/// taps that reach them.
struct Phase {
    var pixels: Int
    var taps: Int
    /// The first of those taps in the mirrored filter, and from one to the next.
    var firstTap: Int
    var tapStep: Int
    /// Where in dy the first pixel's taps start. A tap further on they are `DilatedTaps` further on.
    var origin: Int

    init(_ phase: Int, size: Int, kernel: Int, stride: Int, padding: Int, dilation: Int) {
        pixels = size > phase ? divide(size - phase, by: stride) : 0
        // Taps k with k·dilation ≡ phase + padding (mod stride), mirrored: kernel − 1 − k ascends as k descends.
        let step = stride / greatestCommonDivisor(stride, dilation)
        let first = (0..<min(step, kernel)).first { (phase + padding - $0 * dilation) % stride == 0 }
        taps = first.map { divide(kernel - $0, by: step) } ?? 0
        tapStep = step
        let last = (first ?? 0) + step * (taps - 1)
        firstTap = kernel - 1 - last
        origin = (phase + padding - last * dilation) / stride
    }
}

/// Pixels of the source from a tap of a launch to the next, DILATION_HEIGHT and DILATION_WIDTH of kernels, which are built
/// for them where they are not 1.
struct DilatedTaps: Hashable {
    private let height: Int
    private let width: Int

    init(_ dilation: Extent) { (height, width) = (dilation.height, dilation.width) }

    init(_ pass: ConvolutionPass) {
        let (stride, dilation) = (pass.window.stride, pass.window.dilation)
        self.init(
            pass.isTransposed
                ? Extent(
                    dilation.height / greatestCommonDivisor(stride.height, dilation.height),
                    dilation.width / greatestCommonDivisor(stride.width, dilation.width))
                : dilation)
    }

    var definitions: [(String, Int)] {
        [("DILATION_HEIGHT", height), ("DILATION_WIDTH", width)].filter { $0.1 != 1 }
    }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
}

/// The layer's image, window and result, which the geometries of several kernels begin with: LAYER_FIELDS.
protocol LayerFields {
    var images: Int32 { get set }
    var height: Int32 { get set }
    var width: Int32 { get set }
    var channels: Int32 { get set }
    var kernelHeight: Int32 { get set }
    var kernelWidth: Int32 { get set }
    var strideHeight: Int32 { get set }
    var strideWidth: Int32 { get set }
    var paddingHeight: Int32 { get set }
    var paddingWidth: Int32 { get set }
    var outputHeight: Int32 { get set }
    var outputWidth: Int32 { get set }
    var outputChannels: Int32 { get set }
}

extension LayerFields {
    mutating func setLayer(_ window: Window, image: Shape, result: Shape) {
        (images, height, width) = (Int32(image.images), Int32(image.height), Int32(image.width))
        channels = Int32(image.channels)
        (kernelHeight, kernelWidth) = (Int32(window.kernel.height), Int32(window.kernel.width))
        (strideHeight, strideWidth) = (Int32(window.stride.height), Int32(window.stride.width))
        (paddingHeight, paddingWidth) = (Int32(window.padding.top), Int32(window.padding.left))
        (outputHeight, outputWidth) = (Int32(result.height), Int32(result.width))
        outputChannels = Int32(result.channels)
    }
}

extension PatchGeometry: LayerFields {}
extension FilterGradientGeometry: LayerFields {}
extension TiledGradientGeometry: LayerFields {}
