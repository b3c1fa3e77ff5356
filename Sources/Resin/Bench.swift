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
    private let plan: StepPlan
    private let batch: Int
    /// Bytes that the step takes on the device, as planned, its images included.
    public let planByteCount: Int
    private var step = 0

    public convenience init(
        _ network: Network, batch: Int, trains: Bool, device: ComputeDevice, profiling: Bool = false
    ) throws {
        try self.init(
            network, TrainingConfiguration(benchmarking: network, batch: batch, device.precision),
            trains: trains, device: device, profiling: profiling
        ) { try ImageSet.random(network.input, count: batch, classCount: network.classCount) }
    }

    /// A step of a given run, on as many images as its batch has.
    ///
    /// - Parameter images: asked for once their memory is known to fit.
    init(
        _ network: Network, _ configuration: TrainingConfiguration, trains: Bool, device: ComputeDevice,
        profiling: Bool, images: () throws -> any ImageSource
    ) throws {
        batch = configuration.batch
        let executor = try device.makeExecutor(profiling: profiling)
        self.executor = executor
        func makePlan(batch: Int) throws -> (StepPlan, MemoryPlan) {
            var configuration = configuration
            configuration.batch = batch
            let size = configuration.imageSize ?? [network.input.height, network.input.width]
            let shape = Shape(
                images: batch, height: size[0], width: size[1], channels: network.input.channels)
            let input = StepInput.uniform(shape)
            let plan = try StepPlan(network, input, configuration, trains: trains, on: executor)
            return (plan, MemoryPlan(plan, inputs: [input], on: executor))
        }
        let (plan, memory) = try makePlan(batch: batch)
        self.plan = plan
        planByteCount = memory.total
        try MemoryPlan.check(
            trains ? "a training step" : "a prediction step", batch: batch,
            remedy: "use a smaller --input or another --device", on: executor
        ) { [batch] in $0 == batch ? memory : try makePlan(batch: $0).1 }
        try executor.makeRoom(for: plan)
        let model = ModelState(plan.plans[0].graph, isTrained: trains)
        if trains, configuration.precision.scalesLoss { try executor.write(LossScale()) }
        let set = StepImages(try images(), trains ? .train : .test, configuration)
        _ = try set.feed(set.input(batch: batch, on: executor), on: executor)
        executable = try model.initialise(
            .default, seed: 42, on: executor, while: { try executor.prepare(plan) })
    }

    /// Floating-point operations of a step.
    public var flops: Int { plan.cost.flops }

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

    /// Takes so many steps one behind the other, waits once, at the end, and returns the seconds of a step: what the host
    /// does for a step is beside the steps before it, as in a training.
    public func runSteps(_ count: Int) throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<count { try executable.run(nextUniforms()) }
        try executable.synchronize()
        return (clock.now - start) / .seconds(1) / Double(count)
    }

    /// Each kernel's time, medians of so many steps; nil where the executor keeps no profile.
    private func medians(steps: Int) throws -> [KernelTime]? {
        let runs = try (0..<steps).compactMap { _ in try executable.profile(nextUniforms()) }
        guard var result = runs.first else { return nil }
        for index in result.indices {
            result[index].seconds = runs.map { $0[index].seconds }.sorted()[runs.count / 2]
        }
        return result
    }

    /// Times by layer, medians of three steps; nil where the executor keeps no profile.
    func stepProfile(note: String) throws -> StepProfile? {
        guard let kernels = try medians(steps: 3) else { return nil }
        let nodes = plan.nodes
        var seconds = [Double](repeating: 0, count: nodes.count)
        for kernel in kernels { seconds[kernel.node] += kernel.seconds }
        return StepProfile(nodes, batch: batch, seconds: seconds, note: note)
    }

    /// The device's limits, measured; nil where the executor, as the reference, has none worth measuring.
    public func calibrate() throws -> Calibration? { try executor.calibrate() }

    /// One step's kernels on a time line; nil where the executor keeps no profile.
    public func trace() throws -> ChromeTrace? {
        try executable.profile(nextUniforms()).map { ChromeTrace(plan.nodes, $0) }
    }

    /// Seconds that the step would take if each operator ran at the device's limit.
    public func boundSeconds(_ calibration: Calibration) -> Double {
        plan.nodes.reduce(0) { $0 + calibration.seconds($1.cost) }
    }

    /// What each operator takes and could take at best, medians of five steps; nil where the executor keeps no
    /// profile.
    public func operatorProfile(_ calibration: Calibration) throws -> OperatorProfile? {
        try medians(steps: 5).map { OperatorProfile(plan.nodes, $0, calibration) }
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
            pixels: pixels, labels: (0..<count).map { Int32($0 % classCount) }, height: shape.height,
            width: shape.width,
            channels: shape.channels, classCount: classCount, source: "random images")
    }
}

extension TrainingConfiguration {
    init(benchmarking network: Network, batch: Int, _ precision: Precision) {
        let channels = network.input.channels
        self.init(
            network: network, data: "random", classNames: (0..<network.classCount).map(String.init),
            mean: Array(repeating: 0.5, count: channels),
            standardDeviation: Array(repeating: 0.25, count: channels), epochs: 1, batch: batch,
            optimizer: .sgd(learningRate: 0.001, momentum: 0.9))
        self.precision = precision
    }
}

extension Network {
    /// The bytes that training (SGD with momentum) and prediction take, as the device's planner allocates
    /// them, without the data set.
    public func memory(batch: Int, on device: ComputeDevice) throws -> NetworkSummary.Memory {
        // Of the images only the batch's enter the plan.
        let images = StepInput.uniform(input.batch(of: 1))
        let configuration = TrainingConfiguration(benchmarking: self, batch: batch, device.precision)
        let executor = try device.makeExecutor()
        func plan(trains: Bool) throws -> StepPlan {
            try StepPlan(self, images, configuration, trains: trains, on: executor)
        }
        let training = try plan(trains: true)
        let parameters = training.plans[0].graph.parameters
        return NetworkSummary.Memory(
            batch: batch, inputBytes: TensorType(input.batch(of: batch)).byteCount,
            parametersBytes: 4 * parameters.reduce(0) { $0 + $1.layout.count },
            trainingBytes: MemoryPlan(training, inputs: [], on: executor).total,
            inferenceBytes: MemoryPlan(try plan(trains: false), inputs: [], on: executor).total)
    }
}

extension StepPlan {
    /// A training step, or one of prediction that looks at nothing but the logits.
    init(
        _ network: Network, _ input: StepInput, _ configuration: TrainingConfiguration, trains: Bool,
        on executor: any Executor
    ) throws {
        if trains {
            let graphs = try TrainingGraphs(network, input, configuration)
            self = executor.makePlan(graphs.gradients, graphs.update)
        } else {
            self = executor.makePlan(
                try EvaluationGraph(network, input, configuration, probesChannels: false).graph)
        }
    }
}
