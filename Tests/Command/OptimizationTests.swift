import Foundation
import ResinTraining
import Testing

extension CommandTests {
    /// Optimizers, rates by layer, schedules and averages by their options.
    @Suite struct Optimization {
        private static let options = [
            "train", "lenet", "--limit", "128", "--limit-test", "32", "--batch", "32", "--progress", "none",
            "--optimizer", "lamb", "--lr", "0.02", "--head-lr", "0.05", "--layer-decay", "0.75", "--decay",
            "filters", "--ema", "0.8", "--schedule", "multistep", "--milestones", "1,2", "--warmup-steps",
            "3",
        ]

        @Test("A run that is prolonged ends like one that was as long from the start")
        func prolonged() throws {
            let (whole, parts) = (try Folder(), try Folder())
            try success(of: Program(Self.options + ["--epochs", "3", "--out", whole / "run"]))
            try success(of: Program(Self.options + ["--epochs", "1", "--out", parts / "run"]))
            try success(
                of: Program("train", "--resume", parts / "run", "--epochs", "3", "--progress", "none"))
            for name in ["last.safetensors", "last.optimizer.safetensors", "best.safetensors", "config.json"]
            {
                #expect(try parts.bytes(of: "run/\(name)") == whole.bytes(of: "run/\(name)"), "\(name)")
            }
        }

        @Test("The averaged weights are evaluated, said, and the best ones; evaluate gives their accuracy")
        func averages() throws {
            let folder = try Folder()
            try success(of: Program(Self.options + ["--epochs", "2", "--out", folder / "run"]))
            let log = try #require(folder.text("run/log.txt"))
            #expect(log.contains("best.safetensors is of the weights averaged over steps (--ema 0.8)"))
            let epochs = try MetricsFiles(folder: folder / "run").read()
            let averaged = try epochs.map { try #require($0.averagedTestAccuracy) }
            #expect(epochs.allSatisfy { $0.averagedTestLoss != nil && $0.averagedTestLoss != $0.testLoss })
            #expect(folder.text("run/report.html")?.contains(", of the averaged weights") == true)
            let best = try Safetensors(contentsOf: folder / "run/best.safetensors")
            #expect(best.metadata["ema"] == "0.8")
            let outcome = try success(
                of: Program(
                    "evaluate", folder / "run/best.safetensors", "--network", "lenet", "--data", "glyphs",
                    "--limit-test", "32", "--json"))
            let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
            let accuracy = try #require(object?["accuracy"] as? Double)
            #expect(abs(accuracy - averaged.max()!) < 1e-9)
        }

        @Test("A checkpoint without averages, or with ones that no training makes, is refused")
        func damaged() throws {
            let folder = try Folder()
            try success(
                of: Program(Self.options + ["--epochs", "1", "--keep", "1", "--out", folder / "run"]))
            let path = folder / "run/last.optimizer.safetensors"
            let file = try Safetensors(contentsOf: path)
            let name = try #require(file.entries.first { $0.name.hasPrefix("ema.") }?.name)
            var changed = file
            changed.entries.removeAll { $0.name == name }
            try changed.write(to: path)
            let resumed = Program("train", "--resume", folder / "run", "--epochs", "2")
            try expectRefusal(65, "tensor '\(name)'", "was made without --ema", by: resumed)
        }
    }
}
