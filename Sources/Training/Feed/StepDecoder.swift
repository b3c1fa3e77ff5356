import Foundation
import ResinDataset
import ResinPlan
import ResinTensor

/// The images of one step, on their way from files to staging memory.
final class StepPieces: @unchecked Sendable {
    struct Piece {
        let image: Int
        let box: PixelBox
        /// Where its bytes go.
        let bytes: UnsafeMutableBufferPointer<UInt8>
    }

    let step: FeedStep
    let list: [Piece]
    // Under the decoder's lock.
    fileprivate var started = 0
    fileprivate var finished = 0
    /// Of the rows that could not be read; to be asked for once all are finished.
    fileprivate(set) var failures: [Int: any Error] = [:]

    init(_ step: FeedStep, _ list: [Piece]) {
        self.step = step
        self.list = list
    }

    /// - Throws: what reading the first of the images that could not be read threw.
    func checkAll() throws {
        if let failure = failures.min(by: { $0.key < $1.key }) { throw failure.value }
    }
}

/// Decodes the images of the steps to come, step after step, on threads of its own.
final class StepDecoder {
    private let state: State

    /// - Parameter threads: at least 1.
    init(_ source: any PhotographSource, threads: Int) {
        state = State(source)
        for _ in 0..<threads {
            let thread = Thread { [state] in state.work() }
            thread.name = "decoding"
            thread.stackSize = 1 << 20
            thread.start()
        }
    }

    deinit { state.stop() }

    func add(_ pieces: StepPieces) { state.add(pieces) }

    /// Takes away what is not finished, once no thread works on it any more.
    func removeAll() { state.removeAll() }

    /// - Returns: false where it was stopped.
    func wait(for pieces: StepPieces, shouldStop: () -> Bool) -> Bool {
        state.wait(for: pieces, shouldStop: shouldStop)
    }

    /// What the threads share; they end when it is stopped.
    private final class State: @unchecked Sendable {
        private let source: any PhotographSource
        private let condition = NSCondition()
        private var steps: [StepPieces] = []
        /// Threads that decode now.
        private var workers = 0
        private var isStopped = false

        init(_ source: any PhotographSource) { self.source = source }

        func add(_ pieces: StepPieces) {
            condition.withLock {
                steps.append(pieces)
                condition.broadcast()
            }
        }

        func stop() {
            condition.withLock {
                isStopped = true
                condition.broadcast()
            }
        }

        func removeAll() {
            condition.withLock {
                steps = []
                while workers > 0 { condition.wait() }
            }
        }

        func wait(for pieces: StepPieces, shouldStop: () -> Bool) -> Bool {
            while true {
                let isDone = condition.withLock {
                    if pieces.finished < pieces.list.count {
                        // A person who wants to stop is asked after now and then.
                        _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
                    }
                    return pieces.finished == pieces.list.count
                }
                if isDone { return true }
                if shouldStop() { return false }
            }
        }

        func work() {
            while let (pieces, row) = next() {
                let piece = pieces.list[row]
                var failure: (any Error)?
                do {
                    try source.read(piece.image, piece.box, into: piece.bytes)
                } catch {
                    failure = error
                }
                condition.withLock {
                    workers -= 1
                    pieces.finished += 1
                    if let failure { pieces.failures[row] = failure }
                    if workers == 0 || pieces.finished == pieces.list.count { condition.broadcast() }
                }
            }
        }

        /// Nil when it is over.
        private func next() -> (StepPieces, row: Int)? {
            condition.withLock {
                while !isStopped {
                    if let pieces = steps.first {
                        let row = pieces.started
                        pieces.started += 1
                        if pieces.started == pieces.list.count { steps.removeFirst() }
                        workers += 1
                        return (pieces, row)
                    }
                    condition.wait()
                }
                return nil
            }
        }
    }
}
