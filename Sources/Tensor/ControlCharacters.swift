extension StringProtocol {
    /// The text with its control characters shown and not obeyed, `\x1b` for an escape: what comes from names
    /// and files must not move a terminal's cursor, colour a log or break its lines. So are marks that turn
    /// the direction of writing, as `\u{202e}`.
    package var controlsEscaped: String {
        guard unicodeScalars.contains(where: \.isControl) else { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard scalar.isControl else {
                text.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            let shown =
                scalar.value > 0xFF ? "\\u{\(digits)}" : "\\x" + (digits.count == 1 ? "0" : "") + digits
            text.append(contentsOf: shown.unicodeScalars)
        }
        return String(text)
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        switch value {
        // C0, delete and C1.
        case 0..<0x20, 0x7F..<0xA0: true
        // Line and paragraph separators; embeddings, overrides and isolates of direction.
        case 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
