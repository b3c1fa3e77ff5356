import Dispatch
import Synchronization

/// Runs `work(0)` … `work(count − 1)` on all processors; each writes what is its own.
///
/// - Throws: the error of the first index that fails, whatever the number of threads.
func concurrently(_ count: Int, _ work: (Int) throws -> Void) throws {
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
