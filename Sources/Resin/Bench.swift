import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// A network's step on random images, to be timed: training with SGD and momentum, or prediction.
public final class Bench {
    private let executor: any Executor
    private let executable: any Executable
    private let plan: Plan
    private let batch: Int
    private let isTraining: Bool
    private var step = 0

    public convenience init(
        _ network: Network, batch: Int, trains: Bool, device: ComputeDevice, profiling: Bool = false
    ) throws {
        try self.init(
            network, images: ImageSet.random(network.input, count: batch, classCount: network.classCount),
            TrainingConfiguration(benchmarking: network, batch: batch), trains: trains, device: device,
            profiling: profiling)
    }

    /// A step of a given run, on as many images as its batch has.
    init(
        _ network: Network, images: ImageSet, _ configuration: TrainingConfiguration, trains: Bool,
        device: ComputeDevice, profiling: Bool
    ) throws {
        batch = configuration.batch
        isTraining = trains
        executor = try device.makeExecutor(profiling: profiling)
        let graph: Graph
        if trains {
            graph = try TrainingGraph(network, images: images, configuration).graph
        } else {
            graph = try EvaluationGraph(network, images: images, configuration, probesChannels: false).graph
        }
        plan = executor.makePlan(graph)
        let model = ModelState(graph)
        try model.allocate(on: executor)
        try executor.allocate(.gradients, byteCount: model.parameterLayout.byteCount)
        for state in 0..<configuration.optimizer.op.stateCount {
            try executor.allocate(.optimizerState(state), byteCount: model.parameterLayout.byteCount)
        }
        try executor.upload(images, as: trains ? .train : .test, batch: batch)
        try model.initialise(.kaiming, seed: 42, on: executor)
        executable = try executor.prepare(plan)
    }

    /// Floating-point operations of a step.
    public var flops: Int { plan.graph.cost.flops }

    private func nextUniforms() -> StepUniforms {
        step += 1
        return StepUniforms(seed: 42, step: step, imageCount: batch, learningRate: 0.001)
    }

    /// Takes a step, waits for it, and returns its seconds.
    @discardableResult
    public func runStep() throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try executable.run(nextUniforms())
        try executable.synchronize()
        return (clock.now - start) / .seconds(1)
    }

    /// Each node's seconds, medians of so many steps; nil where the executor keeps no profile.
    private func medians(steps: Int) throws -> [Double]? {
        let runs = try (0..<steps).compactMap { _ in try executable.profile(nextUniforms()) }
        guard let first = runs.first else { return nil }
        return first.indices.map { node in runs.map { $0[node] }.sorted()[runs.count / 2] }
    }

    /// Times by layer, medians of three steps; nil where the executor keeps no profile.
    func stepProfile(note: String) throws -> StepProfile? {
        try medians(steps: 3).map { StepProfile(plan.graph, batch: batch, seconds: $0, note: note) }
    }

    /// Time, GFLOP/s and GB/s of each layer and pass, medians of five steps.
    public func profileTable() throws -> String {
        guard let medians = try medians(steps: 5) else { return "this executor keeps no profile" }
        let total = medians.reduce(0, +)
        var lines = [
            "layer                pass      operator                                      ms      %  GFLOP/s    GB/s"
        ]
        for (node, seconds) in zip(plan.graph.nodes, medians) where seconds > 0 {
            let cost = plan.graph.cost(of: node)
            lines.append(
                pad(node.name, 21) + pad(node.pass.rawValue, 10) + pad(node.op.body.summary, 42)
                    + number(1e3 * seconds, 3, 9) + number(100 * seconds / total, 1, 7)
                    + number(Double(cost.flops) / seconds * 1e-9, 0, 9)
                    + number(Double(cost.bytes) / seconds * 1e-9, 1, 8))
        }
        lines.append(pad("total", 73) + number(1e3 * total, 3, 9))
        return lines.joined(separator: "\n")
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
    }

    private func number(_ value: Double, _ decimals: Int, _ width: Int) -> String {
        let text = String(format: "%.\(decimals)f", value)
        return String(repeating: " ", count: max(width - text.count, 1)) + text
    }
}

extension ImageSet {
    /// Noise, for timing and memory.
    static func random(_ shape: ImageShape, count: Int, classCount: Int) throws -> ImageSet {
        let philox = Philox(seed: 1, stream: .glyphs)
        let byteCount = count * shape.channels * shape.height * shape.width
        var pixels = [UInt8]()
        pixels.reserveCapacity(byteCount + 16)
        while pixels.count < byteCount {
            let words = philox(Philox.Block(UInt32(pixels.count), 0, 0, 0))
            withUnsafeBytes(of: words) { pixels += $0 }
        }
        pixels.removeLast(pixels.count - byteCount)
        return try ImageSet(
            pixels: pixels, labels: (0..<count).map { UInt8($0 % classCount) }, height: shape.height,
            width: shape.width, channels: shape.channels, classCount: classCount, source: "random images")
    }
}

extension TrainingConfiguration {
    init(benchmarking network: Network, batch: Int) {
        let channels = network.input.channels
        self.init(
            network: network, data: "random", classNames: (0..<network.classCount).map(String.init),
            mean: Array(repeating: 0.5, count: channels),
            standardDeviation: Array(repeating: 0.25, count: channels), epochs: 1, batch: batch,
            optimizer: .sgd(learningRate: 0.001, momentum: 0.9))
    }
}

extension Network {
    /// The bytes that training (SGD with momentum) and prediction take, as the device's planner allocates
    /// them, without the data set.
    public func memory(batch: Int, on device: ComputeDevice) throws -> NetworkSummary.Memory {
        // The plan depends on the images' size only.
        let images = try ImageSet.random(input, count: 1, classCount: classCount)
        let configuration = TrainingConfiguration(benchmarking: self, batch: batch)
        let executor = try device.makeExecutor()
        let training = executor.makePlan(try TrainingGraph(self, images: images, configuration).graph)
        let evaluation = executor.makePlan(
            try EvaluationGraph(self, images: images, configuration, probesChannels: false).graph)
        func total(_ plan: Plan, _ optimizer: Op.Optimizer?) -> Int {
            MemoryPlan(training: plan, evaluation: nil, optimizer: optimizer, dataset: 0).total
        }
        return NetworkSummary.Memory(
            batch: batch, inputBytes: TensorType(input.batch(of: batch)).byteCount,
            parametersBytes: 4 * ModelState(training.graph).parameterCount,
            trainingBytes: total(training, configuration.optimizer.op),
            inferenceBytes: total(evaluation, nil))
    }
}
