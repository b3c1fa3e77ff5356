import Foundation
import Testing

extension CommandTests {
    @Suite struct FinishedRun {
        let run: Runs.Finished

        init() throws { run = try Runs.finished.get() }

        private func lines(_ name: String) -> [String] { run.folder.lines(of: "run/" + name) }

        private func object(_ line: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }

        private static let keys = [
            "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate",
            "seconds", "images_per_second", "test_top5_accuracy", "step_milliseconds", "skipped_steps",
            "validation_loss", "validation_accuracy", "validation_top5_accuracy", "ema_test_loss",
            "ema_test_accuracy", "ema_validation_loss", "ema_validation_accuracy",
        ]

        @Test("A run leaves all its files", arguments: ["config.json", "log.txt", "best.safetensors"])
        func files(name: String) { #expect(run.folder.holds("run/" + name)) }

        @Test("metrics.jsonl and metrics.csv have one line an epoch with the contract's keys")
        func metrics() throws {
            let rows = try lines("metrics.jsonl").map(object)
            #expect(rows.map { $0["epoch"] as? Int } == [1, 2])
            for row in rows { #expect(Set(row.keys) == Set(Self.keys)) }
            let table = lines("metrics.csv")
            #expect(table.first == Self.keys.joined(separator: ","))
            #expect(table.count == 3)
        }

        @Test("The log has an epoch's accuracies, learning rate and times")
        func log() throws {
            let line = try #require(lines("log.txt").first { $0.hasPrefix("epoch 2: ") })
            let accuracies = #/; test loss [0-9.]+, accuracy [0-9.]+ %, top-5 [0-9.]+ %; lr [0-9.e-]+, /#
            #expect(line.contains(accuracies), "\(line)")
            #expect(line.contains(#/, [0-9]+ images/s, [0-9.]+ ms a step, [0-9]+ s$/#), "\(line)")
        }

        @Test("Results go to standard output; progress goes to standard error, as JSON lines that parse")
        func streams() throws {
            #expect(run.outcome.output.hasPrefix("test accuracy"))
            #expect(run.outcome.output.split(separator: "\n").count == 1)
            let progress = run.outcome.errors.split(separator: "\n")
            #expect(progress.count >= 2)
            for line in progress {
                let row = try object(String(line))
                #expect(
                    Set(row.keys).isSuperset(of: ["epoch", "step", "steps", "loss", "images_per_second"]))
            }
        }

        private func evaluation(_ path: String, _ more: String...) throws -> [String: Double] {
            let outcome = try success(of: Program(["evaluate", path, "--json"] + more))
            let values = try #require(try outcome.json() as? [String: Any], "\(outcome)")
            let classes = try #require(values["per_class"] as? [[String: Any]])
            #expect(classes.count == (values["confusion"] as? [[Int]])?.count)
            return values.compactMapValues { $0 as? Double }
        }

        @Test("evaluate finds what the run measured, of the last and of the best checkpoint")
        func evaluate() throws {
            let rows = try lines("metrics.jsonl").map(object)
            let accuracies = rows.compactMap { $0["test_accuracy"] as? Double }
            let last = try evaluation(run.last)
            #expect(last["accuracy"] == accuracies.last)
            #expect(last["loss"] == rows.last?["test_loss"] as? Double)
            #expect(last["top5_accuracy"] == rows.last?["test_top5_accuracy"] as? Double)
            #expect(try evaluation(run.path)["accuracy"] == accuracies.max())
            #expect(
                Set(last.keys) == [
                    "images", "loss", "accuracy", "top5_accuracy", "images_per_second", "balanced_accuracy",
                    "macro_f1", "calibration_error",
                ])
            #expect(last["images"] == 32)
        }

        @Test("The reference executor agrees with the device to 1e-4")
        func reference() throws {
            let loss = try #require(try evaluation(run.last, "--limit-test", "8")["loss"])
            let expected = try #require(
                try evaluation(run.last, "--limit-test", "8", "--device", "reference")["loss"])
            #expect(abs(loss - expected) <= 1e-4 * expected)
        }

        @Test("--predictions has a header and a row an image, and gives the same accuracy")
        func predictions() throws {
            let folder = try Folder()
            let result = try evaluation(run.last, "--predictions", folder / "p.csv")
            let rows = folder.lines(of: "p.csv").map { $0.split(separator: ",") }
            let header = ["index", "label", "predicted"] + (0..<10).map { "logit_\($0)" }
            #expect(rows.first?.map(String.init) == header)
            #expect(rows.dropFirst().map { Int($0[0]) } == Array(0..<32))
            let right = rows.dropFirst().count { $0[1] == $0[2] }
            #expect(Double(right) / 32 == result["accuracy"])
        }

        @Test("Predictions that cannot be written are exit 74")
        func unwritablePredictions() throws {
            try expectRefusal(
                74, "p.csv", by: Program("evaluate", run.last, "--predictions", run.last + "/p.csv"))
        }

        @Test("A folder that holds a run is refused, and replaced with --overwrite")
        func overwrite() throws {
            let folder = try run.copy()
            try expectRefusal(64, "holds a run already", by: Runs.training("--out", folder / "run"))
            #expect(try folder.lastWeights == run.folder.lastWeights)
            try success(
                of: Runs.training("--out", folder / "run", "--overwrite", "--seed", "7", "--epochs", "1"))
            #expect(folder.epochsDone == 1)
            #expect(try folder.lastWeights != run.folder.lastWeights, "another seed gave the same weights")
        }

        @Test("A folder that cannot be written is exit 74")
        func unwritable() throws {
            try expectRefusal(74, "cannot write", by: Runs.training("--out", run.last + "/run"))
            try expectRefusal(74, "/proc/", by: Runs.training("--out", "/proc/resin"))
        }

        @Test("Without --out a run goes to the first free runs/NETWORK-N of the working folder")
        func numberedFolders() throws {
            let folder = try Folder()
            try folder.write("", to: "runs/nin-1/something")
            var program = Runs.training("--epochs", "1", "--progress", "none")
            program.folder = folder.path
            let outcome = try success(of: program)
            #expect(outcome.errors.isEmpty, "\(outcome)")
            #expect(folder.holds("runs/nin-2/last.safetensors"))
        }

        @Test("--resume needs a folder that holds a run")
        func resumeNothing() throws {
            try expectRefusal(66, "holds no run", by: Runs.training("--resume", run.folder / "nowhere"))
            try expectRefusal(66, "holds no run", by: Runs.training("--resume", "/proc/self"))
        }

        @Test(
            "--resume with a changed option names it",
            arguments: [
                ("--batch", "32", "batch (16 there, 32 now)"), ("--lr", "0.5", "optimizer.lr"),
                ("--seed", "7", "seed (42 there, 7 now)"), ("--limit", "32", "limit (256 there, 32 now)"),
                ("--epochs", "9", "epochs (2 there, 9 now)"), ("--init", "kaiming", "init (xavier there"),
                ("--resize", "96", "input"),
            ])
        func resumeChanged(option: String, value: String, words: String) throws {
            try expectRefusal(64, words, by: Program("train", "--resume", run.path, option, value))
        }

        @Test("--resume with the same options changes nothing in a run that is over")
        func resumeSame() throws {
            let folder = try run.copy()
            try success(of: Runs.training("--resume", folder / "run"))
            #expect(try folder.lastWeights == run.folder.lastWeights)
            #expect(folder.epochsDone == 2)
        }

        @Test("--patience ends a run that gets no better, resumed or not")
        func patience() throws {
            let folder = try Folder()
            // Weights do not move by so little, so that no epoch is better than the first.
            try success(
                of: Runs.training(
                    "--out", folder / "run", "--epochs", "9", "--optimizer", "sgd", "--lr", "1e-30",
                    "--schedule", "constant", "--patience", "2"))
            #expect(folder.epochsDone == 3)
            let end = "stopped after epoch 3: no better test accuracy since epoch 1 (--patience 2)"
            #expect(folder.text("run/log.txt")?.contains(end) == true)
            try success(of: Program("train", "--resume", folder / "run"))
            #expect(folder.epochsDone == 3)
            try success(of: Program("train", "--resume", folder / "run", "--patience", "3"))
            #expect(folder.epochsDone == 4)
        }

        @Test("Label smoothing is part of the configuration, and no matter of the test loss")
        func labelSmoothing() throws {
            let folder = try Folder()
            let program = Runs.training(
                "--out", folder / "run", "--label-smoothing", "0.1", "--epochs", "1", "--optimizer", "sgd",
                "--lr", "1e-30")
            try success(of: program)
            let row = try object(folder.lines(of: "run/metrics.jsonl")[0])
            let plain = try Folder()
            try success(
                of: Runs.training(
                    "--out", plain / "run", "--label-smoothing", "0", "--epochs", "1", "--optimizer", "sgd",
                    "--lr", "1e-30"))
            let plainRow = try object(plain.lines(of: "run/metrics.jsonl")[0])
            #expect(row["test_loss"] as? Double == plainRow["test_loss"] as? Double)
            #expect(row["train_loss"] as? Double != plainRow["train_loss"] as? Double)
            try expectRefusal(
                64, "label_smoothing (0.1",
                by: Program("train", "--resume", folder / "run", "--label-smoothing", "0"))
        }

        @Test("The same seed gives the same bytes again")
        func sameSeed() throws {
            let folder = try Folder()
            try success(of: Runs.training("--out", folder / "run"))
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test("A full disk while saving is exit 74, and the checkpoint before it still loads")
        func fullDisk() throws {
            let folder = try Folder()
            try success(of: Runs.training("--out", folder / "run", "--schedule", "constant"))
            let before = try folder.lastWeights
            var program = Program("train", "--resume", folder / "run", "--epochs", "3")
            program.fileSizeLimit = 2000
            try expectRefusal(74, "cannot write", ".safetensors", by: program)
            #expect(try folder.lastWeights == before)
            program.fileSizeLimit = nil
            try success(of: program)
            #expect(folder.epochsDone == 3)
        }

        @Test("A full disk behind standard error stops no training")
        func fullStandardError() throws {
            let folder = try Folder()
            var program = Runs.training("--out", folder / "run", "--epochs", "1")
            program.errorPath = "/dev/full"
            try success(of: program)
        }

        @Test(
            "A full disk behind standard output is exit 74",
            arguments: [["networks"], ["networks", "--json"], ["--help"]])
        func fullStandardOutput(arguments: [String]) throws {
            var program = Program(arguments)
            program.outputPath = "/dev/full"
            try expectRefusal(74, "standard output", by: program)
        }
    }
}
