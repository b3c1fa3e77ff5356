/// Text that goes into HTML as it is, so that nothing which was not escaped gets there unseen.
struct Markup: CustomStringConvertible, ExpressibleByStringInterpolation {
    var description: String

    init(stringLiteral text: String) { description = text }
    init(stringInterpolation: StringInterpolation) { description = stringInterpolation.text }
    init(joining parts: [Markup]) { description = parts.map(\.description).joined(separator: "\n") }

    /// What is interpolated is escaped, unless it is markup already.
    struct StringInterpolation: StringInterpolationProtocol {
        var text = ""
        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ markup: Markup) { text += markup.description }
        mutating func appendInterpolation(_ parts: [Markup]) {
            text += Markup(joining: parts).description
        }
        mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            text += value.description.escaped
        }
    }
}

extension String {
    /// As text or as a quoted attribute of HTML and XML. Control characters, which XML cannot hold, are replaced.
    fileprivate var escaped: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\t", "\n": result.unicodeScalars.append(scalar)
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// A table in a box of its own that scrolls, so that a phone's page does not; the caption stays above it.
struct MarkupTable {
    var caption: String
    var columns: [String]
    /// Cells as text; the first of a row names it.
    var rows: [[String]]
    /// The last row is a total.
    var hasTotal = false
    /// How many of the first columns are text; the others are numbers, to the right.
    var textColumns = 1

    var markup: Markup {
        let head = columns.enumerated().map { Markup("<th scope=\"col\"\(alignment($0))>\($1)</th>") }
        let body = rows.enumerated().map { index, row -> Markup in
            let cells = row.enumerated().map { column, cell -> Markup in
                column == 0
                    ? "<th scope=\"row\">\(cell)</th>" : "<td\(alignment(column))>\(cell)</td>"
            }
            let total: Markup = hasTotal && index == rows.count - 1 ? " class=\"total\"" : ""
            return "<tr\(total)>\(cells)</tr>"
        }
        return """
            <p class="caption">\(caption)</p>
            <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(body)
            </tbody></table></div>
            """
    }

    private func alignment(_ column: Int) -> Markup { column < textColumns ? " class=\"text\"" : "" }
}
