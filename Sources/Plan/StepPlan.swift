import ResinGraph

/// What one step runs: plans one after another, which share the executor's regions and arena. A training step is two, its
/// gradients and the update behind them; where its batch is cut into shards, the gradients of each, and sums in between.
package struct StepPlan: Sendable {
    package let plans: [Plan]
    /// In the order of execution.
    package let runs: [Run]

    package struct Run: Sendable {
        /// Of `plans`.
        package var plan: Int
        /// Nil for what works on the whole step.
        package var shard: Shard?

        package init(plan: Int, shard: Shard? = nil) {
            self.plan = plan
            self.shard = shard
        }
    }

    /// A part of a step's images.
    package struct Shard: Sendable {
        package var index: Int
        /// Of the step.
        package var count: Int
        /// Of the metrics, for the first shard's; the others' follow.
        package var firstRow: Int

        package init(index: Int, count: Int, firstRow: Int) {
            self.index = index
            self.count = count
            self.firstRow = firstRow
        }
    }

    package init(_ plans: [Plan]) { self.init(plans, plans.indices.map { Run(plan: $0) }) }

    package init(_ plans: [Plan], _ runs: [Run]) {
        self.plans = plans
        self.runs = runs
    }

    /// The nodes of all runs in the order of execution, with what each costs; by the places here a step's `KernelTime`
    /// names them.
    package var nodes: [(node: Node, cost: Cost)] {
        runs.flatMap { run in
            let graph = plans[run.plan].graph
            return graph.nodes.map { ($0, graph.cost(of: $0)) }
        }
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
        let executables = try step.plans.map(prepare)
        return PreparedStep(
            step.runs.map { PreparedStep.Part(step.plans[$0.plan], executables[$0.plan], $0.shard) })
    }
}

/// The plans of a step on a device.
private final class PreparedStep: Executable {
    struct Part {
        let plan: Plan
        let executable: any Executable
        let shard: StepPlan.Shard?

        init(_ plan: Plan, _ executable: any Executable, _ shard: StepPlan.Shard?) {
            self.plan = plan
            self.executable = executable
            self.shard = shard
        }

        /// As this part has them.
        func uniforms(_ uniforms: StepUniforms) -> StepUniforms { shard.map(uniforms.of) ?? uniforms }
    }

    private let parts: [Part]

    init(_ parts: [Part]) { self.parts = parts }

    func run(_ uniforms: StepUniforms) throws {
        for part in parts { try part.executable.run(part.uniforms(uniforms)) }
    }

    /// Given up in the first plan and in those of shards only: those behind them write what a next step reads.
    func run(_ uniforms: StepUniforms, shouldStop: () -> Bool) throws -> Bool {
        let lastToGiveUp = parts.lastIndex { $0.shard != nil } ?? 0
        for (place, part) in parts.enumerated() {
            let isWhole = try part.executable.run(
                part.uniforms(uniforms), shouldStop: { place <= lastToGiveUp && shouldStop() })
            if !isWhole { return false }
        }
        return true
    }

    /// A result of the first plan.
    func read(_ value: ValueID) throws -> [Float] { try parts[0].executable.read(value) }

    func synchronize() throws { try parts.last?.executable.synchronize() }

    func profile(_ uniforms: StepUniforms) throws -> [KernelTime]? {
        var times: [KernelTime] = []
        var firstNode = 0
        for part in parts {
            guard let own = try part.executable.profile(part.uniforms(uniforms)) else { return nil }
            // Each part counts from its own first kernel.
            let start = times.last.map { $0.startSeconds + $0.seconds } ?? 0
            times += own.map { time in
                var time = time
                time.node += firstNode
                time.startSeconds += start
                return time
            }
            firstNode += part.plan.graph.nodes.count
        }
        return times
    }
}
