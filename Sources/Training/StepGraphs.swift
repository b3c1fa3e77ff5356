import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// The graphs of a training step. Of the images they take the shape: memory is planned before there are any.
package struct TrainingGraphs {
    /// Images and labels from the data set on the device, the network, its loss, and all gradients.
    package let gradients: Graph
    /// What becomes of each shard's gradients and running statistics: sums in the order of a binary tree over the shards'
    /// numbers, behind the last their mean. None of a step that is one shard.
    package let sums: [Graph]
    /// The optimizer, which works on the flat buffers behind them.
    package let update: Graph
    /// Of the metrics, the first that is a shard's.
    private let firstShardRow: Int
    /// The weights' moving averages, where they are kept.
    package let averages: AverageGraphs?
    /// The layers' outputs by name, to find the one whose values first are not finite.
    package let layerOutputs: [(name: String, value: ValueID)]

    package init(_ network: Network, _ input: StepInput, _ configuration: TrainingConfiguration) throws {
        firstShardRow = input.count.divided(by: configuration.batch)
        let rows = firstShardRow + (configuration.shards > 1 ? configuration.shards : 0)
        var step = try NetworkStep(
            network, input, split: .train, configuration.ofShard, mode: .training, metricRows: rows)
        try step.graph.differentiate(step.loss)
        try step.recordMetrics()
        gradients = step.graph.inPrecision(configuration.precision)
        layerOutputs = gradients.nodes.filter { $0.pass == .forward && !$0.outputs.isEmpty }
            .map { ($0.name, $0.outputs[0]) }
        sums = try Self.sums(of: step, shards: configuration.shards, firstRow: firstShardRow)
        update = try Self.update(of: step, by: configuration.optimizer)
        averages = try configuration.averageDecay.map { try AverageGraphs(of: step.graph, decay: $0) }
    }

    package func plan(on executor: any Executor) -> StepPlan {
        let ends = [update] + (averages.map { [$0.update] } ?? [])
        if sums.isEmpty { return StepPlan(([gradients] + ends).map { executor.makePlan($0) }) }
        let shards = sums.indices.flatMap { index in
            [
                StepPlan.Run(
                    plan: 0, shard: .init(index: index, count: sums.count, firstRow: firstShardRow)),
                StepPlan.Run(plan: 1 + index),
            ]
        }
        // Sums before the last shard's are given up with it.
        return StepPlan(
            ([gradients] + sums + ends).map { executor.makePlan($0) },
            shards + ends.indices.map { StepPlan.Run(plan: 1 + sums.count + $0) })
    }

    /// A shard's sum waits under the number of its shards, a power of two given by its exponent, until the next as large is
    /// there; those that are left at the end are added from the smallest on.
    private static func sums(of step: NetworkStep, shards: Int, firstRow: Int) throws -> [Graph] {
        if shards == 1 { return [] }
        typealias Buffer = (current: Region, waiting: (Int) -> Region, type: TensorType)
        var buffers: [Buffer] = [
            (.gradients, Region.shardGradients, TensorType([FlatLayout(gradientsOf: step.graph).count]))
        ]
        if !step.graph.statistics.isEmpty {
            let type = TensorType([FlatLayout(statisticsOf: step.graph).count])
            buffers.append((.statistics, Region.shardStatistics, type))
        }
        return try (1...shards).map { done in
            var graph = Graph()
            func apply(_ op: Op.RegionSum, _ source: Region, _ target: Region, _ type: TensorType) throws {
                let operands = [graph.addRegion(source, type), graph.addRegion(target, type)]
                try graph.apply(.regionSum(op), to: operands, name: "shards", pass: .update)
            }
            let smallest = done.trailingZeroBitCount
            let rest = done == shards ? (smallest + 1..<Int.bitWidth).filter { done >> $0 & 1 == 1 } : []
            let added = Array(0..<smallest) + rest
            for (current, waiting, type) in buffers {
                for (place, exponent) in added.enumerated() {
                    let isEnd = done == shards && place == added.count - 1
                    let op = Op.RegionSum(adds: true, factor: isEnd ? 1 / Float(shards) : 1)
                    try apply(op, waiting(exponent), current, type)
                }
                if done < shards {
                    try apply(Op.RegionSum(adds: false), current, waiting(smallest), type)
                    // Every shard begins with the statistics of the last step.
                    if current == .statistics {
                        try apply(Op.RegionSum(adds: false), .keptStatistics, current, type)
                    }
                }
            }
            if done == shards {
                let metrics = graph.addRegion(.metrics(.train), step.graph[step.metrics].type)
                let op = Op.ShardMetrics(firstRow: firstRow, count: shards)
                try graph.apply(.shardMetrics(op), to: [metrics], name: "shards", pass: .update)
            }
            return graph
        }
    }

    private static func update(of step: NetworkStep, by optimizer: OptimizerSettings) throws -> Graph {
        var graph = Graph()
        var others: [(Op.Optimizer.Operand, ValueID)] = []
        func add(_ operand: Op.Optimizer.Operand, _ region: Region, _ type: TensorType) {
            others.append((operand, graph.addRegion(region, type)))
        }
        // A step whose loss is not finite is left out, also where the run then stops: from the weights before
        // it the place where the numbers break can be found.
        add(.metrics, .metrics(.train), step.graph[step.metrics].type)
        if !step.graph.statistics.isEmpty {
            let statistics = TensorType([FlatLayout(statisticsOf: step.graph).count])
            add(.statistics, .statistics, statistics)
            add(.keptStatistics, .keptStatistics, statistics)
        }
        if step.lossScale != nil { add(.lossScale, .lossScale, LossScale.type) }
        try graph.applyOptimizer(
            optimizer.rule, of: FlatLayout(gradientsOf: step.graph), clipNorm: optimizer.clipNorm,
            rates: optimizer.rates(of: step.graph.parameters), others)
        return graph
    }
}

/// The graph of an evaluation step: the network in its prediction form, its loss, the logits to read, and
/// probes of the channels that no ReLU lets through.
package struct EvaluationGraph {
    package let graph: Graph
    package let logits: ValueID
    /// What its loss counts.
    package let metrics: Set<Metric>
    /// Each ReLU's name, and where its channels' flags lie in `Region.activity`.
    package let probes: [(layer: String, channels: Range<Int>)]

    package init(
        _ network: Network, _ input: StepInput, _ configuration: TrainingConfiguration,
        probesChannels: Bool = true
    ) throws {
        var step = try NetworkStep(network, input, split: .test, configuration, mode: .inference)
        try step.recordMetrics()
        var probes: [(layer: String, channels: Range<Int>)] = []
        let activations = probesChannels ? step.activations : []
        let channelCount = activations.reduce(0) { $0 + step.graph.shape(of: $1.value).channels }
        for activation in activations {
            let first = probes.last?.channels.upperBound ?? 0
            let channels = step.graph.shape(of: activation.value).channels
            let flags = step.graph.addRegion(.activity, TensorType([channelCount], .int32))
            try step.graph.apply(
                .channelActivity(Op.ChannelActivity(offset: first)), to: [activation.value, flags],
                name: activation.layer)
            probes.append((activation.layer, first..<first + channels))
        }
        step.graph.results = [step.logits]
        graph = step.graph.inPrecision(configuration.precision)
        logits = step.logits
        metrics = step.lossOp.metrics
        self.probes = probes
    }

    package var channelCount: Int { probes.last?.channels.upperBound ?? 0 }
}

extension Int {
    /// Rounded up.
    fileprivate func divided(by batch: Int) -> Int { (self + batch - 1) / batch }
}

/// What both graphs begin with.
private struct NetworkStep {
    var graph: Graph
    let logits: ValueID
    let lossOp: any Loss
    let loss: ValueID
    let metrics: ValueID
    /// What the gradients are of the loss times, where it is scaled.
    let lossScale: ValueID?
    let activations: [NetworkGraph.Activation]

    init(
        _ network: Network, _ input: StepInput, split: Region.Split, _ configuration: TrainingConfiguration,
        mode: NetworkScope.Mode, metricRows: Int? = nil
    ) throws {
        let maker = ImageMaker(input, split, network.input, configuration, mode)
        let made = try network.makeGraph(batch: configuration.batch, mode: mode) { graph in
            try maker.images(&graph)
        }
        graph = made.graph
        logits = made.logits
        activations = made.activations
        let targets = try maker.targets(&graph, images: made.images)
        // What is measured is always the plain loss.
        let loss = configuration.lossOp(mixes: maker.mixesLabels, isTraining: mode == .training)
        lossOp = loss.loss
        lossScale =
            mode == .training && configuration.precision.scalesLoss
            ? graph.addRegion(.lossScale, LossScale.type) : nil
        let weights =
            loss.weighs
            ? [graph.addRegion(.classWeights, TensorType([configuration.classCount]))] : []
        let lossInputs = [logits] + targets + weights + (lossScale.map { [$0] } ?? [])
        self.loss = try graph.apply(loss.op, to: lossInputs, name: "loss")[0]
        let slots = metricRows ?? input.count.divided(by: configuration.batch)
        metrics = graph.addRegion(.metrics(split), TensorType([slots, Metric.allCases.count]))
    }

    mutating func recordMetrics() throws {
        try graph.apply(.recordMetrics, to: [loss, metrics], name: "metrics")
    }
}
