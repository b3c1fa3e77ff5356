import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Images and published files with something about them.
    @Suite struct Reading {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func training(_ data: String, _ more: String...) -> Program {
            Program(
                [
                    "train", "lenet", "--data", folder / data, "--batch", "2", "--epochs", "1", "--lr",
                    "0.01", "--out",
                    folder / "run-\(data)",
                ] + more)
        }

        /// The same files in two classes of both parts.
        private func fill(_ data: String, _ files: [String: [UInt8]], classes: [String] = ["a", "b"]) throws {
            for part in ["train", "test"] {
                for name in classes {
                    for (file, bytes) in files {
                        try folder.write(bytes, to: "\(data)/\(part)/\(name)/\(file)")
                    }
                }
            }
        }

        /// A grey ramp of 32×32.
        private func ramp(bitDepth: UInt8 = 8, extra: [(String, [UInt8])] = []) -> [UInt8] {
            let row = (0..<32).flatMap { [UInt8](repeating: UInt8($0 * 8), count: Int(bitDepth) / 8) }
            return png(
                width: 32, height: 32, colourType: 0, bitDepth: bitDepth, extra: extra,
                samples: (0..<32).flatMap { _ in row })
        }

        private func noise(_ side: Int, seed: Int) -> [UInt8] {
            var state = UInt64(seed)
            let samples = (0..<side * side).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            return png(width: side, height: side, colourType: 0, samples: samples)
        }

        private func configuration(_ data: String) throws -> [String: Any] {
            let text = try #require(folder.text("run-\(data)/config.json"))
            return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        // MARK: Pixels

        @Test("A PNG's gamma changes no pixel; sixteen bits are the same brightness as eight")
        func gamma() throws {
            try fill("plain", ["x.png": ramp()])
            try fill("gamma", ["x.png": ramp(extra: [("gAMA", [0, 1, 0x86, 0xA0])])])
            try fill("deep", ["x.png": ramp(bitDepth: 16)])
            for data in ["plain", "gamma", "deep"] { try success(of: training(data)) }
            // Of the pixels; the same weights in the end say that each is the same.
            func result(_ data: String) throws -> [[Double]] {
                let configuration = try configuration(data)
                let epoch = try #require(folder.lines(of: "run-\(data)/metrics.jsonl").last)
                let metrics = try #require(
                    JSONSerialization.jsonObject(with: Data(epoch.utf8)) as? [String: Any])
                return [
                    try #require(configuration["mean"] as? [Double]),
                    try #require(configuration["std"] as? [Double]),
                    [
                        try #require(metrics["train_loss"] as? Double),
                        try #require(metrics["test_loss"] as? Double),
                    ],
                ]
            }
            let plain = try result("plain")
            #expect(try result("gamma") == plain)
            #expect(try result("deep") == plain)
        }

        @Test("A JPEG that its decoder only warns of trains, with a note in the log; one cut short does not")
        func flawed() throws {
            try fill("flawed", ["x.jpg": extraneousJPEG])
            let outcome = try success(of: training("flawed"))
            for text in [outcome.errors, folder.text("run-flawed/log.txt") ?? ""] {
                #expect(
                    text.contains(
                        "4 damaged images could be read, such as \(folder / "flawed/train/a/x.jpg")"))
            }
            let predicted = try success(
                of: Program("predict", folder / "run-flawed", folder / "flawed/test/b/x.jpg"))
            #expect(predicted.errors.contains("20 extraneous bytes"), "\(predicted)")
            try fill("cut", ["x.jpg": extraneousJPEG.dropLast(4)])
            try expectRefusal(65, "cut short", by: training("cut"))
        }

        @Test(
            "What a network makes of an image does not depend on the sizes of the others",
            arguments: [30, 40, 65], [false, true])
        func sizes(side: Int, enlarges: Bool) throws {
            var files: [String: [UInt8]] = [:]
            for index in 0..<3 { files["\(index).png"] = noise(side, seed: index) }
            try fill("one", files)
            files["9.png"] = noise(37, seed: 9)
            try fill("mixed", files)
            try success(of: training("one", "--resize", enlarges ? "80" : "28"))
            let rows = try ["one", "mixed"].map { data in
                try success(
                    of: Program(
                        "evaluate", folder / "run-one", "--data", folder / data, "--predictions",
                        folder / "\(data).csv"))
                return folder.lines(of: "\(data).csv").prefix(7)
            }
            #expect(rows[0] == rows[1])
        }

        // MARK: Labels

        @Test("IDX sets have the classes of their labels, from 0 or from 1, and it is said")
        func labels() throws {
            for (data, labels) in [
                ("balanced", (0..<94).map { $0 % 47 }), ("letters", (0..<52).map { 1 + $0 % 26 }),
            ] {
                let labels = labels.map { UInt8($0) }
                for part in ["train", "t10k"] {
                    let count = UInt32(labels.count)
                    try folder.write(
                        idx([count, 8, 8], labels.flatMap { label in (0..<64).map { label &* 5 &+ $0 } }),
                        to: "\(data)/\(part)-images-idx3-ubyte")
                    try folder.write(idx([count], labels), to: "\(data)/\(part)-labels-idx1-ubyte")
                }
                try success(of: training(data))
            }
            #expect(try configuration("balanced")["classes"] as? Int == 47)
            #expect(try configuration("letters")["class_names"] as? [String] == (1...26).map(String.init))
            #expect(folder.text("run-letters/log.txt")?.contains("the labels begin with 1") == true)
        }

        // MARK: Bounds

        @Test("Files that would inflate to more than their format has are exit 65, not memory")
        func bombs() throws {
            for batch in (1...5).map({ "data_batch_\($0)" }) + ["test_batch"] {
                try folder.write([UInt8](repeating: 1, count: 3073), to: "cifar/\(batch).bin")
            }
            try folder.writeGzip([UInt8](repeating: 0, count: 1 << 28), to: "cifar/data_batch_1.bin")
            var program = training("cifar")
            program.preparation = "ulimit -v 3000000; "
            try expectRefusal(65, "data_batch_1.bin", "at most 10,000 images", by: program)

            for part in ["train", "t10k"] {
                try folder.write(idx([10, 2, 2], (0..<40).map { $0 }), to: "idx/\(part)-images-idx3-ubyte")
                try folder.write(idx([10], (0..<10).map { $0 }), to: "idx/\(part)-labels-idx1-ubyte")
            }
            try FileManager.default.removeItem(atPath: folder / "idx/train-labels-idx1-ubyte")
            try folder.writeGzip(
                idx([60_000_000], [UInt8](repeating: 0, count: 1 << 26)), to: "idx/train-labels-idx1-ubyte.gz"
            )
            program = training("idx")
            program.preparation = "ulimit -v 3000000; "
            try expectRefusal(65, "10 images", "60000000 labels", by: program)
        }

        @Test("Named pipes and devices are exit 65 wherever a file is read, and nobody waits for them")
        func notRegular() throws {
            let run = try Runs.finished.get()
            let copy = try run.copy()
            try fill("images", ["1.png": noise(8, seed: 1), "2.png": noise(8, seed: 2)])
            for part in ["train", "t10k"] {
                try folder.write(
                    idx([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), to: "idx/\(part)-images-idx3-ubyte")
                try folder.write(idx([2], [0, 1]), to: "idx/\(part)-labels-idx1-ubyte")
            }
            /// Runs the program with a pipe, then with a device, in a file's place.
            func expect(_ path: String, _ program: Program) throws {
                var program = program
                program.secondsAllowed = 20
                for kind in ["a named pipe", "a device"] {
                    try? FileManager.default.removeItem(atPath: path)
                    if kind == "a device" { symlink("/dev/zero", path) } else { mkfifo(path, 0o600) }
                    try expectRefusal(65, path, "it is \(kind), not a regular file", by: program)
                }
                try FileManager.default.removeItem(atPath: path)
            }
            try expect(folder / "pipe.png", Program("predict", run.path, folder / "pipe.png"))
            try expect(folder / "recipe.json", Program("train", "--config", folder / "recipe.json"))
            try expect(folder / "images/train/b/2.png", training("images"))
            try expect(folder / "idx/train-labels-idx1-ubyte", training("idx"))
            try folder.write(idx([2], [0, 1]), to: "idx/train-labels-idx1-ubyte")
            try expect(folder / "idx/t10k-images-idx3-ubyte", training("idx"))
            try expect(copy / "run/best.safetensors", Program("evaluate", copy / "run"))
            try expect(copy / "run/config.json", Program("evaluate", copy / "run/last.safetensors"))
            try expect(copy / "run/config.json", Program("train", "--resume", copy / "run"))
        }

        @Test("Photographs that the memory has no place for are refused before the first is decoded")
        func memory() throws {
            for index in 0..<9 { try fill("photographs", ["\(index).jpg": colourJPEG]) }
            var program = training("photographs", "--resize", "2500", "--batch", "8")
            program.preparation = "ulimit -v 4000000; "
            program.arguments[1] = "nin"
            try expectRefusal(71, "training with batch 8", "the largest batch that fits", by: program)
            // A header may claim what it likes; a progressive image is kept as coefficients until its end.
            var huge = progressiveJPEG
            let size =
                try #require(zip(huge, huge.dropFirst()).enumerated().first { $1 == (0xFF, 0xC2) }).offset + 5
            huge.replaceSubrange(size..<size + 4, with: [0xBB, 0x80, 0xAF, 0xC8])
            try fill("claims", ["x.jpg": huge])
            program = training("claims", "--resize", "28")
            program.preparation = "ulimit -v 4000000; "
            try expectRefusal(71, "claims", "left", by: program)
        }

        @Test(
            "Ctrl-C ends the reading of many images, at once and without a run", arguments: [SIGINT, SIGTERM])
        func interrupted(number: Int32) throws {
            try fill("many", ["0.png": noise(1000, seed: 1)])
            for part in ["train", "test"] {
                for index in 1...4000 {
                    link(folder / "many/\(part)/a/0.png", folder / "many/\(part)/a/\(index).png")
                }
            }
            let running = try training("many").start()
            usleep(1_500_000)
            try #require(running.isRunning)
            running.signal(number)
            #expect(try running.wait(seconds: 10).code == 128 + number)
            #expect(!folder.holds("run-many"))
        }

        // MARK: Names

        @Test("Names cannot reach a terminal, a log or a spreadsheet as anything but text")
        func names() throws {
            let classes = ["=1+1", "<b>bold", "red \u{1B}[31m\nexit", "zwei Wörter"]
            try fill(
                "names", ["\u{7}1.png": noise(28, seed: 1), "2.png": noise(28, seed: 2)], classes: classes)
            let trained = try success(of: training("names", "--no-nesterov"))
            let evaluated = try success(
                of: Program("evaluate", folder / "run-names", "--predictions", folder / "predictions.csv"))
            let predicted = try success(
                of: Program(
                    "predict", folder / "run-names", folder / "names/test/=1+1/\u{7}1.png", "--top", "4"))
            #expect(predicted.output.contains(#"/\x071.png: "#) && predicted.output.contains("zwei Wörter"))
            try folder.write([1], to: "names/test/=1+1/\u{7}1.png")
            let refused = try CommandTests.refusal(65, by: training("names", "--overwrite"))
            #expect(refused.errors.contains(#"=1+1/\x071.png: is neither"#), "\(refused)")
            let texts = [trained, evaluated, predicted, refused].flatMap { [$0.output, $0.errors] }
            for text in texts + [folder.text("run-names/log.txt") ?? ""] {
                #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(text)")
                #expect(!text.contains("\nexit"), "\(text)")
            }
            #expect(texts.contains { $0.contains(#"red \x1b[31m\x0aexit"#) })
            // Nothing but the header's names and numbers.
            for field in folder.lines(of: "run-names/metrics.csv").dropFirst()
                .flatMap({ $0.split(separator: ",") })
            {
                #expect(Double(field) != nil, "\(field)")
            }
            let rows = folder.lines(of: "predictions.csv")
            #expect(rows.contains { $0.hasPrefix("test/=1+1/") })
            #expect(!rows.contains { $0.first.map { "=+-@".contains($0) } ?? false })
        }
    }
}
