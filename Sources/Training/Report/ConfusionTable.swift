import Foundation
import ResinTensor

/// Which classes are taken for which: a row a true class, a column a predicted one.
struct ConfusionTable {
    /// `[true class, predicted class]`, numbers of images.
    var counts: [Int]
    var classNames: [String]

    /// More classes would be a wall of zeros: then only the confusions are listed.
    private static let largestMatrix = 25
    private static let longestList = 30

    private var classes: Int { classNames.count }
    private subscript(label: Int, predicted: Int) -> Int { counts[label * classes + predicted] }
    private func images(of label: Int) -> Int { counts[label * classes..<(label + 1) * classes].reduce(0, +) }

    var markup: Markup { classes > Self.largestMatrix ? list : matrix }

    private var matrix: Markup {
        let head = classNames.map { Markup("<th scope=\"col\">\($0)</th>") }
        let rows = classNames.indices.map { label -> Markup in
            let total = images(of: label)
            let cells = classNames.indices.map { cell(self[label, $0], of: total, isRight: $0 == label) }
            let recall = total > 0 ? percent(Double(self[label, label]) / Double(total)) : "–"
            return "<tr><th scope=\"row\">\(classNames[label])</th>\(cells)<td>\(recall)</td></tr>"
        }
        let precisions = classNames.indices.map { predicted -> Markup in
            let total = classNames.indices.reduce(0) { $0 + self[$1, predicted] }
            return "<td>\(total > 0 ? percent(Double(self[predicted, predicted]) / Double(total)) : "–")</td>"
        }
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
        let confusions = counts.indices
            .filter { counts[$0] > 0 && $0 / classes != $0 % classes }
            .sorted { (counts[$0], $1) > (counts[$1], $0) }
        let rows = confusions.prefix(Self.longestList).map { place in
            [
                classNames[place / classes], classNames[place % classes], counts[place].grouped,
                percent(Double(counts[place]) / Double(images(of: place / classes))),
            ]
        }
        return MarkupTable(
            caption: "The most frequent confusions of \(classes.grouped) classes",
            columns: ["class", "taken for", "images", "of the class"], rows: Array(rows), textColumns: 2
        ).markup
    }

    private func percent(_ share: Double) -> String { String(format: "%.1f\u{A0}%%", 100 * share) }
}
