import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Images of several classes or of none, from a table.
    @Suite struct SeveralLabels {
        let folder: Folder

        /// A bright left half, a bright upper half, both, or neither.
        init() throws {
            folder = try Folder()
            var rows: [String] = []
            for kind in 0..<4 {
                for index in 0..<12 {
                    let samples = (0..<256).map { place in
                        let isBright = (kind & 1 > 0 && place % 16 < 8) || (kind & 2 > 0 && place / 16 < 8)
                        return UInt8((isBright ? 170 : 10) + (place * 7 + index * 13) % 60)
                    }
                    try folder.write(
                        png(width: 16, height: 16, colourType: 0, samples: samples),
                        to: "set/\(kind)-\(index).png")
                    let labels = (kind & 1 > 0 ? ["left"] : []) + (kind & 2 > 0 ? ["upper"] : [])
                    rows.append(
                        "\(kind)-\(index).png," + (labels + ["", ""]).prefix(2).joined(separator: ","))
                }
            }
            try folder.write("path,label1,label2\n" + rows.joined(separator: "\n") + "\n", to: "set/t.csv")
        }

        private func training(_ more: String..., table: String = "set/t.csv") -> Program {
            Program(
                [
                    "train", "lenet", "--data", folder / table, "--resize", "28", "--split", "0.25", "--out",
                    folder / "run",
                ] + more)
        }

        @Test("They train by binary cross-entropy, and are evaluated, predicted and resumed as what they are")
        func binary() throws {
            let outcome = try success(
                of: training(
                    "--loss", "binary", "--optimizer", "adam", "--lr", "0.003", "--epochs", "20", "--batch",
                    "12"))
            #expect(outcome.output.contains("test accuracy"))
            let values = try #require(
                try success(
                    of: Program("evaluate", folder / "run", "--json", "--predictions", folder / "p.csv")
                )
                .json() as? [String: Any])
            #expect(values["images"] as? Int == 12)
            let several = try #require(values["multi_label"] as? [String: Any])
            let precision = try #require(several["mean_average_precision"] as? Double)
            // Chance is a half.
            #expect(precision > 0.9)
            #expect(values["confusion"] is NSNull && values["balanced_accuracy"] is NSNull)
            let classes = try #require(values["per_class"] as? [[String: Any]])
            #expect(classes.map { $0["class"] as? String } == ["left", "upper"])
            let rows = folder.lines(of: "p.csv")
            #expect(rows.count == 13)
            for row in rows.dropFirst() {
                let kind = try #require(row.first?.wholeNumberValue)
                #expect(row.contains(".png,\(["", "0", "1", "0;1"][kind]),"), "\(row)")
            }
            // Both may be likely, or neither. The last weights have learnt for longer than the first of equal accuracy.
            let predicted = try success(
                of: Program(
                    "predict", folder / "run/last.safetensors", folder / "set/3-0.png",
                    folder / "set/0-0.png", "--json")
            ).json()
            let sums = try #require(predicted as? [[String: Any]]).map { image in
                ((image["predictions"] as? [[String: Any]]) ?? []).reduce(0) {
                    $0 + (($1["probability"] as? Double) ?? .nan)
                }
            }
            #expect(sums[0] > 1.2 && sums[1] < 0.8, "\(sums)")
            // A file that lies alone knows its loss.
            try FileManager.default.copyItem(
                atPath: folder / "run/best.safetensors", toPath: folder / "alone.safetensors")
            #expect(
                try success(of: Program("predict", folder / "alone.safetensors", folder / "set/3-0.png"))
                    .output
                    == success(of: Program("predict", folder / "run", folder / "set/3-0.png")).output)
            // Options say the same of a file that does not.
            let bare = [
                "--network", "lenet", "--data", folder / "set/t.csv", "--split", "0.25", "--loss", "binary",
                "--json",
            ]
            let again = try success(of: Program(["evaluate", folder / "alone.safetensors"] + bare)).json()
            let found = try #require((again as? [String: Any])?["multi_label"] as? [String: Any])
            #expect((found["mean_average_precision"] as? Double ?? 0) > 0.9)
            try expectRefusal(
                64, "--loss", "--network", by: Program("evaluate", folder / "run", "--loss", "binary"))
            let report = try #require(folder.text("run/report.html"))
            for words in ["Mean average precision", "average precision", "as the network saw them"] {
                #expect(report.contains(words), "\(words)")
            }
            #expect(!report.contains("<h2>Confusions"))

            try success(
                of: training("--overwrite", "--loss", "binary", "--epochs", "1", "--batch", "12"))
            try success(of: Program("train", "--resume", folder / "run", "--epochs", "2"))
            let resumed = try folder.bytes(of: "run/last.safetensors")
            try success(of: training("--overwrite", "--loss", "binary", "--epochs", "2", "--batch", "12"))
            #expect(try folder.bytes(of: "run/last.safetensors") == resumed)
        }

        @Test("Weights, the focal form, mixing and validation go with them")
        func choices() throws {
            try success(
                of: training(
                    "--loss", "binary", "--epochs", "1", "--batch", "12", "--focal", "2,0.25",
                    "--class-weights", "balanced", "--augment", "crop,flip,mixup", "--validation", "0.2"))
            let configuration = try #require(folder.text("run/config.json"))
            for words in ["\"gamma\" : 2", "\"alpha\" : 0.25", "\"loss\" : \"binary\"", "\"label_sets\" : 4"]
            {
                #expect(configuration.contains(words), "\(words)")
            }
            // A class an image is a set of classes as any other.
            try folder.write("0-0.png,a\n0-1.png,b\n0-2.png,a\n0-3.png,b\n", to: "set/one.csv")
            try success(
                of: training(
                    "--overwrite", "--loss", "binary", "--epochs", "1", "--batch", "2", table: "set/one.csv"))
        }

        @Test("What does not go with them is refused")
        func refusals() throws {
            try expectRefusal(64, "--loss binary", "one label", by: training())
            try expectRefusal(
                64, "--class-weights balanced", by: training("--loss", "binary", "--sampler", "balanced"))
            try expectRefusal(64, "--focal", by: training("--loss", "binary", "--focal", "x"))
            try expectRefusal(64, "--focal", by: training("--loss", "binary", "--focal", "-1"))
            try expectRefusal(64, "--focal", "--loss binary", by: training("--focal", "2"))
            try expectRefusal(
                64, "--label-smoothing", by: training("--loss", "binary", "--label-smoothing", "0.1"))
            try expectRefusal(64, "--loss", by: training("--loss", "hinge"))
            try folder.write("0-0.png,a\n0-1.png,\n", to: "set/none.csv")
            try expectRefusal(
                65, "none.csv", "line 2", "no label", by: training("--loss", "binary", table: "set/none.csv"))
            let found = try success(of: Program("datasets", "check", folder / "set/t.csv", "--json")).json()
            let check = try #require(found as? [String: Any])
            #expect(check["images"] as? Int == 48)
            let classes = try #require(check["classes"] as? [[String: Any]])
            #expect(classes.map { ($0["images"] as? [String: Int])?["train"] } == [24, 24])
        }
    }
}
