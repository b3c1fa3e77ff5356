import Foundation
import Testing

extension CommandTests {
    @Suite struct TensorBoard {
        let folder: Folder

        init() throws { folder = try Folder() }

        private static let small = [
            "train", "lenet", "--limit", "128", "--limit-test", "32", "--batch", "32", "--epochs", "1",
            "--progress", "none",
        ]

        private func eventFiles(_ name: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder / name)) ?? [])
                .filter { $0.hasPrefix("events.out.tfevents.") }.sorted()
        }

        @Test("The folder is made, told in the log, and no part of the configuration")
        func written() throws {
            try success(of: Program(Self.small + ["--out", folder / "plain"]))
            try success(
                of: Program(
                    Self.small + [
                        "--out", folder / "run", "--tensorboard", folder / "a/b", "--tensorboard-histograms",
                    ]))
            let name = try #require(eventFiles("a/b").first)
            #expect(folder.text("run/log.txt")?.contains(folder / "a/b/" + name) == true)
            for file in ["config.json", "last.safetensors"] {
                #expect(try folder.bytes(of: "run/" + file) == folder.bytes(of: "plain/" + file))
            }
            let bytes = try Data(folder.bytes(of: "a/b/" + name))
            for tag in ["train/loss", "test/top5_accuracy", "mistakes/01", "parameters/"] {
                #expect(bytes.range(of: Data(tag.utf8)) != nil, "\(tag)")
            }
        }

        @Test("A recipe may name the folder, which may be the run's; a resumed run begins a second file")
        func recipe() throws {
            try folder.write(
                """
                {"network": "lenet", "limit": 128, "limit_test": 32, "batch": 32, "epochs": 1,
                 "schedule": "constant", "progress": "none", "tensorboard": "\(folder / "run")"}
                """, to: "recipe.json")
            try success(of: Program("train", "--config", folder / "recipe.json", "--out", folder / "run"))
            #expect(eventFiles("run").count == 1)
            try success(
                of: Program(
                    "train", "--resume", folder / "run", "--epochs", "2", "--progress", "none",
                    "--tensorboard", folder / "run"))
            #expect(eventFiles("run").count == 2)
            #expect(folder.epochsDone == 2)
            // Without the option there is none.
            try success(
                of: Program("train", "--resume", folder / "run", "--epochs", "3", "--progress", "none"))
            #expect(eventFiles("run").count == 2)
        }

        @Test("What cannot be written is exit 74 before anything is trained, and no run's folder is left")
        func unwritable() throws {
            try folder.write("", to: "file")
            for place in [folder / "file", folder / "file/events", "/proc/resin-events"] {
                try expectRefusal(
                    74, place, by: Program(Self.small + ["--out", folder / "run", "--tensorboard", place]))
                #expect(!folder.holds("run"))
            }
        }

        @Test("Options that would do nothing are refused")
        func useless() throws {
            try expectRefusal(
                64, "--tensorboard writes", by: Program(Self.small + ["--tensorboard-histograms"]))
            try expectRefusal(64, "--tensorboard is empty", by: Program(Self.small + ["--tensorboard", ""]))
            try expectRefusal(
                64, "--tensorboard", by: Program("lr-range", "lenet", "--tensorboard", folder / "events"))
            try folder.write(
                #"{"network": "lenet", "tensorboard_histograms": true}"#, to: "recipe.json")
            try expectRefusal(
                65, "recipe.json", by: Program("train", "--config", folder / "recipe.json"))
            try folder.write(#"{"network": "lenet", "tensorboard": 7}"#, to: "recipe.json")
            try expectRefusal(
                65, "'tensorboard' must be text", by: Program("train", "--config", folder / "recipe.json"))
        }
    }
}
