import ResinGraph
import ResinPlan
import ResinTensor

/// Operators with everything they read, to be run on a device and on the reference, and compared.
struct OperatorTrial: Sendable {
    var name: String
    /// Largest error, relative to the largest absolute value of the exact result.
    var tolerance = 1e-5
    var steps = [StepUniforms(seed: 5, step: 1, imageCount: 1)]
    var build: @Sendable (inout TrialGraph) throws -> [ValueID]

    /// Each of the graph's results, then all regions that a step changes.
    func run(on executor: any Executor, in precision: Precision = .float32) throws -> [[Float]] {
        var trial = TrialGraph()
        trial.graph.results = try build(&trial)
        trial.graph = trial.graph.inPrecision(precision)
        let plan = executor.makePlan(trial.graph)
        try trial.allocate(plan, on: executor)
        let executable = try executor.prepare(plan)
        for step in steps { try executable.run(step) }
        return try plan.graph.results.map(executable.read) + trial.readRegions(plan, on: executor)
    }

    /// The nodes as an executor would run them.
    func graph() throws -> Graph {
        var trial = TrialGraph()
        trial.graph.results = try build(&trial)
        return trial.graph
    }

    /// The largest error of all outputs, relative to the largest absolute value of each; infinite where one is
    /// finite and the other is not.
    static func error(of outputs: [[Float]], against exact: [[Float]]) -> Double {
        precondition(outputs.map(\.count) == exact.map(\.count))
        return zip(outputs, exact).reduce(0) { worst, pair in
            let largest = pair.1.reduce(Float.leastNormalMagnitude) { max($0, $1.isFinite ? abs($1) : 0) }
            return zip(pair.0, pair.1).reduce(worst) { worst, values in
                let (value, exact) = values
                if value == exact || value.isNaN && exact.isNaN { return worst }
                let error = abs(Double(value) - Double(exact)) / Double(largest)
                return error.isFinite ? max(worst, error) : .infinity
            }
        }
    }
}

/// A graph under construction, and the numbers that its parameters, statistics and regions begin with.
struct TrialGraph {
    var graph = Graph()
    private var parameters: [[Float]] = []
    private var gradients: [[Float]] = []
    private var statistics: [[Float]] = []
    private var regions: [(region: Region, byteCount: Int, bytes: [UInt8]?)] = []

    /// What numbers are drawn from.
    enum Numbers {
        /// −1 ..< 1, 24 random bits.
        case uniform
        /// ½ ..< 1½: variances and scales.
        case positive
        /// 16 ..< 18: a mean far from zero, on which a variance of squares loses its digits.
        case offset
        /// −32 ..< 32: logits.
        case logits
        /// The last one infinite, the others as `uniform`: gradients that overflow.
        case infinite

        /// Element `index` of the input that is number `input` of its graph.
        func values(_ count: Int, input: Int) -> [Float] {
            let philox = Philox(seed: UInt64(input) + 77, stream: .initialisation)
            return (0..<count).map { index in
                let unit = Philox.unit(philox(Philox.Block(UInt32(index / 4), 0, 0, 0))[index % 4])
                return switch self {
                case .uniform: 2 * unit - 1
                case .positive: unit + 0.5
                case .offset: 2 * unit + 16
                case .logits: 64 * unit - 32
                case .infinite: index == count - 1 ? .infinity : 2 * unit - 1
                }
            }
        }
    }

    private mutating func parameter(
        _ layout: ParameterLayout, _ numbers: Numbers, gradients gradientNumbers: Numbers = .uniform
    ) -> ValueID {
        let index = parameters.count
        parameters.append(numbers.values(layout.count, input: index))
        gradients.append(gradientNumbers.values(layout.count, input: index + 1000))
        return graph.addParameter(Parameter(name: "parameter \(index)", layout: layout, role: .filter))
    }

    mutating func tensor(_ shape: Shape, _ numbers: Numbers = .uniform) throws -> ValueID {
        let vector = parameter(.vector(shape.count), numbers)
        return try apply(.unflatten(Op.Unflatten(shape: shape)), to: vector)[0]
    }

    mutating func vector(
        _ count: Int, _ numbers: Numbers = .uniform, gradients: Numbers = .uniform
    ) -> ValueID {
        parameter(.vector(count), numbers, gradients: gradients)
    }

    mutating func filter(_ window: Window, inputs: Int, outputs: Int) -> ValueID {
        parameter(
            .filter(
                outputs: outputs, inputs: inputs, height: window.kernel.height, width: window.kernel.width),
            .uniform)
    }

    mutating func statistic(_ count: Int, _ numbers: Numbers) -> ValueID {
        statistics.append(numbers.values(count, input: statistics.count + 500))
        return graph.addStatistic(
            Statistic(name: "statistic \(statistics.count)", count: count, initialValue: 0))
    }

    /// A region of zeros.
    mutating func region(_ region: Region, _ type: TensorType) -> ValueID {
        regions.append((region, type.byteCount, nil))
        return graph.addRegion(region, type)
    }

    mutating func lossScale(_ value: LossScale) -> ValueID {
        let type = LossScale.type
        regions.append((.lossScale, type.byteCount, withUnsafeBytes(of: value) { Array($0) }))
        return graph.addRegion(.lossScale, type)
    }

    /// A data set's images, labels below `classes`, and the order in which they are visited: backwards.
    mutating func dataset(_ images: Shape, classes: Int = 10) -> (ValueID, labels: ValueID, order: ValueID) {
        func bytes(_ count: Int, below: Int) -> [UInt8] {
            (0..<count).map { UInt8(($0 * 131 + $0 / 7 * 29) % below) }
        }
        let order = (0..<Int32(images.images)).reversed().map { $0 }
        let count: Shape = [images.images]
        let parts: [(Region, TensorType, [UInt8])] = [
            (.images(.train), TensorType(images, .uint8), bytes(images.count, below: 256)),
            (.labels(.train), TensorType(count, .uint8), bytes(images.images, below: min(classes, 256))),
            (.order(.train), TensorType(count, .int32), order.withUnsafeBytes { Array($0) }),
        ]
        let values = parts.map { region, type, bytes in
            regions.append((region, type.byteCount, bytes))
            return graph.addRegion(region, type)
        }
        return (values[0], values[1], values[2])
    }

    mutating func apply(_ op: Op, to inputs: ValueID...) throws -> [ValueID] {
        try graph.apply(op, to: inputs, name: "trial")
    }

    mutating func apply(_ op: Op, to inputs: [ValueID]) throws -> [ValueID] {
        try graph.apply(op, to: inputs, name: "trial")
    }

    // MARK: On an executor

    fileprivate func allocate(_ plan: Plan, on executor: any Executor) throws {
        let byteCount = plan.parameterLayout.byteCount
        for region in [.parameters, .gradients] + states {
            try executor.allocate(region, byteCount: byteCount)
        }
        try executor.allocate(.statistics, byteCount: plan.statisticLayout.byteCount)
        for index in parameters.indices {
            let (values, offset) = (parameters[index], plan.parameterLayout.byteOffset(index))
            if let type = graph.halfType(ofParameter: index) {
                try executor.write(values.map(type.bits(of:)), to: .parameters, offset: offset)
            } else {
                try executor.write(values, to: .parameters, offset: offset)
            }
            try executor.write(gradients[index], to: .gradients, offset: offset)
        }
        for index in statistics.indices {
            try executor.write(
                statistics[index], to: .statistics, offset: plan.statisticLayout.byteOffset(index))
        }
        for (region, byteCount, bytes) in regions {
            try executor.allocate(region, byteCount: byteCount)
            if let bytes { try executor.write(bytes, to: region) }
        }
    }

    private var states: [Region] {
        graph.nodes.flatMap { node -> [Region] in
            guard case .optimizer(let optimizer) = node.op else { return [] }
            return (0..<optimizer.stateCount).map(Region.optimizerState)
        }
    }

    /// What steps change: parameters and states where there is an optimizer, statistics, the loss's scale, and regions of
    /// zeros.
    fileprivate func readRegions(_ plan: Plan, on executor: any Executor) throws -> [[Float]] {
        var result: [[Float]] = []
        let hasOptimizer = graph.nodes.contains { node in
            if case .optimizer = node.op { true } else { false }
        }
        let flat = hasOptimizer ? [.parameters] + states : []
        for region in flat {
            result.append(try executor.read(region, count: plan.parameterLayout.count, as: Float(0)))
        }
        if !statistics.isEmpty {
            result.append(try executor.read(.statistics, count: plan.statisticLayout.count, as: Float(0)))
        }
        for (region, byteCount, bytes) in regions where bytes == nil || region == .lossScale {
            if region == .activity {
                result.append(
                    try executor.read(region, count: byteCount / 4, as: Int32(0)).map { Float($0) })
            } else {
                result.append(try executor.read(region, count: byteCount / 4, as: Float(0)))
            }
        }
        return result
    }
}
