import ResinTensor
import Testing

@Suite struct NameTests {
    @Test("Control characters are shown and not obeyed, other letters stay")
    func controls() {
        #expect("red \u{1B}[31m".controlsEscaped == #"red \x1b[31m"#)
        #expect("a\nb\tc\u{7F}\u{9B}2J\0".controlsEscaped == #"a\x0ab\x09c\x7f\x9b2J\x00"#)
        #expect("photo\u{202E}gnp.exe".controlsEscaped == #"photo\u{202e}gnp.exe"#)
        #expect("zwei Wörter, 猫 🐈‍⬛, \\x1b".controlsEscaped == "zwei Wörter, 猫 🐈‍⬛, \\x1b")
        #expect("\r\n".controlsEscaped == #"\x0d\x0a"#)
    }

    @Test("An error shows control characters of names; only lines that it is given as such are lines")
    func errors() {
        let error = ResinError(.badContent, "a\nb: \u{1B}[2J;", lines: "\n  one\u{7}\n  two")
        #expect(error.message == "a\\x0ab: \\x1b[2J;\n  one\\x07\n  two")
    }
}
