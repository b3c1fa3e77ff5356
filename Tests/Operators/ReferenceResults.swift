import ResinCases
import ResinGraph
import ResinReference
import Synchronization

/// What the reference executor gives, computed once for all checks.
enum ReferenceResults {
    private struct Key: Hashable {
        var name: String
        var precision: Precision
    }
    private static let results = Mutex<[Key: [[Float]]]>([:])

    static func outputs(of opCase: OpCase, in precision: Precision = .float32) throws -> [[Float]] {
        let key = Key(name: opCase.name, precision: precision)
        if let outputs = results.withLock({ $0[key] }) { return outputs }
        let outputs = try opCase.run(on: ReferenceExecutor(), in: precision)
        results.withLock { $0[key] = outputs }
        return outputs
    }
}
