import ResinGraph
import ResinPlan
import ResinTensor

/// What is done with moving averages of weights and running statistics (Polyak and Juditsky, 1992).
package struct AverageGraphs {
    /// Takes a step's weights in; it runs behind the optimizer.
    package let update: Graph
    /// Lets the averages and the weights change places.
    package let exchange: Graph

    init(of graph: Graph, decay: Double) throws {
        update = try Self.graph(of: graph, .update(decay: decay))
        exchange = try Self.graph(of: graph, .exchange)
    }

    private static func graph(of step: Graph, _ action: Op.MovingAverage.Action) throws -> Graph {
        var graph = Graph()
        var buffers = [(Region.averagedParameters, Region.parameters, FlatLayout(parametersOf: step).count)]
        if !step.statistics.isEmpty {
            buffers.append((.averagedStatistics, .statistics, FlatLayout(statisticsOf: step).count))
        }
        for (average, value, count) in buffers {
            let inputs = [average, value].map { graph.addRegion($0, TensorType([count])) }
            try graph.apply(
                .movingAverage(Op.MovingAverage(action)), to: inputs, name: "average", pass: .update)
        }
        return graph
    }
}

extension ModelState {
    private static let prefix = "ema."

    /// The averages under the weights' names, with a prefix.
    func averages(on executor: any Executor) throws -> [Safetensors.Entry] {
        let flat = try executor.read(.averagedParameters, count: parameterLayout.count, as: Float(0))
        let averaged = zip(parameters, parameterLayout.ranges).map { parameter, range in
            Safetensors.Entry(
                Self.prefix + parameter.name, shape: parameter.layout.externalShape,
                values: parameter.layout.externalOrder(Array(flat[range])))
        }
        if statistics.isEmpty { return averaged }
        let means = try executor.read(.averagedStatistics, count: statisticLayout.count, as: Float(0))
        return averaged
            + zip(statistics, statisticLayout.ranges).map { statistic, range in
                Safetensors.Entry(
                    Self.prefix + statistic.name, shape: [statistic.count], values: Array(means[range]))
            }
    }

    /// - Throws: `ResinError`: `.badContent` that names the tensor that is missing, of another shape, or a variance below
    ///   zero, `.notFinite`.
    func loadAverages(_ file: Safetensors, from path: String, on executor: any Executor) throws {
        let entries = Dictionary(file.entries.map { ($0.name, $0) }) { first, _ in first }
        func entry(_ name: String, _ shape: [Int]) throws -> Safetensors.Entry {
            let name = Self.prefix + name
            guard let entry = entries[name], entry.shape == shape else {
                throw ResinError(
                    .badContent,
                    "\(path): tensor '\(name)' of shape \(shape) is missing; the checkpoint was made without --ema, or "
                        + "is incomplete")
            }
            try entry.checkThatItIsFinite(in: path)
            return entry
        }
        for (index, parameter) in parameters.enumerated() {
            let values = try entry(parameter.name, parameter.layout.externalShape).values
            try executor.write(
                parameter.layout.deviceOrder(values), to: .averagedParameters,
                offset: parameterLayout.byteOffset(index))
        }
        for (index, statistic) in statistics.enumerated() {
            let values = try entry(statistic.name, [statistic.count]).values
            if statistic.name.hasSuffix(".running_var"), let value = values.first(where: { $0 < 0 }) {
                throw ValueFault(
                    key: Self.prefix + statistic.name, value: "\(value) somewhere", allowed: "nowhere below 0"
                ).badContent(in: path)
            }
            try executor.write(values, to: .averagedStatistics, offset: statisticLayout.byteOffset(index))
        }
    }

    /// Weights in which the averages have taken the place of what they are of.
    fileprivate static func averaged(_ weights: Safetensors, _ optimizer: Safetensors) -> Safetensors {
        let averages = Dictionary(
            uniqueKeysWithValues: optimizer.entries.filter { $0.name.hasPrefix(prefix) }.map {
                (String($0.name.dropFirst(prefix.count)), $0.values)
            })
        var result = weights
        result.entries = weights.entries.map { entry in
            averages[entry.name].map { Safetensors.Entry(entry.name, shape: entry.shape, values: $0) }
                ?? entry
        }
        return result
    }
}

extension Trainer {
    /// Of the weights, and of their moving averages where these are kept.
    package struct Evaluations {
        package var current: Evaluation
        package var averaged: Evaluation?
        /// What chooses the best weights.
        package var deciding: Evaluation { averaged ?? current }
    }

    /// Nil when it was stopped.
    package func evaluations(shouldStop: () -> Bool = { false }) throws -> Evaluations? {
        guard let current = try evaluate(shouldStop: shouldStop) else { return nil }
        if configuration.averageDecay == nil { return Evaluations(current: current) }
        guard let averaged = try evaluateAverages(shouldStop: shouldStop) else { return nil }
        return Evaluations(current: current, averaged: averaged)
    }

    /// What is kept as the best: with the averages for weights, where there are any.
    package func averaged(_ checkpoint: Checkpoint) -> Checkpoint {
        guard let decay = configuration.averageDecay else { return checkpoint }
        var result = checkpoint
        result.weights = ModelState.averaged(checkpoint.weights, checkpoint.optimizer)
        result.weights.metadata["ema"] = "\(decay)"
        return result
    }
}
