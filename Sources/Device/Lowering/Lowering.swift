import ResinGraph
import ResinPlan
import ResinTensor

/// Turns a plan's nodes into launches, without a device: each operator's part is in a file of its own (Operators,
/// Convolution); what they share is here.
struct Lowering {
    let plan: Plan
    let traits: DeviceTraits
    private(set) var launches: [Launch] = []
    private var nodeIndex = 0

    typealias Argument = Launch.Argument

    /// The launches of a plan whose forms were chosen for a device with these traits.
    static func launches(of plan: Plan, on traits: DeviceTraits) -> [Launch] {
        var lowering = Lowering(plan: plan, traits: traits)
        let firstPrepared = plan.prepared.keys.min()
        for (index, form) in plan.forms.enumerated() {
            guard let form = form as? DeviceForm else {
                preconditionFailure("a plan runs on the executor that it was made for")
            }
            lowering.nodeIndex = index
            if index == firstPrepared { lowering.prepareFilters() }
            form.lower(&lowering)
        }
        return lowering.launches
    }

    private init(plan: Plan, traits: DeviceTraits) {
        self.plan = plan
        self.traits = traits
    }

    var graph: Graph { plan.graph }
    /// The node that is being lowered.
    var node: Node { graph.nodes[nodeIndex] }

    /// Lowers another node, or asks what that one's arguments are.
    mutating func working<Result>(for node: Int, _ body: (inout Lowering) -> Result) -> Result {
        let own = nodeIndex
        nodeIndex = node
        defer { nodeIndex = own }
        return body(&self)
    }

    func inputShape(_ index: Int) -> Shape { graph.shape(of: node.inputs[index]) }
    func outputShape(_ index: Int) -> Shape { graph.shape(of: node.outputs[index]) }
    func input(_ index: Int) -> Argument { .value(node.inputs[index]) }
    func output(_ index: Int) -> Argument { .value(node.outputs[index]) }

    /// - Parameters:
    ///   - local: the group's size where the kernel depends on it; else see `groups`.
    ///   - readsWeightsAlone: see `Launch`.
    mutating func launch(
        _ kernel: String, in file: KernelFile, defining definitions: [(String, Int)] = [], global: [Int],
        local: [Int]? = nil, readsWeightsAlone: Bool = false, _ arguments: [Argument]
    ) {
        var options = definitions.map { "-D\($0.0)=\($0.1)" }
        if file.hasLastGroups, let fence = traits.fence { options += fence.options }
        if hasAlignedVectors(in: file) { options.append("-DALIGNED=1") }
        if let type = graph.halfType(of: node) { options.append("-DMIXED=\(type == .bfloat16 ? 1 : 2)") }
        // ReLU is what kernels are built for anyway.
        let activation = node.op.body.epilogue.activation
        if let activation, activation != .relu { options.append("-DACTIVATION=\(activation.identifier)") }
        // An element-wise launch's kernel is that of its activation. Swift writes as many digits as tell floats apart.
        if let parameter = (activation ?? node.op.body.asEpilogue?.activation)?.parameter {
            options.append("-DPARAMETER=\(parameter)f")
        }
        let (global, local) = local.map { (global, $0) } ?? groups(of: kernel, in: file, global)
        launches.append(
            Launch(
                kernel: kernel,
                program: ProgramKey(
                    files: file.files(on: traits.kind, isUsual: options.isEmpty),
                    options: traits.options + options),
                arguments: arguments, global: global, local: local, node: nodeIndex,
                readsWeightsAlone: readsWeightsAlone))
    }

    /// Bytes of the node's scratch memory.
    var workspaceByteCount: Int {
        guard let range = plan.workspaces[nodeIndex] else {
            preconditionFailure("\(node.op.body.summary) asked for no workspace")
        }
        return range.count
    }

    /// How a value's pixels lie in its buffer: values from one to the next, and to its first channel.
    func pixelLayout(of value: ValueID) -> (stride: Int, first: Int) {
        guard let view = plan.channelViews[value] else { return (graph.shape(of: value).channels, 0) }
        return (graph.shape(of: view.whole).channels, view.first)
    }

    /// What the node's epilogue adds.
    func addend(of epilogue: Epilogue) -> Argument {
        epilogue.adds ? .value(node.inputs[node.inputs.count - epilogue.operandCount]) : .zeros
    }

    /// The node's last input, where its epilogue reads it for an activation's gradient.
    func operand(of epilogue: Epilogue) -> Argument {
        epilogue.readsOperand ? .value(node.inputs.last!) : .zeros
    }
}

extension Epilogue {
    /// Its number in Kernels/shared/epilogue.cl.
    var code: Int32 {
        switch self {
        case .none: 0
        case .activation: 1
        case .activationGradient: 2
        case .sum(let next): 4 + next.code
        }
    }
}

/// Rounded up.
func divide(_ count: Int, by size: Int) -> Int { (count + size - 1) / size }
