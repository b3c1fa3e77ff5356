import Foundation
import ResinDevice
import Testing

struct ConvolutionFormTests {
    @Test("docs/convolutions.md lists the forms that there are, in the order in which they are asked")
    func documentation() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/convolutions.md").standardized
        let kinds = DeviceTraits.Kind.allCases.map(\.rawValue)
        let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .map { line in line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
            .filter { cells in kinds.contains { $0 == cells.first } }
            .map { $0.prefix(4).joined(separator: " | ") }
        let forms = ConvolutionFormEntry.all.map { "\($0.kind) | \($0.pass) | \($0.name) | \($0.reason)" }
        #expect(rows == forms)
    }
}
