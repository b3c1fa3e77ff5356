import Dispatch
import Synchronization

/// Runs `work(0)` … `work(count − 1)` on all processors; each writes what is its own.
///
/// - Throws: the error of the first index that fails, whatever the number of threads.
package func concurrently(_ count: Int, _ work: (Int) throws -> Void) throws {
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    withoutActuallyEscaping(work) { work in
        // What the calls share, they only read, or write apart from each other.
        nonisolated(unsafe) let work = work
        DispatchQueue.concurrentPerform(iterations: count) { index in
            // Those before a failure still run: one of them may fail too, and is then the first.
            if let failed = failure.withLock({ $0?.index }), failed < index { return }
            do {
                try work(index)
            } catch {
                failure.withLock { if $0.map({ index < $0.index }) ?? true { $0 = (index, error) } }
            }
        }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
}

/// Runs `work(0)` … `work(count − 1)` on all processors. Each writes elements of its own and sums in an order
/// of its own, so the results do not depend on the number of threads.
package func concurrently(_ count: Int, _ work: (Int) -> Void) {
    if count == 1 { return work(0) }
    withoutActuallyEscaping(work) { work in
        // What the calls share, they only read, or write apart from each other.
        nonisolated(unsafe) let work = work
        DispatchQueue.concurrentPerform(iterations: count) { work($0) }
    }
}

/// What `concurrently` gives, told in the order of the indices, each as soon as those before it are there.
package final class InOrder<Value: Sendable>: Sendable {
    private let state: Mutex<(values: [Value?], told: Int)>
    private let tell: @Sendable (Value) -> Void

    package init(count: Int, _ tell: @escaping @Sendable (Value) -> Void) {
        state = Mutex(([Value?](repeating: nil, count: count), 0))
        self.tell = tell
    }

    package func set(_ value: Value, at index: Int) {
        state.withLock { state in
            state.values[index] = value
            while state.told < state.values.count, let next = state.values[state.told] {
                tell(next)
                state.told += 1
            }
        }
    }

    /// Those that are there.
    package var all: [Value] { state.withLock { $0.values.compactMap { $0 } } }
}

/// A value that another thread makes while this one does something else.
package final class Background<Value: Sendable>: Sendable {
    private let made = Mutex<Value?>(nil)
    private let group = DispatchGroup()

    package init(_ make: @escaping @Sendable () -> Value) {
        DispatchQueue.global().async(group: group) {
            let value = make()
            self.made.withLock { $0 = value }
        }
    }

    /// Waits for it.
    package var value: Value {
        group.wait()
        return made.withLock { $0! }
    }
}
