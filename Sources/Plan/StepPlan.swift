import ResinGraph

/// What one step runs: plans one after another, which share the executor's regions and arena. A training step is two, its
/// gradients and the update behind them, so that gradients can be summed in between.
package struct StepPlan: Sendable {
    package let plans: [Plan]

    package init(_ plans: [Plan]) { self.plans = plans }

    /// The nodes of all plans in the order of execution, with what each costs; by the places here a step's `KernelTime`
    /// names them.
    package var nodes: [(node: Node, cost: Cost)] {
        plans.flatMap { plan in plan.graph.nodes.map { ($0, plan.graph.cost(of: $0)) } }
    }

    package var cost: Cost { nodes.reduce(into: Cost()) { $0 += $1.cost } }

    /// See `Plan`.
    package var largestBlockByteCount: Int { plans.map(\.largestBlockByteCount).max() ?? 0 }

    /// What the step reads and writes that outlives it, and how large it has to be.
    package var regionByteCounts: [Region: Int] {
        plans.reduce(into: [:]) { $0.merge($1.regionByteCounts, uniquingKeysWith: max) }
    }
}

extension Executor {
    package func makePlan(_ graphs: Graph...) -> StepPlan { StepPlan(graphs.map { makePlan($0) }) }

    /// What a step takes besides the regions.
    package func workingByteCount(of step: StepPlan) -> Int {
        step.plans.map(workingByteCount(of:)).max() ?? 0
    }

    /// Makes what these steps, and nothing beside them, need: regions filled with zeros, and an arena that all share.
    package func makeRoom(for steps: StepPlan...) throws {
        let plan = StepPlan(steps.flatMap(\.plans))
        try makeRoom(for: plan.plans)
        for (region, byteCount) in plan.regionByteCounts { try allocate(region, byteCount: byteCount) }
    }

    package func prepare(_ step: StepPlan) throws -> any Executable {
        try PreparedStep(step.plans.map { ($0, try prepare($0)) })
    }
}

/// The plans of a step on a device.
private final class PreparedStep: Executable {
    private let parts: [(plan: Plan, executable: any Executable)]

    init(_ parts: [(Plan, any Executable)]) { self.parts = parts }

    func run(_ uniforms: StepUniforms) throws {
        for part in parts { try part.executable.run(uniforms) }
    }

    /// Given up in the first plan only: those behind it write what a next step reads.
    func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) throws -> Bool {
        guard try parts[0].executable.run(uniforms, shouldStop: shouldStop) else { return false }
        for part in parts.dropFirst() {
            _ = try part.executable.run(uniforms, shouldStop: { false })
        }
        return true
    }

    /// A result of the first plan.
    func read(_ value: ValueID) throws -> [Float] { try parts[0].executable.read(value) }

    func synchronize() throws { try parts.last?.executable.synchronize() }

    func profile(_ uniforms: StepUniforms) throws -> [KernelTime]? {
        var times: [KernelTime] = []
        var firstNode = 0
        for (plan, executable) in parts {
            guard let own = try executable.profile(uniforms) else { return nil }
            // Each part counts from its own first kernel.
            let start = times.last.map { $0.startSeconds + $0.seconds } ?? 0
            times += own.map { time in
                var time = time
                time.node += firstNode
                time.startSeconds += start
                return time
            }
            firstNode += plan.graph.nodes.count
        }
        return times
    }
}
