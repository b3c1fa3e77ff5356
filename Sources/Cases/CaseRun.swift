import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    /// The case as a graph, and the values of its `.value` outputs.
    package func makeGraph() throws -> Graph {
        var graph = Graph()
        var values: [ValueID] = []
        for (index, input) in inputs.enumerated() {
            let name = "input\(index)"
            switch input.place {
            case .tensor(let shape):
                let vector = graph.addParameter(
                    Parameter(name: name, layout: .vector(shape.count), role: .shift))
                values += try graph.apply(.unflatten(Op.Unflatten(shape: shape)), to: [vector], name: name)
            case .parameter(let layout):
                values.append(graph.addParameter(Parameter(name: name, layout: layout, role: .filter)))
            case .statistic(let count):
                values.append(graph.addStatistic(Statistic(name: name, count: count, initialValue: 0)))
            case .region(let region, let type):
                values.append(graph.addRegion(region, type))
            case .samples(let split, let samples):
                values.append(graph.addRegion(.samples(split), .samples(samples.count)))
            case .gradient: break
            }
        }
        graph.results = try build(&graph, values)
        return graph
    }

    /// Runs the case on fresh regions; the outputs, in the device's order.
    package func run(on executor: any Executor, in precision: Precision = .float32) throws -> [[Float]] {
        let plan: Plan = executor.makePlan(try makeGraph().inPrecision(precision))
        try executor.makeRoom(for: StepPlan([plan]))
        try writeInputs(of: plan, on: executor)
        let executable = try executor.prepare(plan)
        for step in steps { try executable.run(step) }

        var results = plan.graph.results.makeIterator()
        return try outputs.map { output in
            let count = output.shape.count
            func read(_ region: Region, at offset: Int = 0) throws -> [Float] {
                try executor.read(region, offset: offset, count: count, as: Float(0))
            }
            return switch output.place {
            case .value: try executable.read(results.next()!)
            case .parameter(let index):
                try read(.parameters, at: plan.parameterLayout.byteOffset(index))
            case .statistic(let index):
                try read(.statistics, at: plan.statisticLayout.byteOffset(index))
            case .optimizerState(let state, let index):
                try read(.optimizerState(state), at: plan.gradientLayout.byteOffset(index))
            case .region(let region, .int32):
                try executor.read(region, count: count, as: Int32(0)).map(Float.init)
            case .region(let region, _): try read(region)
            }
        }
    }

    private func writeInputs(of plan: Plan, on executor: any Executor) throws {
        var parameter = 0
        var statistic = 0
        for (index, input) in inputs.enumerated() {
            let values = input.data.values(count: input.shape.reduce(1, *), input: index)
            switch input.place {
            case .tensor, .parameter:
                let ordered = plan.graph.parameters[parameter].layout.deviceOrder(values)
                let offset = plan.parameterLayout.byteOffset(parameter)
                if let type = plan.graph.halfType(ofParameter: parameter) {
                    try executor.write(ordered.map(type.bits(of:)), to: .parameters, offset: offset)
                } else {
                    try executor.write(ordered, to: .parameters, offset: offset)
                }
                parameter += 1
            case .statistic:
                try executor.write(
                    values, to: .statistics, offset: plan.statisticLayout.byteOffset(statistic))
                statistic += 1
            case .region(let region, let type):
                switch type.elementType {
                case .float32: try executor.write(values, to: region)
                case .bfloat16, .float16:
                    try executor.write(values.map(type.elementType.bits(of:)), to: region)
                case .int32:
                    // A float does not hold every word.
                    if case .words(let words) = input.data {
                        try executor.write(words, to: region)
                    } else {
                        try executor.write(values.map { Int32($0) }, to: region)
                    }
                case .uint8: try executor.write(values.map { UInt8($0) }, to: region)
                }
            case .samples(let split, _):
                guard case .words(let words) = input.data else { preconditionFailure("samples are words") }
                try executor.write(words, to: .samples(split))
            case .gradient(let index, _):
                try executor.write(
                    values, to: .gradients, offset: plan.gradientLayout.byteOffset(index))
            }
        }
    }
}
