import Foundation
import ResinPlan
import ResinTensor

/// How much a device says about what it does, to standard error: the environment variable `RESIN_DEBUG`.
package enum DebugLevel: Int, Comparable, Sendable {
    case silent
    /// The form of every node that has several.
    case forms
    /// Every launch, too.
    case launches
    /// And it waits after each launch, so that a kernel that fails is the one that is named. Slow.
    case waits

    package static func < (one: DebugLevel, other: DebugLevel) -> Bool { one.rawValue < other.rawValue }

    /// - Throws: `ResinError(.usage)` where the variable has another value than 0 to 3.
    package static func ofEnvironment() throws -> DebugLevel {
        guard let text = ProcessInfo.processInfo.environment["RESIN_DEBUG"], !text.isEmpty else {
            return .silent
        }
        guard let level = Int(text).flatMap(DebugLevel.init) else {
            throw ResinError(
                .usage,
                "RESIN_DEBUG is '\(text)'; it may be 1 (forms), 2 (launches too) or 3 (waits after each launch, too)"
            )
        }
        return level
    }

    /// Prints what there is to say of a plan.
    func describe(_ plan: Plan, _ launches: [Launch]) {
        guard self >= .forms else { return }
        var lines = [
            "RESIN_DEBUG: a plan of \(plan.graph.nodes.count) nodes, \(launches.count) launches, "
                + "arena \(plan.arenaByteCount) bytes"
        ]
        let byNode = Dictionary(grouping: launches, by: \.node)
        for (index, node) in plan.graph.nodes.enumerated() {
            let form = plan.forms[index]
            if !form.name.isEmpty || self >= .launches {
                lines.append(
                    "\(node.name), \(node.pass.rawValue): \(node.op.body.summary)"
                        + (form.name.isEmpty ? "" : " as \(form.name) (\(form.reason))"))
            }
            guard self >= .launches else { continue }
            for launch in byNode[index] ?? [] { lines.append("    \(launch.description)") }
        }
        try? FileHandle.standardError.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
    }
}

extension Launch: CustomStringConvertible {
    var description: String {
        let sizes = [global, local].map { $0.map(String.init).joined(separator: "×") }
        return "\(kernel) \(sizes[0]) in groups of \(sizes[1]), \(program.options.joined(separator: " "))"
    }
}
