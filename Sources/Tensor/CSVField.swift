extension StringProtocol {
    /// As a field of a CSV file (RFC 4180). One that a spreadsheet would run as a formula gets an apostrophe before it.
    package var csvField: String {
        let isFormula = first.map { "=+-@\t\r".contains($0) } ?? false
        let field = (isFormula ? "'" : "") + self
        guard field.contains(where: { ",\"".contains($0) || $0.isNewline }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }
}
