import ResinOpCases
import ResinReference
import Synchronization

/// What the reference executor gives, computed once for all checks.
enum ReferenceResults {
    private static let results = Mutex<[String: [[Float]]]>([:])

    static func outputs(of opCase: OpCase) throws -> [[Float]] {
        if let outputs = results.withLock({ $0[opCase.name] }) { return outputs }
        let outputs = try opCase.run(on: ReferenceExecutor())
        results.withLock { $0[opCase.name] = outputs }
        return outputs
    }
}
