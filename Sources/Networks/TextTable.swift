/// Rows under a heading, in groups with a line between them; the first columns to the left, numbers and shapes to
/// the right.
package struct TextTable {
    var columns: [String]
    var groups: [[[String]]]
    /// How many columns of words come first.
    var leftColumns: Int

    package init(columns: [String], groups: [[[String]]], leftColumns: Int = 1) {
        self.columns = columns
        self.groups = groups
        self.leftColumns = leftColumns
    }

    package var lines: [String] {
        let rows = [columns] + groups.joined()
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let rule = String(repeating: "─", count: widths.reduce(2 * (widths.count - 1), +))
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).enumerated().map { column, cell in
                let gap = String(repeating: " ", count: cell.1 - cell.0.count)
                return column < leftColumns ? cell.0 + gap : gap + cell.0
            }
            var line = padded.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
        return [line(columns)] + groups.flatMap { [rule] + $0.map(line) }
    }
}
