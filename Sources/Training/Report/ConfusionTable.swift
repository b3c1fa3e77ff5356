import Foundation
import ResinTensor

/// Which classes are taken for which: a row a true class, a column a predicted one.
struct ConfusionTable {
    var counts: ConfusionMatrix
    var classNames: [String]

    /// More classes would be a wall of zeros: then only the confusions are listed.
    private static let largestMatrix = 25
    private static let longestList = 30

    private var classes: Int { classNames.count }

    var markup: Markup { classes > Self.largestMatrix ? list : matrix }

    private var matrix: Markup {
        let head = classNames.map { Markup("<th scope=\"col\">\($0)</th>") }
        let metrics = counts.classMetrics
        let rows = classNames.indices.map { label -> Markup in
            let cells = classNames.indices.map {
                cell(counts[label, $0], of: metrics[label].imageCount, isRight: $0 == label)
            }
            return """
                <tr><th scope="row">\(classNames[label])</th>\(cells)<td>\(percent(metrics[label].recall))</td></tr>
                """
        }
        let precisions = metrics.map { Markup("<td>\(percent($0.precision))</td>") }
        return """
            <p class="caption">Rows: what the images are. Columns: what they are taken for. Blue is right, orange
            is wrong.</p>
            <div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix">
            <thead><tr><th scope="col">class</th>\(head)<th scope="col">recall</th></tr></thead>
            <tbody>\(rows)
            <tr class="total"><th scope="row">precision</th>\(precisions)<td></td></tr>
            </tbody></table></div>
            """
    }

    private func cell(_ count: Int, of total: Int, isRight: Bool) -> Markup {
        if count == 0 { return "<td class=\"zero\">0</td>" }
        let share = Double(count) / Double(max(total, 1))
        // Few images are confused in a good network: their colour is stronger, that they can be seen at all.
        let shown = isRight ? share : min(3 * share, 1)
        // Between these the text would have too little contrast on either side.
        let strength = shown > 0.6 ? 0.8 + 0.2 * shown : 0.08 + 0.4 * shown
        let style = (isRight ? "hit" : "cell") + (shown > 0.6 ? " strong" : "")
        return "<td class=\"\(style)\" style=\"--share:\(String(format: "%.2f", strength))\">\(count)</td>"
    }

    private var list: Markup {
        let metrics = counts.classMetrics
        let confusions = counts.entries.filter { $0.label != $0.predicted }
            .sorted { ($0.count, $1.label, $1.predicted) > ($1.count, $0.label, $0.predicted) }
        let rows = confusions.prefix(Self.longestList).map { confusion in
            [
                classNames[confusion.label], classNames[confusion.predicted], confusion.count.grouped,
                percent(Double(confusion.count) / Double(metrics[confusion.label].imageCount)),
            ]
        }
        return MarkupTable(
            caption: "The most frequent confusions of \(classes.grouped) classes",
            columns: ["class", "taken for", "images", "of the class"], rows: Array(rows), textColumns: 2
        ).markup
    }

    private func percent(_ share: Double?) -> String {
        share.map { String(format: "%.1f\u{A0}%%", 100 * $0) } ?? "–"
    }
}
