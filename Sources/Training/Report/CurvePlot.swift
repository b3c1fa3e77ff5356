import Foundation

/// Lines over the epochs, as a vector drawing. Lines differ in colour, dashes and marks, so that they are told
/// apart on paper and by those who do not see colours.
struct CurvePlot {
    /// One line; a value that is not finite leaves a gap.
    struct Line {
        /// A class of the style sheet: `train`, `test` or `averaged`.
        var style: String
        var name: String
        var values: [Double]
    }

    var title: String
    /// From 1, rising, one a value of each line.
    var epochs: [Int]
    var lines: [Line]
    /// Shares in 0 … 1, shown as per cent.
    var isShare: Bool

    private let width = 440.0
    private let height = 280.0
    private let left = 56.0
    private let right = 14.0
    private let top = 40.0
    private let bottom = 44.0

    var markup: Markup {
        let finite = lines.flatMap(\.values).filter(\.isFinite)
        guard let lowest = finite.min(), let highest = finite.max(), let last = epochs.last else { return "" }
        // A loss is seen against zero; shares use the height that they need, but no fractions of a per cent.
        let y = AxisTicks(
            isShare ? min(lowest, max(highest - 0.05, 0)) : 0, highest, count: 5, limit: isShare ? 1 : nil)
        let x = AxisTicks(Double(epochs[0]), Double(max(last, epochs[0] + 1)), count: 8, isWhole: true)
        return """
            <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="\(title) by epoch; the table below has the numbers">
            <title>\(title) by epoch</title>
            <text class="name" x="\(left)" y="16">\(title)</text>
            \(legend)
            \(y.values.map { horizontal($0, at: place($0, on: y, from: height - bottom, to: top), y) })
            \(x.values.map { vertical($0, at: place($0, on: x, from: left, to: width - right)) })
            <text class="tick" x="\(left + (width - left - right) / 2)" y="\(height - 5)" text-anchor="middle">epoch</text>
            \(lines.map { curve($0, x, y) })
            </svg>
            """
    }

    private var legend: [Markup] {
        lines.enumerated().map { index, line in
            let start = width - right - (lines.count > 2 ? 96 : 104) * Double(lines.count - index)
            return """
                <g class="\(line.style)"><line class="curve" x1="\(start)" y1="12" x2="\(start + 28)" y2="12"/>\
                \(mark(line.style, start + 14, 12))</g><text class="tick" x="\(start + 34)" y="16">\(line.name)</text>
                """
        }
    }

    private func curve(_ line: Line, _ x: AxisTicks, _ y: AxisTicks) -> Markup {
        let points = zip(epochs, line.values).map { epoch, value -> (x: Double, y: Double)? in
            guard value.isFinite else { return nil }
            return (
                place(Double(epoch), on: x, from: left, to: width - right),
                place(value, on: y, from: height - bottom, to: top)
            )
        }
        let runs = points.split(whereSeparator: { $0 == nil }).map { run -> Markup in
            let path = run.compactMap { $0 }.map { "\(short($0.x)),\(short($0.y))" }.joined(separator: " ")
            return "<polyline class=\"curve\" points=\"\(path)\"/>"
        }
        // Marks of many epochs would hide the line.
        let marks = epochs.count > 40 ? [] : points.compactMap { $0 }.map { mark(line.style, $0.x, $0.y) }
        return "<g class=\"\(line.style)\">\(runs)\(marks)</g>"
    }

    private func mark(_ style: String, _ x: Double, _ y: Double) -> Markup {
        switch style {
        case "train": "<circle class=\"mark\" cx=\"\(short(x))\" cy=\"\(short(y))\" r=\"3\"/>"
        case "averaged": "<path class=\"mark\" d=\"M\(short(x - 4)),\(short(y + 3))h8l-4,-7z\"/>"
        default: "<rect class=\"mark\" x=\"\(short(x - 3))\" y=\"\(short(y - 3))\" width=\"6\" height=\"6\"/>"
        }
    }

    private func horizontal(_ value: Double, at y: Double, _ axis: AxisTicks) -> Markup {
        let text = isShare ? axis.text(100 * value, scale: 100) + " %" : axis.text(value)
        return """
            <line class="grid" x1="\(left)" y1="\(short(y))" x2="\(width - right)" y2="\(short(y))"/>\
            <text class="tick" x="\(left - 6)" y="\(short(y + 5))" text-anchor="end">\(text)</text>
            """
    }

    private func vertical(_ value: Double, at x: Double) -> Markup {
        """
        <line class="grid" x1="\(short(x))" y1="\(height - bottom)" x2="\(short(x))" y2="\(height - bottom + 4)"/>\
        <text class="tick" x="\(short(x))" y="\(height - bottom + 18)" text-anchor="middle">\(Int(value))</text>
        """
    }

    private func place(_ value: Double, on axis: AxisTicks, from start: Double, to end: Double) -> Double {
        start + (end - start) * (value - axis.lower) / (axis.upper - axis.lower)
    }

    private func short(_ value: Double) -> String { String(format: "%.1f", value) }
}

/// Round numbers along an axis that hold a range: steps of 1, 2 or 5 times a power of ten.
package struct AxisTicks {
    package let lower: Double
    package let upper: Double
    package let values: [Double]
    private let step: Double

    /// - Parameters:
    ///   - count: about how many steps.
    ///   - limit: what the axis does not pass.
    ///   - isWhole: no fractions, and the axis ends where the range does.
    package init(_ lowest: Double, _ highest: Double, count: Int, limit: Double? = nil, isWhole: Bool = false)
    {
        // A range too small for its steps to be numbers is none.
        let range = max(highest - lowest, highest > lowest ? 1e-300 : max(abs(highest) * 0.1, 1e-3))
        let rough = range / Double(count)
        let power = pow(10, floor(log10(rough)))
        let round = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? 10 * power
        let step = isWhole ? max(round.rounded(), 1) : round
        let first = (lowest / step).rounded(.down)
        var last = (highest / step).rounded(.up)
        if last == first { last += 1 }
        let end = limit.map { min(last * step, $0) } ?? last * step
        self.step = step
        if isWhole {
            (lower, upper) = (lowest, highest)
            values = stride(from: max(first, 1) * step, through: highest, by: step).filter { $0 >= lowest }
        } else {
            let start = min(first * step, end - step)
            (lower, upper) = (start, end)
            values = (0...Int(((end - start) / step).rounded())).map { start + Double($0) * step }
        }
    }

    /// A tick's number with as many decimals as the steps need.
    package func text(_ value: Double, scale: Double = 1) -> String {
        let decimals = max(0, Int(-floor(log10(step * scale) + 1e-9)))
        return String(format: "%.\(decimals)f", value)
    }
}
