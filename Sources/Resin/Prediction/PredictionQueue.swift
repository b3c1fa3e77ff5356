import Dispatch
import ResinTensor
import Synchronization

/// What waits for a device: images that came at any time are put together in batches, in the order in which they came. One
/// thread works for it, and no caller waits for another's answer.
final class PredictionQueue: Sendable {
    /// One call's images. Used under the lock, and by the worker alone once some are taken.
    private final class Request: @unchecked Sendable {
        let id: Int
        let images: [[UInt8]]
        var rows: [PredictionEngine.Row] = []
        /// Those that are under way, or done.
        var taken = 0
        let answer: CheckedContinuation<[PredictionEngine.Row], any Error>

        init(
            _ id: Int, _ images: [[UInt8]],
            _ answer: CheckedContinuation<[PredictionEngine.Row], any Error>
        ) {
            (self.id, self.images, self.answer) = (id, images, answer)
        }
    }

    private struct State {
        /// Those with images that are not under way, the oldest first.
        var waiting: [Request] = []
        var isWorking = false
        var isClosed = false
        var lastID = 0
        /// Of calls that have not come to wait yet, and are not given up.
        var coming: Set<Int> = []
    }

    /// Used on the queue alone.
    private final class Holder: @unchecked Sendable {
        var engine: PredictionEngine?
        init(_ engine: consuming PredictionEngine) { self.engine = engine }
    }

    private let state = Mutex(State())
    private let holder: Holder
    private let worker = DispatchQueue(label: "resin.predictor", qos: .userInitiated)
    private let largestBatch: Int

    init(_ engine: sending PredictionEngine, largestBatch: Int) {
        holder = Holder(engine)
        self.largestBatch = largestBatch
    }

    static let closed = ResinError(.usage, "the predictor is closed; make another one")

    // MARK: Calls

    /// - Throws: `CancellationError` where the task is cancelled while images wait; what fails on the device.
    func predict(_ images: [[UInt8]]) async throws -> [PredictionEngine.Row] {
        if images.isEmpty { return [] }
        try Task.checkCancellation()
        let id = state.withLock { state in
            state.lastID += 1
            state.coming.insert(state.lastID)
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { answer in
                add(Request(id, images, answer))
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func add(_ request: Request) {
        let (failure, starts) = state.withLock { state -> ((any Error)?, Bool) in
            guard state.coming.remove(request.id) != nil else { return (CancellationError(), false) }
            if state.isClosed { return (Self.closed, false) }
            state.waiting.append(request)
            defer { state.isWorking = true }
            return (nil, !state.isWorking)
        }
        if let failure { request.answer.resume(throwing: failure) }
        if starts { worker.async { self.work() } }
    }

    /// Gives up what has not begun; what is under way is done, and then thrown away.
    private func cancel(_ id: Int) {
        let request = state.withLock { state -> Request? in
            state.coming.remove(id)
            let place = state.waiting.firstIndex { $0.id == id && $0.taken == 0 }
            return place.map { state.waiting.remove(at: $0) }
        }
        request?.answer.resume(throwing: CancellationError())
    }

    /// Runs `body` on the engine, after what waits now.
    func run<Result: Sendable>(
        _ body: @escaping @Sendable (PredictionEngine) throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { answer in
            worker.async { [holder] in
                answer.resume(
                    with: Swift.Result {
                        guard let engine = holder.engine else { throw Self.closed }
                        return try body(engine)
                    })
            }
        }
    }

    /// Throws to what waits, and gives the device back once what is under way is done.
    func close() async {
        stop()
        await withCheckedContinuation { closed in
            worker.async { [holder] in
                holder.engine = nil
                closed.resume()
            }
        }
    }

    private func stop() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting.removeAll { $0.taken == 0 } }
            return state.waiting.filter { $0.taken == 0 }
        }
        for request in waiting { request.answer.resume(throwing: Self.closed) }
    }

    deinit {
        // Nothing waits: who does, holds the predictor.
        worker.async { [holder] in holder.engine = nil }
    }

    // MARK: The worker

    private func work() {
        while let batch = nextBatch() {
            do {
                let images = batch.flatMap { $0.request.images[$0.images] }
                let rows = try holder.engine!.predict(images[...])
                var first = 0
                for part in batch {
                    part.request.rows += rows[first..<first + part.images.count]
                    first += part.images.count
                    if part.request.rows.count == part.request.images.count {
                        part.request.answer.resume(returning: part.request.rows)
                    }
                }
            } catch {
                // Those whose other images still wait are over, too.
                let failed = Set(batch.map(\.request.id))
                state.withLock { state in state.waiting.removeAll { failed.contains($0.id) } }
                for part in batch { part.request.answer.resume(throwing: error) }
            }
        }
    }

    private struct Part {
        var request: Request
        var images: Range<Int>
    }

    /// What waits, up to the largest batch; nil where nothing does, and the worker rests.
    private func nextBatch() -> [Part]? {
        state.withLock { state in
            var parts: [Part] = []
            var left = largestBatch
            while left > 0, let request = state.waiting.first {
                let count = min(left, request.images.count - request.taken)
                parts.append(Part(request: request, images: request.taken..<request.taken + count))
                request.taken += count
                left -= count
                if request.taken == request.images.count { state.waiting.removeFirst() }
            }
            if parts.isEmpty { state.isWorking = false }
            return parts.isEmpty ? nil : parts
        }
    }
}
