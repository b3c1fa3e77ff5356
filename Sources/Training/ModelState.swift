import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// A network's parameters and running statistics, moved between an executor's flat buffers and files, which
/// hold them under PyTorch's names and in its order.
package struct ModelState: Sendable {
    package let parameters: [Parameter]
    package let statistics: [Statistic]
    package let parameterLayout: FlatLayout
    /// Of the optimizer's states.
    private let gradientLayout: FlatLayout
    package let statisticLayout: FlatLayout
    /// What files count for the batch norms that are frozen.
    private var frozenCounters: [String: Int64] = [:]

    /// - Parameter isTrained: whether there are statistics to go back to.
    package init(_ graph: Graph, isTrained: Bool) {
        parameters = graph.parameters
        statistics = graph.statistics
        parameterLayout = FlatLayout(parametersOf: graph)
        gradientLayout = FlatLayout(gradientsOf: graph)
        statisticLayout = FlatLayout(statisticsOf: graph)
        statisticRegions = statistics.isEmpty ? [] : [.statistics] + (isTrained ? [.keptStatistics] : [])
    }

    /// The running statistics, and their copies where there are any.
    private let statisticRegions: [Region]

    package var parameterCount: Int { parameters.reduce(0) { $0 + $1.layout.count } }

    /// Draws the parameters' first values on other threads while this one is in `preparing`, which compiles kernels, and
    /// then writes them.
    package func initialise<Prepared>(
        _ initialiser: Initialiser, seed: UInt64, on executor: any Executor,
        while preparing: () throws -> Prepared
    ) throws -> Prepared {
        let values = Background { firstValues(initialiser, seed: seed) }
        let prepared = try preparing()
        try executor.write(values.value, to: .parameters)
        var flat = [Float](repeating: 0, count: statisticLayout.count)
        for (index, statistic) in statistics.enumerated() {
            for place in statisticLayout.ranges[index] { flat[place] = statistic.initialValue }
        }
        for region in statisticRegions { try executor.write(flat, to: region) }
        return prepared
    }

    private func firstValues(_ initialiser: Initialiser, seed: UInt64) -> [Float] {
        var flat = [Float](repeating: 0, count: parameterLayout.count)
        flat.withUnsafeMutableBufferPointer { flat in
            concurrently(parameters.count) { index in
                let values = initialiser.values(for: parameters[index], index: index, seed: seed)
                _ = flat[parameterLayout.ranges[index]].update(fromContentsOf: values)
            }
        }
        return flat
    }

    /// Takes the running statistics back to where they were before a step that was given up.
    package func restoreStatistics(on executor: any Executor) throws {
        if statistics.isEmpty { return }
        let kept = try executor.read(.keptStatistics, count: statisticLayout.count, as: Float(0))
        try executor.write(kept, to: .statistics)
    }

    // MARK: Files

    /// The weights as PyTorch's `state_dict` of the same network, batch norm's step count included.
    package func weights(on executor: any Executor, step: Int) throws -> [Safetensors.Entry] {
        let frozen = Set(parameters.filter { !$0.isTrained }.map(\.name.layerName))
        let counters = statistics.compactMap { statistic -> Safetensors.Entry? in
            guard statistic.name.hasSuffix(Self.runningMean) else { return nil }
            let layer = statistic.name.layerName
            let name = statistic.name.dropLast(Self.runningMean.count) + Self.batchCounter
            let count = frozen.contains(layer) ? frozenCounters[String(name)] ?? 0 : Int64(step)
            return Safetensors.Entry(String(name), shape: [], .int64([count]))
        }
        return try entries(parameters, parameterLayout, of: .parameters, prefix: "", on: executor)
            + zip(statistics, split(try readStatistics(executor), statisticLayout))
            .map { Safetensors.Entry($0.name, shape: [$0.count], values: $1) } + counters
    }

    /// A flat buffer laid out like the gradients, as one tensor for each parameter that is trained.
    package func tensors(
        of region: Region, prefix: String, on executor: any Executor
    ) throws -> [Safetensors.Entry] {
        try entries(parameters.filter(\.isTrained), gradientLayout, of: region, prefix: prefix, on: executor)
    }

    private func entries(
        _ parameters: [Parameter], _ layout: FlatLayout, of region: Region, prefix: String,
        on executor: any Executor
    ) throws -> [Safetensors.Entry] {
        let values = split(try read(region, layout, executor), layout).filter { !$0.isEmpty }
        return zip(parameters, values).map {
            Safetensors.Entry(
                prefix + $0.name, shape: $0.layout.externalShape, values: $0.layout.externalOrder($1))
        }
    }

    /// Hands each parameter's values to `body`, in the order in which the device has them.
    package func forEachParameter(
        on executor: any Executor, _ body: (_ name: String, _ values: ArraySlice<Float>) throws -> Void
    ) throws {
        let flat = try read(.parameters, parameterLayout, executor)
        for (parameter, range) in zip(parameters, parameterLayout.ranges) {
            try body(parameter.name, flat[range])
        }
    }

    /// The first parameter or running statistic that has a value that is not finite; nil where all are.
    package func firstNotFinite(on executor: any Executor) throws -> String? {
        // Whole, which is as fast as it is read; by name only where there is one.
        if try read(.parameters, parameterLayout, executor).areFinite,
            try readStatistics(executor).areFinite
        {
            return nil
        }
        return try weights(on: executor, step: 0).first { !$0.isFinite }?.name
    }

    /// Puts weights, found for this network, on the device; what they do not have stays.
    package mutating func load(_ weights: NetworkWeights, on executor: any Executor) throws {
        frozenCounters = weights.counters
        for (index, parameter) in parameters.enumerated() {
            guard let tensor = weights.tensors[parameter.name] else { continue }
            try write(tensor.values, of: index, to: .parameters, on: executor)
        }
        for (index, statistic) in statistics.enumerated() {
            for region in statisticRegions {
                try executor.write(
                    weights.tensors[statistic.name]!.values, to: region,
                    offset: statisticLayout.byteOffset(index))
            }
        }
    }

    /// Puts tensors that are laid out like the gradients on the device: an optimizer's state.
    ///
    /// - Throws: `ResinError`: `.badContent` that names the tensor that is missing or of another shape, `.notFinite`.
    package func loadTensors(
        _ file: Safetensors, from path: String, prefix: String, to region: Region, on executor: any Executor
    ) throws {
        let entries = Dictionary(file.entries.map { ($0.name, $0) }) { first, _ in first }
        for (index, parameter) in parameters.enumerated() where parameter.isTrained {
            let name = prefix + parameter.name
            let shape = parameter.layout.externalShape
            guard let entry = entries[name] else {
                throw ResinError(
                    .badContent,
                    "\(path): tensor '\(name)' of shape \(shape) is missing; the file is a checkpoint of another "
                        + "network, or incomplete")
            }
            guard entry.shape == shape else {
                throw ResinError(
                    .badContent,
                    "\(path): tensor '\(name)' has shape \(entry.shape), but this network's has \(shape)")
            }
            try entry.checkThatItIsFinite(in: path)
            try write(entry.values, of: index, to: region, on: executor)
        }
    }

    /// One by one: a second copy of all weights may not fit the memory.
    private func write(
        _ values: [Float], of parameter: Int, to region: Region, on executor: any Executor
    ) throws {
        try executor.write(
            parameters[parameter].layout.deviceOrder(values), to: region,
            offset: parameterLayout.byteOffset(parameter))
    }

    private func read(_ region: Region, _ layout: FlatLayout, _ executor: any Executor) throws -> [Float] {
        try executor.read(region, count: layout.count, as: Float(0))
    }

    /// There is no such region where a network has none.
    private func readStatistics(_ executor: any Executor) throws -> [Float] {
        statistics.isEmpty ? [] : try read(.statistics, statisticLayout, executor)
    }

    private func split(_ flat: [Float], _ layout: FlatLayout) -> [[Float]] {
        layout.ranges.map { Array(flat[$0]) }
    }

    private static let runningMean = "running_mean"
    /// PyTorch counts batch norm's batches; it is not needed here, but a `state_dict` has it.
    private static let batchCounter = "num_batches_tracked"
}
