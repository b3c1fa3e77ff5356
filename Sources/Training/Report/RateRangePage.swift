import Foundation

/// The curve of a range test: a page that needs no network and no script.
public struct RateRangePage {
    private let title: String
    private let range: RateRange

    public init(_ title: String, _ range: RateRange) {
        self.title = title
        self.range = range
    }

    /// Writes it, whole or not at all.
    public func write(to path: String) throws {
        try AtomicFile.write(Data(markup.description.utf8), to: path)
    }

    private var markup: Markup {
        let lead =
            range.suggestion.map { "Suggested: --lr \(short($0)), the square in the curve." }
            ?? "The loss never falls: there is no rate to suggest."
        let end = range.divergedRate.map { " It diverges at \(short($0))." } ?? ""
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>Learning rates: \(title)</title>
            <style>
            \(ReportStyle.sheet)
            </style>
            </head>
            <body>
            <header>
            <h1>Learning rates: \(title)</h1>
            <p>\(lead)\(end)</p>
            </header>
            <main>
            <section class="plots">\(curve)</section>
            \(table)
            </main>
            <footer class="muted">Written by Resin: resin lr-range.</footer>
            </body>
            </html>

            """
    }

    private let width = 440.0
    private let height = 280.0
    private let left = 56.0
    private let right = 14.0
    private let top = 40.0
    private let bottom = 44.0

    private var curve: Markup {
        guard let first = range.points.first, let last = range.points.last, let least = range.least else {
            return ""
        }
        // What diverges would press the rest together.
        let highest = min(
            range.points.map(\.smoothedLoss).max()!,
            max(2 * first.smoothedLoss - least.smoothedLoss, first.smoothedLoss * 1.1))
        let y = AxisTicks(least.smoothedLoss, highest, count: 5)
        let (start, end) = (log10(Double(first.rate)), log10(Double(last.rate)))
        func x(_ rate: Double) -> Double {
            left + (width - left - right) * (log10(rate) - start) / max(end - start, 1e-9)
        }
        func place(_ loss: Double) -> Double {
            let share = (min(loss, y.upper) - y.lower) / (y.upper - y.lower)
            return height - bottom - (height - bottom - top) * share
        }
        let powers = Int(start.rounded(.up))...max(Int(start.rounded(.up)), Int(end.rounded(.down)))
        let path = range.points.map { "\(one(x(Double($0.rate)))),\(one(place($0.smoothedLoss)))" }
            .joined(separator: " ")
        let mark = range.steepest.map { point -> Markup in
            """
            <g class="test"><rect class="mark" x="\(one(x(Double(point.rate)) - 4))" \
            y="\(one(place(point.smoothedLoss) - 4))" width="8" height="8"/></g>
            """
        }
        return """
            <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="Loss by learning rate; the table below has the numbers">
            <title>Loss by learning rate</title>
            <text class="name" x="\(left)" y="16">Smoothed loss</text>
            \(y.values.map { horizontal(y.text($0), at: place($0)) })
            \(powers.map { vertical("1e\($0)", at: x(pow(10, Double($0)))) })
            <text class="tick" x="\(left + (width - left - right) / 2)" y="\(height - 5)" text-anchor="middle">learning rate</text>
            <g class="train"><polyline class="curve" points="\(path)"/></g>
            \(mark ?? "")
            </svg>
            """
    }

    private func horizontal(_ text: String, at y: Double) -> Markup {
        """
        <line class="grid" x1="\(left)" y1="\(one(y))" x2="\(width - right)" y2="\(one(y))"/>\
        <text class="tick" x="\(left - 6)" y="\(one(y + 5))" text-anchor="end">\(text)</text>
        """
    }

    private func vertical(_ text: String, at x: Double) -> Markup {
        """
        <line class="grid" x1="\(one(x))" y1="\(top)" x2="\(one(x))" y2="\(height - bottom + 4)"/>\
        <text class="tick" x="\(one(x))" y="\(height - bottom + 18)" text-anchor="middle">\(text)</text>
        """
    }

    private var table: Markup {
        // Some thirty rows say what the curve shows.
        let step = max(1, range.points.count / 30)
        let rows = stride(from: 0, to: range.points.count, by: step).map { index -> [String] in
            let point = range.points[index]
            return [
                short(point.rate), point.loss.map { String(format: "%.4f", $0) } ?? "–",
                String(format: "%.4f", point.smoothedLoss),
            ]
        }
        return MarkupTable(
            caption: "Steps of the test", columns: ["rate", "loss", "smoothed"], rows: rows
        ).markup
    }

    private func one(_ value: Double) -> String { String(format: "%.1f", value) }
    private func short(_ rate: Float) -> String { String(format: "%.2g", rate) }
}
