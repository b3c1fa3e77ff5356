import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Runs on folders of photographs: what they keep, and how they are resumed.
    @Suite struct PhotographRuns {
        let folder: Folder

        init() throws { folder = try Folder() }

        /// Grey, each of a size of its own.
        private func picture(_ seed: Int) -> [UInt8] {
            let (height, width) = (20 + seed % 7 * 3, 24 + seed % 5 * 4)
            let samples = (0..<height * width).map { UInt8(truncatingIfNeeded: $0 * (seed + 3) / 5) }
            return png(width: width, height: height, colourType: 0, samples: samples)
        }

        private func fill(_ names: [String], in place: String) throws {
            for kind in ["a", "b"] {
                for (index, name) in names.enumerated() {
                    try folder.write(
                        picture(index + (kind == "b" ? 50 : 0)), to: "\(place)/\(kind)/\(name).png")
                }
            }
        }

        private func training(_ run: String, _ more: String...) -> Program {
            Program(
                [
                    "train", "lenet", "--data", folder / "set", "--augment", "random-resized-crop,flip",
                    "--batch", "4", "--epochs", "2", "--out", folder / run,
                ] + more)
        }

        private func testedPaths(_ run: String) throws -> Set<Substring> {
            try success(of: Program("evaluate", folder / run, "--predictions", folder / "p.csv"))
            return Set(folder.lines(of: "p.csv").dropFirst().map { $0.prefix { $0 != "," } })
        }

        @Test(
            "A set that chance divided is tested on the same files when others have come; gone ones are named"
        )
        func division() throws {
            try fill((0..<10).map { "\($0)" }, in: "set/train")
            try success(of: training("run", "--split", "0.3"))
            let before = try testedPaths("run")
            #expect(before.count == 6)
            try fill((0..<10).map { "later-\($0)" }, in: "set/train")
            #expect(try testedPaths("run") == before)
            let gone = try #require(before.first)
            try FileManager.default.removeItem(atPath: folder / "set/\(gone)")
            try expectRefusal(65, "\(gone)", by: Program("evaluate", folder / "run"))
            for list in ["[]", #"["a", "a"]"#, "7"] {
                try folder.write(#"{"test": \#(list)}"#, to: "run/split.json")
                try expectRefusal(65, "split.json", "'test'", by: Program("evaluate", folder / "run"))
            }
            try expectRefusal(
                64, "--eval-crop is 0", by: Program("predict", folder / "run", "x.png", "--eval-crop", "0"))
        }

        @Test("--validation chooses the best weights, and the test images have one turn at the end")
        func validation() throws {
            try fill((0..<10).map { "\($0)" }, in: "set/train")
            try fill(["0", "1"], in: "set/test")
            let outcome = try success(of: training("run", "--validation", "0.2"))
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.hasPrefix("validation accuracy") == true)
            #expect(lines.last?.hasPrefix("test accuracy") == true)
            let metrics = try #require(folder.lines(of: "run/metrics.jsonl").last)
            #expect(metrics.contains("\"test_loss\":null") && !metrics.contains("\"validation_loss\":null"))
            #expect(folder.text("run/report.html")?.contains("Best validation accuracy") == true)
        }

        @Test("Streamed or not, on one thread or eight, stopped within an epoch or not: the same weights")
        func sameWeights() throws {
            try fill((0..<40).map { "\($0)" }, in: "set/train")
            try fill(["0", "1"], in: "set/test")
            func weights(_ run: String) throws -> [UInt8] { try folder.bytes(of: "\(run)/last.safetensors") }
            try success(of: training("resident", "--stream", "never"))
            let expected = try weights("resident")
            for threads in ["1", "2", "8"] {
                try success(
                    of: training("streamed-\(threads)", "--stream", "always", "--decode-threads", threads))
                #expect(try weights("streamed-\(threads)") == expected)
            }
            let running = try training("stopped", "--stream", "always", "--epochs", "200").start()
            while folder.lines(of: "stopped/metrics.jsonl").count < 3 { Thread.sleep(forTimeInterval: 0.01) }
            running.signal(SIGINT)
            #expect(try running.wait(seconds: 60).code == 130)
            try success(of: Program("train", "--resume", folder / "stopped"))
            try success(of: training("whole", "--stream", "never", "--epochs", "200"))
            #expect(try weights("stopped") == weights("whole"))
        }

        @Test("predict goes through folders and past what it cannot read; 65 at the end")
        func predict() throws {
            try fill((0..<8).map { "\($0)" }, in: "set/train")
            try fill(["0", "1"], in: "set/test")
            try success(of: training("run"))
            try folder.write(Array("no picture".utf8), to: "set/test/a/broken.png")
            let outcome = try Program(
                "predict", folder / "run", folder / "set/test", "--csv", folder / "out.csv"
            ).run()
            #expect(outcome.code == 65 && outcome.errors.contains("broken.png"), "\(outcome)")
            #expect(outcome.output.split(separator: "\n").count == 4)
            let rows = folder.lines(of: "out.csv")
            #expect(rows[0] == "file,rank,class,probability" && rows.count == 9)
        }
    }
}
