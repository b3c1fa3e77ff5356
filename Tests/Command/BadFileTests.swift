import Foundation
import ResinTraining
import Testing

extension CommandTests {
    @Suite struct BadData {
        let folder: Folder

        /// Four images of two by two pixels, right in every way; each test spoils one file.
        init() throws {
            folder = try Folder()
            for split in ["train", "t10k"] {
                let pixels = [UInt8](repeating: 7, count: 16)
                try folder.write(idx([4, 2, 2], pixels), to: "mnist/\(split)-images-idx3-ubyte")
                try folder.write(idx([4], [0, 1, 2, 3]), to: "mnist/\(split)-labels-idx1-ubyte")
            }
        }

        private static let images = "mnist/train-images-idx3-ubyte"
        private static let labels = "mnist/train-labels-idx1-ubyte"

        private func training(_ directory: String) -> Program {
            Program(
                "train", "resnet18", "--data", "mnist", "--data-dir", directory, "--resize", "32", "--batch",
                "2", "--epochs", "1", "--out", folder / "run")
        }

        private func replaceImagesByGzip(_ change: (inout [UInt8]) -> Void) throws {
            try FileManager.default.removeItem(atPath: folder / Self.images)
            try folder.writeGzip(idx([4, 2, 2], (0..<16).map { $0 * 13 }), to: Self.images + ".gz")
            var bytes = try folder.bytes(of: Self.images + ".gz")
            change(&bytes)
            try folder.write(bytes, to: Self.images + ".gz")
        }

        private func expectRefusal(_ words: String...) throws {
            let outcome = try CommandTests.refusal(65, by: training(folder.path))
            for word in words { #expect(outcome.errors.contains(word), "\(outcome)") }
            #expect(!folder.holds("run"), "a folder was left behind")
        }

        @Test("A data folder that is not there is a missing file")
        func missingFolder() throws {
            let outcome = try CommandTests.refusal(66, by: training(folder / "nowhere"))
            #expect(outcome.errors.contains("nowhere/mnist"))
        }

        @Test("The set, unspoilt, trains")
        func unspoilt() throws { try success(of: training(folder.path)) }

        @Test("A gzip file that is cut short is bad content")
        func truncated() throws {
            try replaceImagesByGzip { $0.removeLast(10) }
            try expectRefusal("train-images-idx3-ubyte.gz", "cut short")
        }

        @Test("A corrupt gzip file is bad content")
        func corrupt() throws {
            try replaceImagesByGzip { $0[$0.count - 8] ^= 1 }
            try expectRefusal("train-images-idx3-ubyte.gz", "damaged")
        }

        @Test("A wrong magic number is bad content")
        func magic() throws {
            try folder.write("<html>404 not found</html>", to: Self.images)
            try expectRefusal("magic number")
        }

        @Test("Numbers of images and labels that disagree are bad content")
        func counts() throws {
            try folder.write(idx([3], [0, 1, 2]), to: Self.labels)
            try expectRefusal("3", "4")
        }

        @Test("A label out of range is bad content")
        func label() throws {
            try folder.write(idx([4], [0, 1, 10, 3]), to: Self.labels)
            try expectRefusal("label 2 is 10")
        }

        @Test("A set of no images is bad content")
        func noImages() throws {
            try folder.write(idx([0, 2, 2], []), to: Self.images)
            try folder.write(idx([0], []), to: Self.labels)
            try expectRefusal("at least 1")
        }
    }

    @Suite struct BadCheckpoints {
        let run: Runs.Finished
        let folder: Folder

        init() throws {
            run = try Runs.finished.get()
            folder = try run.copy()
        }

        private func evaluate(_ name: String = "run/last.safetensors") -> Program {
            Program("evaluate", folder / name)
        }

        private func spoil(_ change: (inout [Safetensors.Entry]) -> Void) throws {
            var file = try Safetensors(contentsOf: run.last)
            change(&file.entries)
            try file.write(to: folder / "run/last.safetensors")
        }

        @Test("A checkpoint that is not there is a missing file")
        func missing() throws {
            try expectRefusal(66, "nothing.safetensors", by: evaluate("run/nothing.safetensors"))
            try expectRefusal(66, "nowhere", by: evaluate("nowhere"))
        }

        @Test("A torn checkpoint is called torn", arguments: [4, 100, 100_000])
        func torn(byteCount: Int) throws {
            let bytes = try folder.lastWeights.prefix(byteCount)
            try folder.write(Array(bytes), to: "run/last.safetensors")
            try expectRefusal(65, "torn", by: evaluate())
        }

        @Test("A checkpoint of another network is refused by a tensor's name")
        func otherNetwork() throws {
            var program = evaluate()
            program.arguments += ["--network", "resnet18", "--input", "1x32x32"]
            try expectRefusal(65, "tensor '", by: program)
        }

        @Test("A missing tensor is named")
        func missingTensor() throws {
            try spoil { $0.removeAll { $0.name == "0.0.bias" } }
            try expectRefusal(65, "'0.0.bias'", "missing", by: evaluate())
        }

        @Test("An extra tensor is named")
        func extraTensor() throws {
            try spoil { $0.append(Safetensors.Entry("extra.weight", shape: [1], values: [1])) }
            try expectRefusal(65, "'extra.weight'", by: evaluate())
        }

        @Test("A wrongly shaped tensor is named with both shapes")
        func wrongShape() throws {
            try spoil {
                $0.removeAll { $0.name == "0.0.bias" }
                $0.append(Safetensors.Entry("0.0.bias", shape: [2], values: [1, 2]))
            }
            try expectRefusal(65, "'0.0.bias'", "[2]", "[96]", by: evaluate())
        }

        @Test("A file that is no checkpoint is bad content")
        func otherFile() throws {
            try expectRefusal(65, "not a safetensors file", by: evaluate("run/config.json"))
        }

        @Test("A configuration that is damaged is bad content")
        func configuration() throws {
            try folder.write("{\"network\":", to: "run/config.json")
            try expectRefusal(65, "config.json", by: evaluate())
            try expectRefusal(65, "config.json", by: Program("train", "--resume", folder / "run"))
        }
    }

    static func refusal(_ code: Int32, by program: Program) throws -> Program.Outcome {
        let outcome = try program.run()
        #expect(outcome.code == code, "\(outcome)")
        return outcome
    }
}
