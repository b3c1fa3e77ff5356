import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.Optimizer: DeviceOperator {
    /// Norms take scratch memory for what their groups have summed.
    func form(of node: Node, in graph: Graph, on traits: DeviceTraits) -> DeviceForm {
        let count = graph.shape(of: node.inputs[place(of: .parameters)!]).count
        return DeviceForm(
            workspaceByteCount: UpdateWorkspace(self, count: count).byteCount, lower: { lower(&$0) })
    }

    func lower(_ lowering: inout Lowering) {
        let (node, traits) = (lowering.node, lowering.traits)
        func argument(_ operand: Operand) -> Launch.Argument {
            place(of: operand).map { .value(node.inputs[$0]) } ?? .zeros
        }
        let count = lowering.inputShape(place(of: .parameters)!).count
        let (w, gradients) = (argument(.parameters), argument(.gradients))
        let (metrics, lossScale) = (argument(.metrics), argument(.lossScale))
        let statisticCount = place(of: .statistics).map { lowering.inputShape($0).count } ?? 0
        let workspace = UpdateWorkspace(self, count: count)
        let settings = settings(count: count, statisticCount: statisticCount, traits)
        let slices: Launch.Argument = slices.isEmpty ? .zeros : .slices(workspace.table)
        let states = (0..<2).map { argument(.state($0)) }
        func chunks(_ count: Int) -> Int { divide(count, by: traits.chunkVectors * traits.lanes) }

        if place(of: .lossScale) != nil {
            lowering.launch(
                "check_gradients", in: .optimizer, global: [chunks(count)],
                [gradients, lossScale, .int(count), .int(traits.chunkVectors)])
        }
        if let clipNorm {
            lowering.norms(
                "gradient_squares", groups: workspace.gradientBlocks,
                [gradients, lossScale, workspace.gradientSums, .geometry(settings)])
            lowering.norms(
                "clip_ratio", groups: 1,
                [
                    workspace.gradientSums, workspace.clip, .int(workspace.gradientBlocks), .float(clipNorm),
                ])
        }
        let conditions = [.uniforms, metrics, lossScale, workspace.clip, slices]
        if rule.looksAtTensors {
            lowering.norms(
                "lamb_moments", groups: workspace.tensorBlocks,
                [w, gradients] + states + conditions + [workspace.tensorSums, .geometry(settings)])
            lowering.norms(
                "trust_ratios", groups: self.slices.count, [slices, workspace.tensorSums, workspace.trust])
        }
        // The parameters' chunks, then the statistics'.
        lowering.launch(
            rule.kernel, in: .optimizer, global: [chunks(count) + chunks(statisticCount)],
            [w, rule.looksAtTensors ? workspace.trust : gradients] + states + conditions
                + [argument(.statistics), argument(.keptStatistics), .geometry(settings)])
        if place(of: .lossScale) != nil {
            lowering.launch(
                "adjust_loss_scale", in: .optimizer, global: [1],
                [
                    lossScale, .uniforms, metrics, .float(LossScale.growthInterval),
                    .float(LossScale.largest),
                ])
        }
    }

    private func settings(count: Int, statisticCount: Int, _ traits: DeviceTraits) -> UpdateSettings {
        var settings = UpdateSettings()
        (settings.count, settings.statisticsCount) = (Int32(count), Int32(statisticCount))
        settings.chunk = Int32(traits.chunkVectors)
        settings.skips = place(of: .metrics) == nil ? 0 : 1
        settings.isScaled = place(of: .lossScale) == nil ? 0 : 1
        settings.clips = clipNorm == nil ? 0 : 1
        settings.slices = Int32(slices.count)
        var reach = 1
        while 2 * reach < slices.count { reach *= 2 }
        settings.searchReach = slices.count > 1 ? Int32(reach) : 0
        settings.decay = rule.weightDecay
        switch rule {
        case .sgd(let momentum, let nesterov, _):
            (settings.momentum, settings.nesterov) = (momentum, nesterov ? 1 : 0)
        case .adam(let beta1, let beta2, let epsilon, _, let isDecoupled):
            (settings.beta1, settings.beta2, settings.epsilon) = (beta1, beta2, epsilon)
            settings.decoupled = isDecoupled ? 1 : 0
        case .rmsprop(let alpha, let epsilon, let momentum, _):
            (settings.beta2, settings.epsilon, settings.momentum) = (alpha, epsilon, momentum)
        case .lamb(let beta1, let beta2, let epsilon, _):
            (settings.beta1, settings.beta2, settings.epsilon) = (beta1, beta2, epsilon)
        case .lion(let beta1, let beta2, _): (settings.beta1, settings.beta2) = (beta1, beta2)
        }
        return settings
    }
}

extension Op.Optimizer.Rule {
    fileprivate var kernel: String {
        switch self {
        case .sgd: "sgd"
        case .adam: "adam"
        case .rmsprop: "rmsprop"
        case .lamb: "lamb"
        case .lion: "lion"
        }
    }
}

/// What norms are summed in, and where that lies in a node's scratch memory.
private struct UpdateWorkspace {
    /// Floats whose squares a group sums (NORM_BLOCK).
    static let block = 4096

    let gradientBlocks: Int
    let tensorBlocks: Int
    /// The tensors with the block that each begins with, and where the last one ends.
    let table: [ParameterSlice]
    private let sumsTensors: Bool

    init(_ op: Op.Optimizer, count: Int) {
        gradientBlocks = op.clipNorm == nil ? 0 : divide(count, by: Self.block)
        var table: [ParameterSlice] = []
        var blocks = 0
        for (index, slice) in op.slices.enumerated() {
            let end = index + 1 < op.slices.count ? op.slices[index + 1].first : count
            table.append(
                ParameterSlice(
                    first: Int32(clamping: slice.first), firstBlock: Int32(clamping: blocks),
                    rateFactor: slice.rates.factor,
                    decay: slice.rates.weightDecay))
            blocks += divide(end - slice.first, by: Self.block)
        }
        table.append(
            ParameterSlice(
                first: Int32(clamping: count), firstBlock: Int32(clamping: blocks), rateFactor: 0, decay: 0))
        self.table = table
        sumsTensors = op.rule.looksAtTensors
        tensorBlocks = sumsTensors ? blocks : 0
    }

    var byteCount: Int { offset(of: layout.count) }

    /// Bytes of each part.
    private var layout: [Int] {
        let slices = sumsTensors ? table.count - 1 : 0
        return [gradientBlocks > 0 ? 4 : 0, 4 * gradientBlocks, 4 * slices, 8 * tensorBlocks]
    }

    private func offset(of part: Int) -> Int {
        layout.prefix(part).reduce(0) { $0 + $1.roundedUp(toMultipleOf: FlatLayout.alignment) }
    }

    private func argument(_ part: Int) -> Launch.Argument {
        layout[part] == 0
            ? .zeros : .workspacePart(offset: offset(of: part), byteCount: layout[part])
    }

    var clip: Launch.Argument { argument(0) }
    var gradientSums: Launch.Argument { argument(1) }
    var trust: Launch.Argument { argument(2) }
    var tensorSums: Launch.Argument { argument(3) }
}

extension Lowering {
    /// On a CPU a group is one work-item.
    fileprivate mutating func norms(_ kernel: String, groups: Int, _ arguments: [Argument]) {
        let rows = traits.kind == .cpu ? 1 : traits.groupWorkItems
        launch(
            kernel, in: .optimizerNorms,
            defining: [("GROUP_X", 1), ("GROUP_Y", rows), ("NORM_BLOCK", UpdateWorkspace.block)],
            global: [1, rows * groups], local: [1, rows], arguments)
    }
}
