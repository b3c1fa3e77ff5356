import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension GroupedGeometry: LayerFields {
    init(_ pass: ConvolutionPass) {
        self.init()
        setLayer(pass.window, image: pass.image, result: pass.result)
        (dilationHeight, dilationWidth) =
            (Int32(pass.window.dilation.height), Int32(pass.window.dilation.width))
        groups = Int32(pass.groups)
        epilogue = pass.epilogue.code
        hasBias = pass.hasBias ? 1 : 0
    }
}

/// Parts of the batch's rows whose sums for a filter's gradient are made apart and added up in order; a matter of shapes and
/// the kind of device alone, never of the number of cores, which results must not depend on.
struct GroupedSplits {
    let count: Int
    /// Floats of a part: the filter's sums, and the bias's.
    private let length: Int

    /// - Parameters:
    ///   - workItems: of a part, on a GPU.
    ///   - mostParts: that there can be; nil where it is the rows.
    init(
        _ pass: ConvolutionPass, workItems: Int = 1, mostParts: Int? = nil, _ traits: DeviceTraits
    ) {
        length = pass.filterCount + pass.result.channels
        let isCPU = traits.kind == .cpu
        let wanted = isCPU ? 32 : divide(Self.busyWorkItems, by: workItems)
        let mostByteCount = isCPU ? Self.cacheByteCount : Self.mostByteCount
        let most = min(mostParts ?? pass.result.images * pass.result.height, mostByteCount / (4 * length))
        let count = min(wanted, most)
        // A GPU's groups are of a power of two of them.
        self.count = count > Self.parts ? count / Self.parts * Self.parts : max(count, 1)
    }

    /// Work-items that keep a large GPU busy, and the most memory that parts may take there; and on a CPU, where they should
    /// stay in a cache.
    private static let (busyWorkItems, mostByteCount, cacheByteCount) = (1 << 17, 64 << 20, 8 << 20)
    /// Parts that one launch adds up; where there are many more, another adds to so many first.
    private static let parts = 32

    var byteCount: Int { 4 * count * length }

    func add(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        guard count > 2 * Self.parts else {
            pass.addSplits(count, &lowering)
            return
        }
        lowering.launch(
            "grouped_convolution2d_fold", in: .grouped, defining: [("ROWS", 4), ("WHOLE", 0)],
            global: [divide(length, by: lowering.traits.lanes), Self.parts],
            [.workspace, .int(length), .int(count), .int(Self.parts)])
        pass.addSplits(Self.parts, &lowering)
    }
}

/// What the kernels of grouped_convolution2d.cl are built for, and the vectors of all groups.
private struct GroupedVectors {
    let count: Int
    private let isWhole: Bool

    init(groups: Int, inputs: Int, outputs: Int, _ traits: DeviceTraits) {
        count = groups * divide(outputs, by: traits.lanes)
        isWhole = traits.kind == .gpu && inputs % traits.lanes == 0 && outputs % traits.lanes == 0
    }

    func definitions(rows: Int) -> [(String, Int)] {
        [("ROWS", rows), ("WHOLE", isWhole ? 1 : 0)] + (isWhole ? [("ALIGNED", 1)] : [])
    }
}

/// The sum as it is written, a group's outputs side by side (grouped_convolution2d.cl); the input's gradient phase by phase
/// of the stride, with the filter transposed.
struct GroupedConvolution: ConvolutionForm {
    static let name = "gather"
    static let reason = GatherConvolution.reason
    static let takesDilation = true

    private let vectors: GroupedVectors
    private let rows: Int
    let workspaceByteCount: Int

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (image, result) = pass.groupChannels
        let (inputs, outputs) = pass.isTransposed ? (result, image) : (image, result)
        vectors = GroupedVectors(groups: pass.groups, inputs: inputs, outputs: outputs, traits)
        rows = traits.kind == .cpu ? 8 : 4
        workspaceByteCount = pass.isTransposed ? 4 * pass.filterCount : 0
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        let offset = pass.offset(&lowering)
        let definitions = vectors.definitions(rows: rows)
        var filter = pass.filter(in: lowering)
        if pass.isTransposed {
            let (inputs, outputs) = pass.groupChannels
            lowering.launch(
                "grouped_convolution2d_transpose", in: .grouped, defining: definitions,
                global: [pass.image.channels, outputs, pass.window.kernel.area], readsWeightsAlone: true,
                [
                    filter, .workspace, .int(pass.window.kernel.area), .int(inputs), .int(outputs),
                    .int(pass.groups),
                ])
            filter = .workspace
        }
        let launches =
            pass.isTransposed ? ConvolutionGeometry.phases(pass) : [.forward(pass, offset: offset)]
        for geometry in launches {
            lowering.launch(
                "grouped_convolution2d", in: .grouped,
                defining: definitions + DilatedTaps(pass).definitions,
                global: [vectors.count, divide(geometry.pixels, by: rows)],
                [
                    lowering.input(0), filter, offset.argument, lowering.addend(of: pass.epilogue),
                    lowering.operand(of: pass.epilogue), lowering.output(0), .geometry(geometry),
                    .int(pass.groups),
                ])
        }
    }
}

/// The sum as it is written, in registers for a vector of a group's outputs and a few of its inputs at one tap, over parts of
/// the batch.
struct GroupedFilterGradient: ConvolutionForm {
    static let name = DirectFilterGradient.name
    static let reason = DirectFilterGradient.reason
    static let takesDilation = true

    private let vectors: GroupedVectors
    private let splits: GroupedSplits
    /// Work-items of a vector of outputs: taps and runs of input channels.
    private let runs: Int
    private static let rows = 4
    var workspaceByteCount: Int { splits.byteCount }

    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits) {
        let (inputs, outputs) = pass.groupChannels
        vectors = GroupedVectors(groups: pass.groups, inputs: inputs, outputs: outputs, traits)
        runs = pass.window.kernel.area * divide(inputs, by: Self.rows)
        splits = GroupedSplits(pass, workItems: vectors.count * runs, traits)
    }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering) {
        var geometry = GroupedGeometry(pass)
        geometry.splits = Int32(splits.count)
        lowering.launch(
            "grouped_convolution2d_filter_gradient", in: .grouped,
            defining: vectors.definitions(rows: Self.rows), global: [vectors.count, runs, splits.count],
            [lowering.input(0), lowering.input(1), .workspace, .geometry(geometry)])
        splits.add(pass, &lowering)
    }
}
