import Foundation
import Resin
import Synchronization

/// Tells on standard error how the reading of a data set goes, if it takes longer than a moment.
final class LoadingReporter: LoadingObserver {
    private let style: ProgressStyle
    private struct State {
        var last: ContinuousClock.Instant
        var barIsOpen = false
    }
    private let state = Mutex(State(last: .now))

    /// Runs what loads.
    static func showing<Result>(_ style: ProgressStyle?, _ load: () throws -> Result) rethrows -> Result {
        let reporter = LoadingReporter((style ?? .auto).onStandardError)
        defer { reporter.close() }
        return try LoadingProgress.$observer.withValue(reporter, operation: load)
    }

    private init(_ style: ProgressStyle) { self.style = style }

    func show(_ progress: LoadingProgress) {
        let interval: Duration
        switch style {
        case .none: return
        case .bar: interval = .milliseconds(200)
        case .auto, .plain, .json: interval = .seconds(1)
        }
        state.withLock { state in
            let now = ContinuousClock.now
            if now - state.last < interval { return }
            state.last = now
            switch style {
            case .bar:
                writeToStandardError("\r\(Self.text(progress))\u{1B}[K")
                state.barIsOpen = true
            case .json:
                let count = progress.count.map { ",\"images\":\($0)" } ?? ""
                note("{\"done\":\(progress.done)\(count),\"loading\":\"\(progress.stage.rawValue)\"}")
            case .auto, .plain, .none: note("  " + Self.text(progress))
            }
        }
    }

    private func close() {
        if state.withLock(\.barIsOpen) { writeToStandardError("\r\u{1B}[K") }
    }

    private static func text(_ progress: LoadingProgress) -> String {
        let done = progress.done.grouped
        let of = progress.count.map { "\(done) of \($0.grouped) images" } ?? "\(done) images"
        return switch progress.stage {
        case .listing: "finding images: \(of)"
        case .headers: "reading headers: \(of)"
        case .decoding: "decoding: \(of)"
        }
    }
}
