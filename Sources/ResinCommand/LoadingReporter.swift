import Foundation
import Resin
import Synchronization

/// Tells on standard error how the reading of a data set goes, if it takes longer than a moment.
final class LoadingReporter: LoadingObserver {
    private let style: ProgressStyle
    private struct State {
        var last: ContinuousClock.Instant
        var hasShown = false
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
        state.withLock { state in
            let interval: Duration =
                switch style {
                case .bar: .milliseconds(200)
                case .json: .seconds(1)
                case .auto, .plain, .none: .seconds(state.hasShown ? 5 : 1)
                }
            let now = ContinuousClock.now
            if now - state.last < interval { return }
            (state.last, state.hasShown) = (now, true)
            switch style {
            case .bar:
                writeToStandardError("\r\(Self.text(progress))\u{1B}[K")
            case .json:
                let count = progress.count.map { ",\"images\":\($0)" } ?? ""
                note("{\"done\":\(progress.done)\(count),\"loading\":\"\(progress.stage.rawValue)\"}")
            case .auto, .plain: note("  " + Self.text(progress))
            case .none: break
            }
        }
    }

    private func close() {
        if style == .bar, state.withLock(\.hasShown) { writeToStandardError("\r\u{1B}[K") }
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
