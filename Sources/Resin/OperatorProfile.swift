import Foundation
import ResinGraph
import ResinNetworks
import ResinPlan

/// What each operator of a step took, beside what the device's limits allow.
public struct OperatorProfile: Sendable {
    /// What an operator works for: the gradient rule's two products are told apart.
    public enum Pass: String, CaseIterable, Sendable {
        case input, forward
        case inputGradient = "input gradient"
        case filterGradient = "filter gradient"
        case update

        init(_ node: Node) {
            switch node.pass {
            case .input: self = .input
            case .forward: self = .forward
            case .update: self = .update
            case .backward:
                switch node.op {
                case .convolution2DFilterGradient, .groupedConvolution2DFilterGradient:
                    self = .filterGradient
                default: self = .inputGradient
                }
            }
        }
    }

    /// One operator, or several summed up.
    public struct Work: Sendable {
        public var seconds = 0.0
        public var cost = Cost()
        /// What it takes at least on this device: see `Calibration.seconds`.
        public var boundSeconds = 0.0

        public var gflops: Double { Double(cost.flops) / seconds * 1e-9 }
        public var gigabytesPerSecond: Double { Double(cost.bytes) / seconds * 1e-9 }
        public var shareOfBound: Double { boundSeconds / seconds }

        static func += (sum: inout Work, work: Work) {
            sum.seconds += work.seconds
            sum.cost += work.cost
            sum.boundSeconds += work.boundSeconds
        }
    }

    public struct Row: Sendable {
        public var layer: String
        public var pass: Pass
        /// With its settings: "3×3 convolution, stride 2".
        public var operation: String
        /// The kernel that took most of its time, by which the algorithm is known: what did run, not what was meant to.
        public var kernel: String
        public var work: Work
    }

    /// In execution order; those that launch nothing are left out.
    public let rows: [Row]
    public let calibration: Calibration

    init(
        _ nodes: [(node: Node, cost: Cost)], _ kernels: [KernelTime], _ calibration: Calibration
    ) {
        self.calibration = calibration
        let byNode = Dictionary(grouping: kernels, by: \.node)
        rows = nodes.enumerated().compactMap { index, node in
            let (node, cost) = node
            guard let kernels = byNode[index] else { return nil }
            let seconds = Dictionary(grouping: kernels, by: \.kernel)
                .mapValues { $0.reduce(0) { $0 + $1.seconds } }
            return Row(
                layer: node.name, pass: Pass(node), operation: node.op.body.summary,
                kernel: seconds.max { ($0.value, $1.key) < ($1.value, $0.key) }!.key,
                work: Work(
                    seconds: seconds.values.reduce(0, +), cost: cost,
                    boundSeconds: calibration.seconds(cost)))
        }
    }

    /// All rows together.
    public var total: Work { sum { _ in true } }

    private func sum(where isWanted: (Row) -> Bool) -> Work {
        rows.filter(isWanted).reduce(into: Work()) { $0 += $1.work }
    }
}

extension OperatorProfile {
    /// A row an operator with totals by pass, and then the time by layer and pass.
    public func table() -> String {
        let total = total
        let operators = rows.map { row in
            [row.layer, row.pass.rawValue, row.operation, row.kernel] + cells(row.work, total)
        }
        let passes = presentPasses.map { pass in
            ["", pass.rawValue, "", ""] + cells(sum { $0.pass == pass }, total)
        }
        let all = [["total", "", "", ""] + cells(total, total)]
        let table = TextTable(
            columns: ["layer", "pass", "operator", "kernel", "ms", "%", "GFLOP/s", "GB/s", "% of limit"],
            groups: [operators, passes, all], leftColumns: 4)
        return (table.lines + [""] + layerLines + [""] + legend).joined(separator: "\n")
    }

    private var presentPasses: [Pass] { Pass.allCases.filter { pass in rows.contains { $0.pass == pass } } }

    private func cells(_ work: Work, _ total: Work) -> [String] {
        [
            number(1e3 * work.seconds, 3), number(100 * work.seconds / total.seconds, 1),
            number(work.gflops, 0), number(work.gigabytesPerSecond, 1), number(100 * work.shareOfBound, 0),
        ]
    }

    private var layerLines: [String] {
        let passes = presentPasses
        var layers: [String] = []
        for row in rows where !layers.contains(row.layer) { layers.append(row.layer) }
        let lines = layers.map { layer in
            let parts = passes.map { pass in sum { $0.layer == layer && $0.pass == pass }.seconds }
            let all = sum { $0.layer == layer }
            return [layer] + parts.map { $0 > 0 ? number(1e3 * $0, 3) : "" }
                + [number(1e3 * all.seconds, 3), number(100 * all.shareOfBound, 0)]
        }
        return TextTable(
            columns: ["layer, ms"] + passes.map(\.rawValue) + ["all", "% of limit"], groups: [lines]
        ).lines
    }

    private var legend: [String] {
        [
            "measured limits: \(calibration.description)",
            "% of limit: the time that the multiply-adds or the bytes take at those rates, whichever is longer,",
            "in the time measured. Winograd's convolutions count the multiply-adds of a direct sum, of which they",
            "need fewer, and what a cache holds is read faster than memory: both may pass 100 %. Bytes are those",
            "that the operator has to read and write at least.",
        ]
    }

    private func number(_ value: Double, _ decimals: Int) -> String {
        String(format: "%.\(decimals)f", value)
    }
}

extension Calibration: CustomStringConvertible {
    /// "512 GFLOP/s (multiply-adds in registers), 12.3 GB/s (copy, read and written)".
    public var description: String {
        "\(String(format: "%.0f", flops * 1e-9)) GFLOP/s (multiply-adds in registers), "
            + "\(String(format: "%.1f", copyBytes * 1e-9)) GB/s (copy, read and written)"
    }
}
