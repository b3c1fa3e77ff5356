import Foundation
import ResinGraph
import ResinPlan

/// A step's kernels on a time line, in the format that chrome://tracing and Perfetto read (Google, "Trace Event Format").
public struct ChromeTrace: Encodable, Sendable {
    private struct Event: Encodable {
        var name, cat: String
        /// A complete event.
        var ph = "X"
        /// Start and duration in microseconds.
        var ts, dur: Double
        var pid = 0
        var tid = 0
        var args: [String: String]
    }
    private var traceEvents: [Event]
    private var displayTimeUnit = "ms"

    init(_ nodes: [(node: Node, cost: Cost)], _ kernels: [KernelTime]) {
        traceEvents = kernels.map { kernel in
            let node = nodes[kernel.node].node
            return Event(
                name: kernel.kernel, cat: OperatorProfile.Pass(node).rawValue, ts: 1e6 * kernel.startSeconds,
                dur: 1e6 * kernel.seconds, args: ["layer": node.name, "operator": node.op.body.summary])
        }
    }
}
