import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// What a network becomes on a device, launch by launch: the plan, without running it.
public struct Explanation: Sendable {
    /// One launch of a kernel.
    public struct Launch: Encodable, Sendable {
        /// The layer's dotted name, and what it is done for.
        public var layer: String
        public var pass: String
        /// With its settings and what it ends with: "3×3 convolution, stride 2, then relu".
        public var operation: String
        /// Which of the device's forms makes it, and when that one is chosen; nil where there is one form only.
        public var form: String?
        public var reason: String?
        public var kernel: String
        /// What its program is compiled with, beside what all are.
        public var definitions: [String: String]
        /// Work-items, and those of a group.
        public var global: [Int]
        public var local: [Int]
        /// Bytes of the node's outputs that lie in the arena, and of its scratch memory; of its first launch.
        public var arenaBytes: Int
        public var workspaceBytes: Int
    }

    /// A program and the kernels that are taken from it.
    public struct Program: Encodable, Sendable {
        /// Files of Kernels, in their order.
        public var files: [String]
        public var options: [String]
        public var kernels: [Kernel]
        public var source: String
    }

    public struct Kernel: Encodable, Sendable {
        public var name: String
        public var launches: Int
        /// Bytes of each argument that is passed by value; nil for buffers and local memory.
        public var argumentBytes: [Int?]
    }

    public let launches: [Launch]
    public let programs: [Program]
    /// Of activations, their gradients and scratch memory.
    public let arenaBytes: Int
    /// That the step has to read and write at least: each operator its inputs and outputs once.
    public let leastBytes: Int
    private let graphs: [Graph]

    /// - Parameter augmentation: what becomes of images, where they are photographs.
    /// - Throws: `ResinError(.usage)` for the reference executor, which launches nothing; for an augmentation that the
    ///   network's images cannot have.
    public init(
        _ network: Network, batch: Int, trains: Bool, augmentation: AugmentationPolicy? = nil,
        device: ComputeDevice
    ) throws {
        let shape = network.input.batch(of: batch)
        var images = StepInput.uniform(shape)
        var configuration = TrainingConfiguration(
            benchmarking: network, batch: batch, device.precision)
        if let augmentation {
            images = .photographs(PhotographPlan(leastOf: shape, batch: batch))
            configuration.augmentation = augmentation
            try configuration.check()
        }
        let executor = try device.makeExecutor()
        self.init(
            try StepPlan(network, images, configuration, trains: trains, on: executor), on: executor)
        if launches.isEmpty {
            throw ResinError(
                .usage,
                "'\(device.details.name)' launches no kernels; name an OpenCL device of 'resin devices' with --device"
            )
        }
    }

    package init(_ step: StepPlan, on executor: any Executor) {
        graphs = step.plans.map(\.graph)
        arenaBytes = executor.workingByteCount(of: step)
        leastBytes = step.cost.bytes
        let descriptions = step.plans.map { executor.launches(of: $0) }
        launches = zip(step.plans, descriptions).flatMap { Self.launches($1, of: $0) }
        programs = Self.programs(of: descriptions.flatMap { $0 }, on: executor)
    }

    private static func launches(_ descriptions: [LaunchDescription], of plan: Plan) -> [Launch] {
        var known = Set<Int>()
        return descriptions.map { launch in
            let (node, form) = (plan.graph.nodes[launch.node], plan.forms[launch.node])
            let isFirst = known.insert(launch.node).inserted
            let epilogue = node.op.body.epilogue
            let inArena = node.outputs.filter {
                plan.graph[$0].source == .node && plan.channelViews[$0] == nil
            }
            return Launch(
                layer: node.name, pass: OperatorProfile.Pass(node).rawValue,
                operation: node.op.body.summary + (epilogue == .none ? "" : ", then \(epilogue)"),
                form: form.name.isEmpty ? nil : form.name, reason: form.reason.isEmpty ? nil : form.reason,
                kernel: launch.kernel, definitions: launch.definitions, global: launch.global,
                local: launch.local,
                arenaBytes: isFirst ? inArena.reduce(0) { $0 + plan.graph[$1].type.byteCount } : 0,
                workspaceBytes: isFirst ? plan.workspaces[launch.node]?.count ?? 0 : 0)
        }
    }

    private static func programs(
        of descriptions: [LaunchDescription], on executor: any Executor
    ) -> [Program] {
        var programs: [Program] = []
        for launch in descriptions {
            let index =
                programs.firstIndex { $0.files == launch.files && $0.options == launch.options }
                ?? programs.count
            if index == programs.count {
                programs.append(
                    Program(
                        files: launch.files, options: launch.options, kernels: [],
                        source: executor.source(of: launch)))
            }
            if let kernel = programs[index].kernels.firstIndex(where: { $0.name == launch.kernel }) {
                programs[index].kernels[kernel].launches += 1
            } else {
                programs[index].kernels.append(
                    Kernel(name: launch.kernel, launches: 1, argumentBytes: launch.argumentByteCounts))
            }
        }
        return programs
    }

    /// A line a node that launches something, its launches below it, and totals.
    public func table() -> String {
        var lines: [String] = []
        var reasons: [String] = []
        var previous: Launch?
        for launch in launches {
            let isSameNode =
                previous.map {
                    ($0.layer, $0.pass, $0.operation) == (launch.layer, launch.pass, launch.operation)
                }
                ?? false
            if !isSameNode || launch.arenaBytes + launch.workspaceBytes > 0 {
                let memory = [
                    launch.arenaBytes == 0 ? nil : "\(launch.arenaBytes.grouped) bytes",
                    launch.workspaceBytes == 0 ? nil : "\(launch.workspaceBytes.grouped) of scratch",
                ].compactMap { $0 }
                let form = launch.form.map { " as \($0)" } ?? ""
                lines.append(
                    "\(launch.layer), \(launch.pass): \(launch.operation)\(form)"
                        + (memory.isEmpty ? "" : "; " + memory.joined(separator: ", ")))
            }
            let definitions = launch.definitions.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let sizes = [launch.global, launch.local].map { $0.map(String.init).joined(separator: "×") }
            lines.append(
                (["    \(launch.kernel) \(sizes[0]) in groups of \(sizes[1])"] + definitions)
                    .joined(separator: " "))
            if let form = launch.form, let reason = launch.reason, !reasons.contains("\(form): \(reason)") {
                reasons.append("\(form): \(reason)")
            }
            previous = launch
        }
        let totals =
            "\(launches.count) launches of \(programs.count) programs; the arena has \(arenaBytes.grouped) bytes, in "
            + "which values that are not needed at the same time share their place; at least \(leastBytes.grouped) bytes "
            + "are read and written"
        return (lines + [""] + reasons + ["", totals]).joined(separator: "\n")
    }

    /// The fused graph in Graphviz's language: a node an operator, an edge a value with its shape.
    public func dot() -> String {
        func quoted(_ text: String) -> String { "\"\(text.replacing("\"", with: "\\\""))\"" }
        var lines = ["digraph resin {", "  node [shape=box, fontname=Helvetica];"]
        for (number, graph) in graphs.enumerated() {
            func place(_ index: Int) -> String { "n\(number)_\(index)" }
            var producers: [ValueID: Int] = [:]
            for (index, node) in graph.nodes.enumerated() {
                lines.append(
                    "  \(place(index)) [label=\(quoted("\(node.name)\n\(node.op.body.summary)"))];")
                for input in node.inputs {
                    guard let producer = producers[input] else { continue }
                    lines.append(
                        "  \(place(producer)) -> \(place(index)) [label=\(quoted("\(graph.shape(of: input))"))];"
                    )
                }
                for output in node.outputs { producers[output] = index }
            }
        }
        return (lines + ["}"]).joined(separator: "\n")
    }

    /// The text of the first program that a kernel is taken from, behind its options; nil where no launch has it.
    public func source(ofKernel name: String) -> String? {
        programs.first { $0.kernels.contains { $0.name == name } }.map { program in
            "// \(program.options.joined(separator: " "))\n\(program.source)"
        }
    }
}

extension LaunchDescription {
    /// The options that say more than the device's kind.
    fileprivate var definitions: [String: String] {
        var result: [String: String] = [:]
        for option in options {
            let parts = option.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2, !["LANES", "LONG_WORK_ITEMS", "NV_PTX"].contains(parts[0]) {
                result[parts[0]] = parts[1]
            }
        }
        return result
    }
}
