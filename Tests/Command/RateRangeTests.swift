import Foundation
import Testing

extension CommandTests {
    @Suite struct RateRange {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func test(_ more: String...) -> Program {
            Program(["lr-range", "lenet", "--limit", "320", "--limit-test", "10", "--batch", "32"] + more)
        }

        @Test("lr-range suggests a rate, as text, as JSON and on a page, and leaves nothing else behind")
        func suggestion() throws {
            let text = try success(of: test("--steps", "40", "--page", folder / "rates.html"))
            #expect(text.output.split(separator: "\n").last?.hasPrefix("suggested: --lr ") == true, "\(text)")
            let page = try #require(folder.text("rates.html"))
            #expect(page.contains("<polyline") && page.contains("Suggested: --lr "))
            let json = try success(of: test("--steps", "40", "--json"))
            #expect(json.output.contains("\"suggestion\" : ") && json.output.contains("\"smoothed_loss\" : "))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["rates.html"])
        }

        @Test("What a range test cannot take is refused")
        func refusals() throws {
            try expectRefusal(64, "--lr", by: test("--lr", "0.1"))
            try expectRefusal(64, "--from is 1.0", by: test("--from", "1", "--to", "0.1"))
            try expectRefusal(64, "--steps", by: test("--steps", "3"))
            try expectRefusal(64, "lenot", "did you mean 'lenet'", by: Program("lr-range", "lenot"))
        }
    }
}
