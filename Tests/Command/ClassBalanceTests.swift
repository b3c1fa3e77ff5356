import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Classes of which one has many images and another few.
    @Suite struct ClassBalance {
        let folder: Folder

        init() throws {
            folder = try Folder()
            for (kind, bytes, count) in [("many", colourJPEG, 12), ("few", greyJPEG, 4)] {
                for index in 0..<count + 2 {
                    try folder.write(
                        bytes, to: "set/\(index < count ? "train" : "test")/\(kind)/\(index).jpg")
                }
            }
        }

        private func training(_ more: String...) -> Program {
            Program(["train", "lenet", "--data", folder / "set", "--resize", "28", "--epochs", "2"] + more)
        }

        @Test("Weights of classes, a balanced sampler and the batch that fits are kept in the configuration")
        func choices() throws {
            let outcome = try success(
                of: training(
                    "--class-weights", "balanced", "--sampler", "balanced", "--batch", "auto", "--out",
                    folder / "run"))
            // Of 16 images.
            #expect(outcome.errors.contains("--batch auto is 16 here"))
            let configuration = try #require(folder.text("run/config.json"))
            for words in ["\"batch\" : 16", "\"sampler\" : \"balanced\"", "2,\n    0.666666"] {
                #expect(configuration.contains(words), "\(configuration)")
            }
            try success(of: Program("evaluate", folder / "run"))
            let cut = try success(of: training("--batch", "auto", "--shards", "3", "--out", folder / "cut"))
            #expect(cut.errors.contains("--batch auto is 12 here"))
            // 0.1 · 12 / 256
            #expect(folder.text("cut/config.json")?.contains("0.0046875") == true)
            try expectRefusal(
                64, "sampler (balanced there, shuffle now)",
                by: Program("train", "--resume", folder / "run", "--sampler", "shuffle"))
            try expectRefusal(
                64, "keeps its class weights",
                by: Program("train", "--resume", folder / "run", "--batch", "auto"))
        }

        @Test("A table of class weights that does not fit the classes is refused with its line")
        func tables() throws {
            func refusal(_ table: String, _ words: String...) throws {
                try folder.write(Array(table.utf8), to: "weights.csv")
                let program = training("--class-weights", folder / "weights.csv")
                for word in words { try expectRefusal(65, "weights.csv", word, by: program) }
            }
            try refusal("class,weight\nmany,1\n", "no weight for few")
            try refusal("many,1\nfew,2\ndog,3\n", "line 3", "'dog'", "few, many")
            try refusal("many,1\nmany,2\n", "line 2")
            try refusal("many,1\nfew,x\n", "line 2", "'few,x'")
            try folder.write(Array("many,1\nfew,-1\n".utf8), to: "weights.csv")
            try expectRefusal(64, "--class-weights", by: training("--class-weights", folder / "weights.csv"))
            try expectRefusal(64, "mixup", by: training("--class-weights", "balanced", "--augment", "mixup"))
            try expectRefusal(66, "none.csv", by: training("--class-weights", folder / "none.csv"))
            try folder.write(Array("few,3\r\n\"many\",1\r\n".utf8), to: "weights.csv")
            try success(of: training("--class-weights", folder / "weights.csv", "--out", folder / "run"))
        }
    }
}
