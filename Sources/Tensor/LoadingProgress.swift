import Synchronization

/// How far the reading of a data set has come.
public struct LoadingProgress: Sendable {
    public enum Stage: String, Sendable {
        /// Finding the files.
        case listing
        /// Reading of each file what its first bytes say.
        case headers
        case decoding
    }

    public let stage: Stage
    /// Images that are done.
    public let done: Int
    /// Of so many; nil while that is not known.
    public let count: Int?

    /// Is told, often and on any thread, what is loaded within its `withValue`. It changes nothing.
    @TaskLocal public static var observer: (any LoadingObserver)?
}

public protocol LoadingObserver: AnyObject, Sendable {
    func show(_ progress: LoadingProgress)
}

/// Counts what is done of one stage, on whichever threads, for the observer of the task that made it.
package final class LoadingMeter: Sendable {
    private let stage: LoadingProgress.Stage
    private let count: Int?
    private let observer = LoadingProgress.observer
    private let done = Atomic(0)

    package init(_ stage: LoadingProgress.Stage, of count: Int? = nil) {
        (self.stage, self.count) = (stage, count)
    }

    package func add(_ number: Int) {
        guard let observer else { return }
        let done = done.add(number, ordering: .relaxed).newValue
        observer.show(LoadingProgress(stage: stage, done: done, count: count))
    }
}
