import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.ImageCrop: DeviceOperator {
    /// On a CPU each work-item has scratch memory for what it has resized along one side.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        switch traits.kind {
        case .gpu: return DeviceForm { lower(&$0) }
        case .cpu:
            let bands = CropBands(self, traits)
            return DeviceForm(workspaceByteCount: bands.workItems * bands.scratchByteCount) { lowering in
                var geometry = geometry
                (geometry.bands, geometry.items) = (Int32(bands.count), Int32(batch * bands.count))
                (geometry.pitch, geometry.scratch) = (Int32(bands.pitch), Int32(bands.scratchByteCount))
                lowering.launch(
                    "image_crop_bands", in: .imageCrop,
                    defining: photographDefinitions(channels, lowering.traits),
                    global: [bands.workItems],
                    [
                        lowering.input(0), lowering.input(1), lowering.output(0), .uniforms, .workspace,
                        .geometry(geometry),
                    ])
            }
        }
    }

    func lower(_ lowering: inout Lowering) {
        lowering.launch(
            "image_crop", in: .imageCrop, defining: photographDefinitions(channels, lowering.traits),
            global: [size.width, batch * size.height],
            [
                lowering.input(0), lowering.input(1), lowering.output(0), .uniforms, .geometry(geometry),
            ])
    }

    private var geometry: CropGeometry {
        var geometry = CropGeometry()
        (geometry.height, geometry.width) = (Int32(size.height), Int32(size.width))
        geometry.rows = Int32(batch * size.height)
        return geometry
    }
}

/// How a CPU shares crops: images whole, since a band has to resize a few rows of its neighbours, too; small batches in
/// bands.
private struct CropBands {
    /// As in Kernels/operators/image_crop.cl.
    private static let heldLines = 64
    private static let heldColumns = 64
    private static let keptWeights = 8
    /// So many images keep all cores busy to the end.
    private static let busyImages = 8

    /// Of an image.
    let count: Int
    let workItems: Int
    /// Bytes of a row.
    let pitch: Int
    let scratchByteCount: Int

    init(_ op: Op.ImageCrop, _ traits: DeviceTraits) {
        let wanted = divide(Self.busyImages * traits.computeUnits, by: op.batch)
        count = min(wanted, max(op.size.height / 16, 1))
        workItems = traits.shares(of: op.batch * count)
        pitch = (op.size.width * op.channels).roundedUp(toMultipleOf: 16)
        let integers =
            pitch + 2 * op.size.width + Self.heldLines
            + max(Self.keptWeights * op.size.width, Self.heldColumns)
        scratchByteCount = (Self.heldLines * pitch + 4 * integers).roundedUp(toMultipleOf: 64)
    }
}

extension Op.ImageAdjustments: DeviceOperator {
    /// What an adjustment makes, the next one reads: they go to and fro between the result and as much scratch memory.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        let shape = graph.shape(of: node.inputs[0])
        return DeviceForm(workspaceByteCount: shape.count) { lowering in
            let items = lowering.traits.photographItems
            lowering.launch(
                "image_adjustments", in: .imageAdjustments,
                defining: photographDefinitions(shape.channels, lowering.traits),
                global: [items * shape.images], local: [items],
                [
                    lowering.input(0), lowering.input(1), lowering.output(0), .uniforms, .workspace,
                    .constants(Op.ImageAdjustments.divisions), .int(shape.height), .int(shape.width),
                ])
        }
    }
}

extension Op.ImageAdjustments {
    /// What kernels do not divide themselves, since devices round differently: 255 / d as PyTorch does it, by the reciprocal;
    /// and n / d of bytes, n ≤ d, at [d][n]. What is divided by zero is never looked at.
    fileprivate static let divisions: [Float] = {
        var result = [Float](repeating: 0, count: 256 + 256 * 256)
        for d in 1...255 {
            let divisor = Float(d)
            result[d] = 255 * (1 / divisor)
            for n in 0...d { result[256 + 256 * d + n] = Float(n) / divisor }
        }
        return result
    }()
}

extension Op.ImageNormalisation: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let shape = lowering.inputShape(0)
        let rows = shape.images * shape.height
        var geometry = InputGeometry()
        (geometry.height, geometry.width) = (Int32(shape.height), Int32(shape.width))
        (geometry.channels, geometry.rows) = (Int32(shape.channels), Int32(rows))
        let factors = standardDeviation.map { 1 / (255 * $0) }
        let offsets = zip(mean, standardDeviation).map { -$0 / $1 }
        func launch(_ kernel: String, global: [Int], _ constants: [Float]) {
            lowering.launch(
                kernel, in: .imageNormalisation,
                defining: photographDefinitions(shape.channels, lowering.traits), global: global,
                [
                    lowering.input(0), lowering.input(1), lowering.output(0), .uniforms,
                    .constants(constants),
                    .geometry(geometry),
                ])
        }
        switch lowering.traits.kind {
        case .cpu:
            // A vector begins with any of the channels.
            let around = (0..<shape.channels + lowering.traits.lanes).map { $0 % shape.channels }
            launch(
                "image_normalisation_rows", global: [lowering.traits.shares(of: rows)],
                around.map { factors[$0] } + around.map { offsets[$0] })
        case .gpu:
            launch("image_normalisation", global: [shape.width * shape.channels, rows], factors + offsets)
        }
    }
}

extension Op.SampleLabels: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.launch(
            "sample_labels", in: .imageNormalisation,
            defining: photographDefinitions(lowering.inputShape(1).channels, lowering.traits),
            global: [lowering.outputShape(0).images], [lowering.input(0), lowering.output(0), .uniforms])
    }
}

extension DeviceTraits {
    /// Work-items that make the adjustments of an image.
    fileprivate var photographItems: Int { kind == .cpu ? 1 : groupWorkItems }
}

/// The same for all of these kernels, so that a CPU has them in one program.
private func photographDefinitions(_ channels: Int, _ traits: DeviceTraits) -> [(String, Int)] {
    [("CHANNELS", channels), ("ITEMS", traits.photographItems)]
}
