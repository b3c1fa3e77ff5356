import Foundation
import ResinTraining
import Testing

extension CommandTests {
    /// torchvision's ResNet-18, trained on the image folder of two classes, as files from elsewhere have it.
    @Suite struct Weights {
        static let run = Result { try make() }

        static func make() throws -> Folder {
            let folder = try Folder()
            // What a static property holds is never released.
            atexit {
                if let folder = try? Weights.run.get() {
                    try? FileManager.default.removeItem(atPath: folder.path)
                }
            }
            try success(
                of: Images.training(
                    try Images.folder.get(), "--variant", "torchvision", "--out", folder / "run"))
            return folder
        }

        let folder: Folder
        let images: Folder

        init() throws {
            images = try Images.folder.get()
            folder = try Folder()
            try FileManager.default.copyItem(
                atPath: try Self.run.get() / "run", toPath: folder / "run")
        }

        /// Writes the run's weights, changed, beside no configuration.
        private func bare(_ change: (inout [Safetensors.Entry]) -> Void = { _ in }) throws -> String {
            try write(to: "bare.safetensors", change)
            return folder / "bare.safetensors"
        }

        private func write(to name: String, _ change: (inout [Safetensors.Entry]) -> Void) throws {
            var file = try Safetensors(contentsOf: Self.run.get() / "run/last.safetensors")
            change(&file.entries)
            try file.write(to: folder / name)
        }

        private func evaluating(_ file: String, _ more: String...) -> Program {
            Program(
                [
                    "evaluate", file, "--network", "resnet18", "--data", images / "images", "--input",
                    "1x32x32",
                ]
                    + more)
        }

        private let torchvision = ["--variant", "torchvision"]

        // MARK: Names

        @Test(
            "A prefix of all names is left out with a note, and the result is the same",
            arguments: ["module.", "_orig_mod.", "module._orig_mod.", "state_dict.model."])
        func prefix(_ prefix: String) throws {
            let file = try bare { entries in
                entries = entries.map { Safetensors.Entry(prefix + $0.name, shape: $0.shape, $0.contents) }
            }
            let outcome = try success(of: evaluating(file, torchvision[0], torchvision[1]))
            #expect(outcome.errors.contains("note: the names in \(file) all begin with '\(prefix)'"))
            // In the same batches: others may be summed in another order.
            let own = try success(of: Program("evaluate", folder / "run/last.safetensors", "--batch", "12"))
            #expect(outcome.output == own.output)
        }

        @Test("Auxiliary classifiers are left out with a note, by predict too")
        func auxiliary() throws {
            let file = try bare { entries in
                for name in ["aux1.conv.conv.weight", "aux2.fc2.bias"] {
                    entries.append(Safetensors.Entry(name, shape: [1], values: [1]))
                }
            }
            let outcome = try success(
                of: Program(
                    ["predict", file, images / "images/test/dark/0.png", "--network", "resnet18"]
                        + ["--data", images / "images", "--input", "1x32x32"] + torchvision))
            #expect(outcome.errors.contains("note: \(file): the auxiliary classifiers aux1, aux2"))
        }

        @Test("A forgotten variant, another network and other classes are named, and no option twice")
        func cause() throws {
            let file = try bare()
            let variant = try expectRefusal(
                65, "The likely cause: it holds the weights of resnet18 --variant torchvision\n",
                by: evaluating(file))
            #expect(!variant.errors.contains("--network"))
            let network = try expectRefusal(
                65, "The likely cause: it holds the weights of resnet18 --variant torchvision",
                by: Program("evaluate", file, "--network", "nin", "--data", "glyphs"))
            #expect(!network.errors.contains("--network"))
            let classes = try expectRefusal(
                65, "has shape [2, 512]", "the weights for 2 classes, not 10\n",
                by: Program(["evaluate", file, "--network", "resnet18", "--data", "glyphs"] + torchvision))
            #expect(!classes.errors.contains("--variant"))
        }

        // MARK: Values

        private func expectRefusals(
            _ code: Int32, _ word: String, _ tensor: String, _ value: Float,
            location: SourceLocation = #_sourceLocation
        ) throws {
            func spoil(_ entries: inout [Safetensors.Entry]) {
                entries = entries.map { entry in
                    guard entry.name == tensor else { return entry }
                    return Safetensors.Entry(
                        tensor, shape: entry.shape, values: Array(entry.values.dropLast()) + [value])
                }
            }
            try write(to: "run/best.safetensors", spoil)
            let file = try bare(spoil)
            try write(to: "run/last.safetensors", spoil)
            for program in [
                Program("evaluate", folder / "run"), Program("evaluate", folder / "run/last.safetensors"),
                evaluating(file, torchvision[0], torchvision[1]),
                Program("predict", folder / "run", images / "images/test/dark/0.png"),
                Program("train", "--resume", folder / "run", "--epochs", "2"),
            ] {
                try expectRefusal(code, "tensor '\(tensor)'", word, by: program, location: location)
            }
        }

        @Test("A weight that is not finite ends with 3 and its tensor's name, however it enters")
        func notFinite() throws {
            try expectRefusals(3, "is not finite", "fc.weight", .nan)
            try expectRefusals(3, "is not finite", "bn1.running_var", .infinity)
        }

        @Test("Outputs that overflow end with 3, though all weights are finite")
        func overflow() throws {
            try write(to: "run/best.safetensors") { entries in
                entries = entries.map { entry in
                    guard entry.name == "fc.weight" else { return entry }
                    return Safetensors.Entry(
                        entry.name, shape: entry.shape, values: entry.values.map { _ in 3e38 })
                }
            }
            for program in [
                Program("evaluate", folder / "run"),
                Program("predict", folder / "run", images / "images/test/dark/0.png"),
            ] {
                try expectRefusal(3, "the outputs of network 'resnet18' are not finite", by: program)
            }
        }

        @Test("A negative variance, or count of batches, is bad content, however it enters")
        func negative() throws {
            try expectRefusals(65, "is damaged", "bn1.running_var", -1)
            try expectRefusals(65, "is damaged", "layer4.1.bn2.num_batches_tracked", -7)
        }

        // MARK: Few classes

        @Test("Of two classes no top-5 is told, and the files keep its place")
        func topFive() throws {
            #expect(folder.text("run/log.txt")?.contains("top-5") == false)
            #expect(folder.text("run/report.html")?.contains("top-5 1") == false)
            #expect(folder.text("run/metrics.jsonl")?.contains("\"test_top5_accuracy\":null") == true)
            let columns = folder.lines(of: "run/metrics.csv").map {
                $0.split(separator: ",", omittingEmptySubsequences: false)
            }
            #expect(columns[0].contains("test_top5_accuracy") && columns[0].count == columns[1].count)
            let outcome = try success(of: Program("evaluate", folder / "run"))
            #expect(outcome.output.contains("accuracy") && !outcome.output.contains("top-5"))
            let json = try success(of: Program("evaluate", folder / "run", "--json"))
            let object = try #require(try json.json() as? [String: Any])
            #expect(object["top5_accuracy"] is NSNull)
        }

        @Test("More classes than there are can be asked for, with a note")
        func top() throws {
            let file = images / "images/test/dark/0.png"
            let outcome = try success(of: Program("predict", folder / "run", file, "--top", "9"))
            #expect(outcome.errors.contains("note: --top 9, but there are only 2 classes; all are named"))
            #expect(!(try success(of: Program("predict", folder / "run", file)).errors.contains("--top")))
        }

        // MARK: Sizes

        @Test("An --input of other channels than the images is refused with theirs")
        func channels() throws {
            let words = "the images of glyphs are grey, with 1 channel; give --input 1x28x28"
            try expectRefusal(
                64, words,
                by: Program(
                    "evaluate", try bare(), "--network", "lenet", "--input", "3x28x28", "--data", "glyphs"))
            for program in [
                Program("evaluate", folder / "run", "--input", "3x32x32"),
                Program("predict", folder / "run", images / "images/test/dark/0.png", "--input", "3x32x32"),
            ] {
                try expectRefusal(64, "grey, with 1 channel; give --input 1x32x32", by: program)
            }
        }

        @Test(
            "Sizes that nothing fits are refused, whatever the command",
            arguments: [
                "0x32x32", "1x0x32", "1x32", "1x-1x32", "1099511627776x1x1", "1x16385x1", "1x1x1", "1x1x64",
            ])
        func sizes(_ shape: String) throws {
            let nin = try Runs.finished.get().path
            for program in [
                Program("evaluate", nin, "--input", shape), Program("summary", "nin", "--input", shape),
                Program("bench", "nin", "--input", shape),
                Program("predict", nin, images / "images/test/dark/0.png", "--input", shape),
            ] {
                try expectRefusal(64, by: program)
            }
        }
    }

    @Suite struct Memory {
        let nin: String
        let image: String

        init() throws {
            nin = try Runs.finished.get().path
            image = try Images.folder.get() / "images/test/dark/0.png"
        }

        /// Refused with need, have, and nothing that the command does not know.
        private func expectOutOfMemory(_ advice: String, by program: Program) throws {
            let outcome = try expectRefusal(71, "needs", " has ", advice, by: program)
            let help = try success(of: Program(program.arguments[0], "--help")).output
            for option in outcome.errors.matches(of: #/--[a-z-]+/#) {
                #expect(help.contains(option.output), "\(outcome)")
            }
        }

        @Test(
            "What the device or the host cannot hold is refused before it is asked for",
            arguments: ["cpu", "reference"])
        func large(device: String) throws {
            let list = try success(of: Program("devices")).output
            guard device == "reference" || list.contains(", cpu,") else { return }
            try expectOutOfMemory(
                "use --batch ",
                by: Program("evaluate", nin, "--input", "1x4096x4096", "--device", device, "--batch", "32"))
            try expectOutOfMemory(
                "not even a batch of 1 fits",
                by: Program(
                    "bench", "vgg16", "--input", "1x16384x16384", "--batch", "16384", "--device", device))
            // A machine may have the memory.
            var predicting = Program("predict", nin, image, "--input", "1x16384x16384", "--device", device)
            predicting.preparation = "ulimit -v 8000000; "
            try expectOutOfMemory("fewer images", by: predicting)
            // It plans, and allocates nothing.
            try success(
                of: Program(
                    "summary", "vgg16", "--input", "1x16384x16384", "--batch", "16384", "--device", device))
        }

        @Test("A limit on the process's memory counts, and the batch that is said to fit does")
        func limited() throws {
            var program = Program(
                "bench", "nin", "--input", "1x224x224", "--batch", "1024", "--steps", "1", "--mode", "infer")
            program.preparation = "ulimit -v 1500000; "
            let outcome = try expectRefusal(71, "the largest batch that fits is ", by: program)
            let batch = try #require(outcome.errors.firstMatch(of: #/use --batch (\d+)/#)?.output.1)
            program.arguments[5] = String(batch)
            try success(of: program)
        }

        @Test("predict takes as many images at a time as fit")
        func predict() throws {
            var program = Program(
                ["predict", nin] + Array(repeating: image, count: 16) + ["--input", "1x1024x1024"])
            program.preparation = "ulimit -v 1500000; "
            let lines = try success(of: program).output.split(separator: "\n")
            #expect(lines.count == 16 && Set(lines).count == 1)
        }
    }
}
