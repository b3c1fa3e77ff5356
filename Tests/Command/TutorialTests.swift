import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// The commands of docs/photographs.md, on a folder like the one that it shows.
    @Suite struct Tutorial {
        let folder: Folder

        init() throws { folder = try Folder() }

        /// Yellow discs and red ones, on green: what daisies and tulips are from far away.
        private func flower(_ kind: String, _ seed: Int) -> [UInt8] {
            let (height, width) = (80 + seed % 3 * 10, 90 + seed % 4 * 8)
            let petal: [UInt8] = kind == "daisy" ? [240, 220, 40] : [200, 30, 40]
            let (row, column, radius) = (30 + seed % 7 * 3, 35 + seed % 5 * 4, 20 + seed % 4 * 3)
            var samples: [UInt8] = []
            for y in 0..<height {
                for x in 0..<width {
                    let distance = (y - row) * (y - row) + (x - column) * (x - column)
                    samples +=
                        distance < radius * radius ? petal : [30, UInt8(90 + (x * 7 + y * 5) % 60), 30]
                }
            }
            return png(width: width, height: height, colourType: 2, samples: samples)
        }

        @Test("The tutorial's commands work, in its order")
        func commands() throws {
            for kind in ["daisy", "tulip"] {
                for (part, count) in [("train", 24), ("test", 6)] {
                    for index in 0..<count {
                        try folder.write(
                            flower(kind, index + (part == "test" ? 100 : 0)),
                            to: "flowers/\(part)/\(kind)/\(index).png")
                    }
                }
                try folder.write(flower(kind, 7), to: "holiday/\(kind).png")
            }
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            let page = try String(
                contentsOf: root.appending(path: "docs/photographs.md"), encoding: .utf8)
            let commands = page.split(separator: "\n").filter { $0.hasPrefix("    resin ") }
                .map { $0.split(separator: " ").dropFirst().map(String.init) }
            #expect(commands.map { $0[0] } == ["datasets", "train", "evaluate", "predict", "datasets"])
            for arguments in commands {
                var program = Program(arguments)
                program.folder = folder.path
                try success(of: program)
            }
            let rows = folder.lines(of: "predictions.csv")
            #expect(rows[0] == "path,label,predicted,probability,logit_0,logit_1")
            #expect(rows.count == 13 && rows[1].hasPrefix("test/daisy/0.png,0,"))
            let report = try #require(folder.text("flowers-run/report.html"))
            #expect(report.contains("Precision, recall and F1"))
        }
    }
}
