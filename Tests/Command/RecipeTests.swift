import Foundation
import Testing

extension CommandTests {
    @Suite struct Recipes {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func training(_ json: String, _ more: String...) throws -> Program {
            try folder.write(json, to: "recipe.json")
            return Program(["train", "--config", folder / "recipe.json"] + more)
        }

        private static let small = """
            "network": "nin", "resize": 67, "limit": 32, "limit_test": 16, "batch": 16, "epochs": 1
            """

        private func configuration() throws -> [String: Any] {
            let data = Data(try #require(folder.text("run/config.json")).utf8)
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }

        @Test("A recipe trains as its options on the command line would")
        func same() throws {
            try success(
                of: training(
                    """
                    {\(Self.small), "optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": true,
                     "mean": [0.25], "std": [0.5], "augment": ["crop", "flip"], "final_relu": true,
                     "schedule": "constant", "init": "kaiming", "label_smoothing": 0.1, "patience": 3,
                     "seed": 18446744073709551615, "progress": "none"}
                    """, "--out", folder / "run"))
            let other = try Folder()
            try success(
                of: Program(
                    "train", "nin", "--resize", "67", "--limit", "32", "--limit-test", "16", "--batch", "16",
                    "--epochs", "1", "--optimizer", "sgd", "--lr", "0.05", "--momentum", "0.9", "--nesterov",
                    "--mean", "0.25", "--std", "0.5", "--augment", "crop,flip", "--final-relu", "--schedule",
                    "constant", "--init", "kaiming", "--label-smoothing", "0.1", "--patience", "3", "--seed",
                    "18446744073709551615", "--out", other / "run"))
            #expect(folder.text("run/config.json") == other.text("run/config.json"))
            #expect(try folder.lastWeights == other.lastWeights)
        }

        @Test("An option on the command line wins over the file")
        func commandLineWins() throws {
            try success(
                of: training(
                    "{\(Self.small), \"seed\": 1, \"nesterov\": true, \"momentum\": 0.9, \"optimizer\": \"sgd\"}",
                    "--seed", "7", "--batch", "8", "--no-nesterov", "--out", folder / "run"))
            let configuration = try configuration()
            #expect(configuration["seed"] as? Int == 7)
            #expect(configuration["batch"] as? Int == 8)
            let optimizer = try #require(configuration["optimizer"] as? [String: Any])
            #expect(optimizer["nesterov"] as? Bool == false)
        }

        @Test("A file that is not there is exit 66")
        func missing() throws {
            try expectRefusal(66, "nowhere.json", by: Program("train", "--config", folder / "nowhere.json"))
        }

        @Test(
            "What is no recipe is exit 65", arguments: ["", "{", "[1]", "7", #"{"batch": }"#])
        func malformed(json: String) throws { try expectRefusal(65, "recipe.json", by: training(json)) }

        @Test("An unknown key is exit 65 with the one that was meant and all others")
        func unknownKey() throws {
            try expectRefusal(
                65, "'epoch'", "did you mean 'epochs'", "weight_decay",
                by: training(#"{"network": "nin", "epoch": 3}"#))
        }

        @Test(
            "A value of another type is exit 65 with its key and what it must be",
            arguments: [
                (#""batch": "many""#, "'batch' must be a whole number"),
                (#""batch": 1.5"#, "'batch' must be a whole number"),
                (#""batch": true"#, "'batch' must be a whole number"),
                (#""batch": null"#, "'batch' must be a whole number"),
                (#""lr": "0.1""#, "'lr' must be a number"), (#""seed": -1"#, "'seed' must be"),
                (#""nesterov": 1"#, "'nesterov' must be true or false"),
                (#""optimizer": "adamax""#, #"'optimizer' must be one of "sgd", "adam", "adamw""#),
                (#""mean": 0.5"#, "'mean' must be a list, each of which is a number"),
                (#""network": 7"#, "'network' must be text"),
            ])
        func wrongType(member: String, words: String) throws {
            try expectRefusal(65, "recipe.json", words, by: training("{\(member)}"))
        }

        @Test("A recipe without a network needs one on the command line")
        func noNetwork() throws {
            try expectRefusal(64, "name a network", by: training(#"{"epochs": 3}"#))
        }

        /// The repository's recipes, beside this file's folder.
        private static let files: [String] = {
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().path
            let folder = root + "/Examples/recipes"
            return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
                .map { folder + "/" + $0 }
        }()

        @Test("There is a recipe for each row of the table")
        func count() { #expect(Self.files.count == 12) }

        /// Recipes of networks and options that come with the rest of the family; the set is to become empty.
        private static let awaited: Set = [
            "densenet-96", "googlenet-96", "inception-mnist", "lenet", "nin-96-small", "residual-mnist",
            "residual-mnist-constant-scaling", "residual-mnist-conv",
        ]

        /// A device that does not exist is asked for last: all before it was right.
        @Test("Every recipe of the repository is one", arguments: files)
        func ofTheRepository(path: String) throws {
            let program = Program("train", "--config", path, "--data", "glyphs", "--device", "none")
            let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
            if Self.awaited.contains(name) {
                try withKnownIssue("its network is not there yet") {
                    try expectRefusal(69, "'none'", by: program)
                }
            } else {
                try expectRefusal(69, "'none'", by: program)
            }
        }
    }
}
