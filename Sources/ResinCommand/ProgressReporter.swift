import ArgumentParser
import Foundation
import Resin

enum ProgressStyle: String, CaseIterable, Decodable, ExpressibleByArgument {
    /// A bar on a terminal, else plain.
    case auto
    /// One line that is written again and again.
    case bar
    /// A line now and then.
    case plain
    /// A JSON object a line.
    case json
    case none

    /// A bar goes to a terminal alone.
    var onStandardError: ProgressStyle {
        guard self == .auto || self == .bar else { return self }
        return isatty(STDERR_FILENO) == 1 ? .bar : .plain
    }
}

/// Tells on standard error how a training goes. Lines are for people and logs; a bar goes to a terminal only,
/// so that it corrupts no log.
final class ProgressReporter {
    private let style: ProgressStyle
    private let log: LineFile?
    private let clock = ContinuousClock()
    private var lastReport: ContinuousClock.Instant?
    private var barIsOpen = false

    init(_ style: ProgressStyle, log: LineFile?) {
        self.style = style.onStandardError
        self.log = log
    }

    /// A line that is always shown, and kept in the run's log.
    func say(_ line: String) throws {
        closeBar()
        if style != .none && style != .json { note(line) }
        try keep(line)
    }

    /// A line for the run's log alone.
    func keep(_ line: String) throws { try log?.append(line.controlsEscaped) }

    func show(_ progress: Trainer.Progress) {
        let now = clock.now
        let interval: Duration =
            switch style {
            case .bar: .milliseconds(200)
            // Programs want them all.
            case .json: .zero
            case .plain, .auto, .none: .seconds(10)
            }
        if let lastReport, now - lastReport < interval, progress.step < progress.steps { return }
        lastReport = now
        switch style {
        case .bar:
            let width = 24
            let filled = width * progress.step / progress.steps
            let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled)
            let line = "\r\(bar) \(text(progress))"
            writeToStandardError(line + "\u{1B}[K")
            barIsOpen = true
        case .plain:
            note("  \(text(progress))")
        case .json:
            let object = StepLine(
                epoch: progress.epoch, step: progress.step, steps: progress.steps,
                loss: progress.loss.isFinite ? progress.loss : nil, accuracy: progress.accuracy,
                imagesPerSecond: progress.imagesPerSecond,
                secondsLeft: progress.secondsLeft)
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = .sortedKeys
            if let data = try? encoder.encode(object) { note(String(decoding: data, as: UTF8.self)) }
        case .auto, .none: break
        }
    }

    func closeBar() {
        if barIsOpen { writeToStandardError("\r\u{1B}[K") }
        barIsOpen = false
    }

    private struct StepLine: Encodable {
        var epoch, step, steps: Int
        /// Left out where it is not finite, which JSON cannot say.
        var loss: Double?
        var accuracy, imagesPerSecond, secondsLeft: Double
    }

    private func text(_ progress: Trainer.Progress) -> String {
        "epoch \(progress.epoch)/\(progress.epochs), step \(progress.step)/\(progress.steps), "
            + "loss \(decimals(progress.loss, 4)), accuracy \(percent(progress.accuracy)), "
            + "\(decimals(progress.imagesPerSecond, 0)) images/s, \(duration(progress.secondsLeft)) left"
    }
}

func decimals(_ value: Double, _ count: Int) -> String { String(format: "%.\(count)f", value) }

func percent(_ share: Double) -> String { decimals(100 * share, 2) + " %" }

/// "1 h 02 min", "3 min 04 s" or "5 s".
func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return String(format: "%d h %02d min", whole / 3600, whole / 60 % 60) }
    if whole >= 60 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
    return "\(whole) s"
}
