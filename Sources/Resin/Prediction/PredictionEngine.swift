import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// A network on a device with all that its predictions take, made once: plans of several batch sizes, which share weights,
/// what is made of the weights alone, and the arena. For one thread at a time.
final class PredictionEngine {
    private let executor: any Executor
    private let steps: [Step]
    private let heatmapStep: HeatmapStep?
    private let imageByteCount: Int
    private let classCount: Int
    var device: DeviceDescription { executor.device }
    /// Of the device, in bytes.
    let plannedByteCount: Int

    private struct Step {
        var batch: Int
        var executable: any Executable
        var logits: ValueID
        var features: ValueID?
        /// `[batch, …]`
        var featureShape: Shape?
    }

    private struct HeatmapStep {
        var graph: HeatmapGraph
        var executable: any Executable
    }

    struct Row {
        var logits: [Float]
        var features: [Float]
    }

    /// - Parameter sizes: of the batches, ascending.
    init(
        _ network: Network, _ weights: NetworkWeights, _ configuration: TrainingConfiguration,
        _ preparation: ImagePreparation, sizes: [Int], featureLayer: String?,
        heatmapLayer: Predictor.HeatmapLayer?, on executor: any Executor
    ) throws {
        self.executor = executor
        classCount = network.classCount
        let size = preparation.size
        imageByteCount = size.area * preparation.channels
        let graphs = try sizes.map { batch in
            var graph = try PredictionGraph(network, configuration, size: size, batch: batch)
            if let featureLayer { try graph.keepFeatures(of: featureLayer) }
            return graph
        }
        if heatmapLayer != nil, configuration.precision != .float32 {
            throw ResinError(.usage, "heat maps are computed in float32; leave --precision out")
        }
        let heatmapGraph = try heatmapLayer.map {
            try HeatmapGraph(network, configuration, size: size, layer: $0.name)
        }
        let keepsWorkspaces = Self.keepsWorkspaces(executor)
        var plans = graphs.map {
            executor.makePlan(
                $0.graph.inPrecision(configuration.precision), keepsWorkspaces: keepsWorkspaces)
        }
        // What lies in the same place has to be the same.
        if keepsWorkspaces, !plans.allSatisfy({ $0.keepsTheSame(as: plans[0]) }) {
            plans = graphs.map {
                executor.makePlan($0.graph.inPrecision(configuration.precision), keepsWorkspaces: false)
            }
        }
        let heatmapPlan: Plan? = heatmapGraph.map { executor.makePlan($0.graph) }
        let all = StepPlan(plans + [heatmapPlan].compactMap { $0 })
        let memory = MemoryPlan(all, inputs: [preparation.input(batch: sizes.last!)], on: executor)
        plannedByteCount = memory.total
        guard memory.fits(executor) else {
            throw MemoryPlan.outOfMemory(
                memory, "predicting \(sizes.last!) images at a time",
                sizes.last! > 1
                    ? "use a smaller batch" : "use a smaller --input, fewer images or another --device",
                on: executor)
        }
        try executor.makeRoom(for: all)
        var model = ModelState(graphs[0].graph, isTrained: false)
        try model.load(weights, on: executor)
        try executor.write((0..<Int32(sizes.last!)).map { $0 }, to: .order(.test))
        steps = try zip(zip(sizes, graphs), plans).map { graph, plan in
            Step(
                batch: graph.0, executable: try executor.prepare(plan), logits: graph.1.logits,
                features: graph.1.features, featureShape: graph.1.features.map(graph.1.graph.shape(of:)))
        }
        if let heatmapGraph, let heatmapPlan {
            heatmapStep = HeatmapStep(graph: heatmapGraph, executable: try executor.prepare(heatmapPlan))
        } else {
            heatmapStep = nil
        }
    }

    /// What predicting so many images at a time takes.
    static func memory(
        _ network: Network, _ configuration: TrainingConfiguration, _ preparation: ImagePreparation,
        batch: Int, on executor: any Executor
    ) throws -> MemoryPlan {
        let graph = try PredictionGraph(network, configuration, size: preparation.size, batch: batch).graph
        let plan: Plan = executor.makePlan(
            graph.inPrecision(configuration.precision), keepsWorkspaces: keepsWorkspaces(executor))
        var memory = MemoryPlan(StepPlan([plan]), inputs: [preparation.input(batch: batch)], on: executor)
        // Pictures are decoded beside what the device holds.
        if executor.sharesHostMemory { memory.dataset += 1 << 26 }
        return memory
    }

    /// A GPU's scratch memory holds more than weights, and much of it.
    private static func keepsWorkspaces(_ executor: any Executor) -> Bool { executor.device.type == .cpu }

    /// Has drivers compile, and weights put in order, before the first image comes.
    func warmUp() throws {
        for step in steps {
            _ = try predict(
                [[UInt8]](repeating: [UInt8](repeating: 0, count: imageByteCount), count: step.batch)[...])
        }
    }

    /// - Parameter images: bytes of the network's size, at most as many as the largest batch has.
    func predict(_ images: ArraySlice<[UInt8]>) throws -> [Row] {
        let step = steps.first { $0.batch >= images.count }!
        try write(images)
        // Rows behind the last image are computed, too, and repeat it.
        try step.executable.run(StepUniforms(seed: 0, step: 1, imageCount: images.count))
        let logits = try step.executable.read(step.logits)
        let features = try step.features.map { try step.executable.read($0) }
        return (0..<images.count).map { row in
            Row(
                logits: Array(logits[row * classCount..<(row + 1) * classCount]),
                features: features.map { Self.pooled($0, step.featureShape!, row) } ?? [])
        }
    }

    private func write(_ images: ArraySlice<[UInt8]>) throws {
        for (row, image) in images.enumerated() {
            precondition(image.count == imageByteCount)
            try executor.write(image, to: .images(.test), offset: row * imageByteCount)
        }
    }

    /// A row of a layer's output, each channel's mean over the pixels.
    private static func pooled(_ values: [Float], _ shape: Shape, _ row: Int) -> [Float] {
        let count = shape.count / shape.extents[0]
        let channels = shape.extents.last!
        let own = values[row * count..<(row + 1) * count]
        if count == channels { return Array(own) }
        var sums = [Double](repeating: 0, count: channels)
        for (index, value) in own.enumerated() { sums[index % channels] += Double(value) }
        let pixels = Double(count / channels)
        return sums.map { Float($0 / pixels) }
    }

    /// Grad-CAM's map of a class, in the layer's height and width: max(Σ αₖ Aₖ, 0), αₖ the mean over the pixels of the
    /// gradient of the class's output with respect to the layer's channel k.
    func heatmap(_ image: [UInt8], of label: Int) throws -> (layer: String, extent: Extent, values: [Float]) {
        guard let heatmapStep else {
            throw ResinError(
                .usage, "the predictor was made without heat maps; name a layer in its settings")
        }
        let (graph, executable) = (heatmapStep.graph, heatmapStep.executable)
        try write([image])
        var seed = [Float](repeating: 0, count: classCount)
        seed[label] = 1
        try executor.write(seed, to: .outputGradients)
        try executable.run(StepUniforms(seed: 0, step: 1, imageCount: 1))
        let maps = try executable.read(graph.maps)
        let gradients = try executable.read(graph.gradients)
        let shape = graph.graph.shape(of: graph.maps)
        let pixels = shape.height * shape.width
        var weights = [Double](repeating: 0, count: shape.channels)
        for (index, gradient) in gradients.enumerated() {
            weights[index % shape.channels] += Double(gradient) / Double(pixels)
        }
        let values = (0..<pixels).map { pixel in
            let channels = maps[pixel * shape.channels..<(pixel + 1) * shape.channels]
            return Float(max(zip(weights, channels).reduce(0) { $0 + $1.0 * Double($1.1) }, 0))
        }
        return (graph.layer, Extent(shape.height, shape.width), values)
    }
}

extension Plan {
    /// Whether what both keep from step to step is the same, where it lies.
    fileprivate func keepsTheSame(as other: Plan) -> Bool {
        workspaces == other.workspaces && forms.map(\.name) == other.forms.map(\.name)
    }
}
