import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// The graphs of a training step. Of the images they take the shape: memory is planned before there are any.
package struct TrainingGraphs {
    /// Images and labels from the data set on the device, the network, its loss, and all gradients.
    package let gradients: Graph
    /// The optimizer, which works on the flat buffers behind them.
    package let update: Graph
    /// The weights' moving averages, where they are kept.
    package let averages: AverageGraphs?
    /// The layers' outputs by name, to find the one whose values first are not finite.
    package let layerOutputs: [(name: String, value: ValueID)]

    package init(_ network: Network, _ input: StepInput, _ configuration: TrainingConfiguration) throws {
        var step = try NetworkStep(network, input, split: .train, configuration, mode: .training)
        try step.graph.differentiate(step.loss)
        try step.recordMetrics()
        gradients = step.graph.inPrecision(configuration.precision)
        layerOutputs = gradients.nodes.filter { $0.pass == .forward && !$0.outputs.isEmpty }
            .map { ($0.name, $0.outputs[0]) }
        update = try Self.update(of: step, by: configuration.optimizer)
        averages = try configuration.averageDecay.map { try AverageGraphs(of: step.graph, decay: $0) }
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
            optimizer.rule, of: FlatLayout(parametersOf: step.graph), clipNorm: optimizer.clipNorm,
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

/// What both graphs begin with.
private struct NetworkStep {
    var graph: Graph
    let logits: ValueID
    let lossOp: Op.SoftmaxCrossEntropy
    let loss: ValueID
    let metrics: ValueID
    /// What the gradients are of the loss times, where it is scaled.
    let lossScale: ValueID?
    let activations: [NetworkGraph.Activation]

    init(
        _ network: Network, _ input: StepInput, split: Region.Split, _ configuration: TrainingConfiguration,
        mode: NetworkScope.Mode
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
        lossOp = Op.SoftmaxCrossEntropy(
            labelSmoothing: mode == .training ? configuration.labelSmoothing : 0,
            mixes: maker.mixesLabels)
        lossScale =
            mode == .training && configuration.precision.scalesLoss
            ? graph.addRegion(.lossScale, LossScale.type) : nil
        let lossInputs = [logits] + targets + (lossScale.map { [$0] } ?? [])
        loss = try graph.apply(.softmaxCrossEntropy(lossOp), to: lossInputs, name: "loss")[0]
        let slots = (input.count + configuration.batch - 1) / configuration.batch
        metrics = graph.addRegion(.metrics(split), TensorType([slots, Metric.allCases.count]))
    }

    mutating func recordMetrics() throws {
        try graph.apply(.recordMetrics, to: [loss, metrics], name: "metrics")
    }
}
