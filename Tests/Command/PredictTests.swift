import Foundation
import ResinDataset
import ResinFixtures
import ResinTraining
import Testing

extension CommandTests {
    /// An image folder of two classes, dark and bright, of sizes that differ, and a network trained on it.
    @Suite struct Images {
        static let folder = Result { try make() }

        static func make() throws -> Folder {
            let folder = try Folder()
            // What a static property holds is never released.
            atexit {
                if let folder = try? Images.folder.get() {
                    try? FileManager.default.removeItem(atPath: folder.path)
                }
            }
            for split in ["train", "test"] {
                for index in 0..<6 {
                    let size = 8 + index
                    func image(_ base: Int) -> [UInt8] {
                        png(
                            width: size, height: 9, colourType: 0,
                            samples: (0..<size * 9).map { UInt8(base + ($0 * 7 + index) % 50) })
                    }
                    try folder.write(image(0), to: "images/\(split)/dark/\(index).png")
                    try folder.write(image(200), to: "images/\(split)/bright ones/\(index).png")
                }
            }
            try success(of: training(folder, "--out", folder / "run"))
            return folder
        }

        static func training(_ folder: Folder, _ more: String...) -> Program {
            Program(
                [
                    "train", "resnet18", "--data", folder / "images", "--resize", "32", "--batch", "4",
                    "--epochs", "1", "--lr", "0.01",
                ] + more)
        }

        let folder: Folder

        init() throws { folder = try Self.folder.get() }

        private func predictions(_ more: String...) throws -> [[String: Any]] { try predictions(more) }

        private func predictions(_ more: [String]) throws -> [[String: Any]] {
            let outcome = try success(of: Program(["predict"] + more + ["--json"]))
            return try #require(try outcome.json() as? [[String: Any]], "\(outcome)")
        }

        /// The probabilities by class index.
        private func probabilities(_ row: [String: Any]) throws -> [Double] {
            let classes = try #require(row["predictions"] as? [[String: Any]])
            return try classes.sorted { ($0["index"] as! Int) < ($1["index"] as! Int) }
                .map { try #require($0["probability"] as? Double) }
        }

        @Test("The run keeps classes and size of the images, and the path of their folder")
        func configuration() throws {
            let text = try #require(folder.text("run/config.json"))
            let saved = try #require(
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            #expect(saved["class_names"] as? [String] == ["bright ones", "dark"])
            #expect(saved["image_size"] as? [Int] == [32, 32])
            #expect(saved["data"] as? String == folder / "images")
            let weights = try Safetensors(contentsOf: folder / "run/last.safetensors")
            #expect(try weights.classNames(from: "last") == ["bright ones", "dark"])
        }

        @Test("predict gives the softmax of what evaluate gives for the same images")
        func agreement() throws {
            try success(
                of: Program("evaluate", folder / "run", "--predictions", folder / "evaluated.csv"))
            let rows = folder.lines(of: "evaluated.csv").dropFirst()
                .map { $0.split(separator: ",") }
            #expect(rows.map { $0[1] } == ["0", "1", "0", "1", "0", "1", "0", "1", "0", "1", "0", "1"])
            let files = rows.map { folder / "images/\($0[0])" }
            let outcome = try success(
                of: Program(["predict", folder / "run", "--json"] + files))
            let predicted = try #require(try outcome.json() as? [[String: Any]])
            #expect(predicted.map { $0["file"] as? String } == files)
            for (row, prediction) in zip(rows, predicted) {
                let logits = row[4...].map { Double($0)! }
                let largest = logits.max()!
                let powers = logits.map { exp($0 - largest) }
                let sum = powers.reduce(0, +)
                for (power, probability) in zip(powers, try probabilities(prediction)) {
                    #expect(abs(power / sum - probability) < 1e-6)
                }
                #expect(abs(Double(row[3])! - 1 / sum) < 1e-6)
            }
        }

        @Test("A line an image, the likeliest class first; --top says how many")
        func text() throws {
            let file = folder / "images/test/dark/0.png"
            let line = try success(of: Program("predict", folder / "run/last.safetensors", file)).output
            #expect(line.hasPrefix(file + ": "))
            let shares = line.dropFirst(file.count + 2).split(separator: ",")
                .map { Double($0.split(separator: " ").dropLast().last!)! }
            #expect(shares.count == 2 && shares[0] >= shares[1])
            #expect(abs(shares.reduce(0, +) - 100) < 0.15)
            let first = try success(of: Program("predict", folder / "run", file, "--top", "1")).output
            #expect(first.split(separator: ",").count == 1)
        }

        @Test(
            "Colour, JPEG and other sizes are brought to what the network takes, device and reference agree")
        func anyImage() throws {
            try folder.write(greyJPEG, to: "grey.jpg")
            try folder.write(colourJPEG, to: "colour.jpg")
            let files = [folder / "grey.jpg", folder / "colour.jpg"]
            let rows = try predictions(folder / "run", files[0], files[1])
            let expected = try predictions(folder / "run", files[0], files[1], "--device", "reference")
            for (row, other) in zip(rows, expected) {
                let (here, there) = (try probabilities(row), try probabilities(other))
                #expect(abs(here.reduce(0, +) - 1) < 1e-9)
                for (one, two) in zip(here, there) { #expect(abs(one - two) < 1e-4) }
            }
        }

        @Test("A file of weights from elsewhere needs --network and --data, and then says the same")
        func bare() throws {
            // A run's own say what they are of.
            var weights = try Safetensors(contentsOf: folder / "run/best.safetensors")
            weights.metadata = [:]
            try weights.write(to: folder / "bare.safetensors")
            let file = folder / "images/test/dark/3.png"
            try expectRefusal(
                64, "--network", by: Program("predict", folder / "bare.safetensors", file))
            try expectRefusal(
                64, "--data",
                by: Program("predict", folder / "bare.safetensors", file, "--network", "resnet18"))
            let bare = try predictions(
                folder / "bare.safetensors", file, "--network", "resnet18", "--data", folder / "images",
                "--input", "1x32x32")
            let run = try predictions(folder / "run", file)
            for (one, two) in zip(try probabilities(bare[0]), try probabilities(run[0])) {
                #expect(abs(one - two) < 1e-6)
            }
        }

        @Test("An image that is missing or damaged is named; --data does not go with a run")
        func errors() throws {
            let good = folder / "images/test/dark/0.png"
            let alone = try success(of: Program("predict", folder / "run", good)).output
            try folder.write(Array(greyJPEG.dropLast(30)), to: "cut.jpg")
            // The others are predicted all the same.
            for (code, name) in [(Int32(66), "nothing.png"), (65, folder / "cut.jpg")] {
                let outcome = try Program("predict", folder / "run", good, name).run()
                #expect(outcome.code == code && outcome.output == alone, "\(outcome)")
                #expect(outcome.errors.contains(name) && outcome.errors.contains("1 of 2"), "\(outcome)")
            }
            try expectRefusal(64, "image", by: Program("predict", folder / "run"))
            try expectRefusal(64, "--data", by: Program("predict", folder / "run", good, "--data", "mnist"))
            try expectRefusal(64, "--top", by: Program("predict", folder / "run", good, "--top", "0"))
        }

        @Test("--heatmap writes a picture of the network's size for each, whose name has the class")
        func heatmaps() throws {
            let files = (0..<2).map { folder / "images/test/dark/\($0).png" }
            let maps = folder / "maps"
            let rows = try predictions([folder / "run"] + files + ["--heatmap", maps])
            let names = try FileManager.default.contentsOfDirectory(atPath: maps).sorted()
            let classes = try rows.map { row in
                let classes = try #require(row["predictions"] as? [[String: Any]])
                return try #require(classes[0]["class"] as? String)
            }
            #expect(names == [0, 1].map { "\($0).png.\(classes[$0]).png" })
            for name in names {
                let picture = try RasterImage(contentsOf: maps + "/" + name)
                #expect((picture.height, picture.width, picture.channels) == (32, 32, 3))
            }
            // Two files of one name do not write over each other.
            let other = folder / "images/test/bright ones/0.png"
            _ = try predictions([folder / "run", other, files[0], "--heatmap", folder / "both"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder / "both").count == 2)
            try expectRefusal(
                64, "layers are", "4.1.relu2",
                by: Program(["predict", folder / "run", "--heatmap", maps, "--heatmap-layer", "x"] + files))
            try expectRefusal(
                64, "--heatmap", by: Program(["predict", folder / "run", "--heatmap-layer", "x"] + files))
            try expectRefusal(
                64, "file", by: Program(["predict", folder / "run", "--heatmap", files[0]] + files))
        }

        @Test("--features writes a row of a layer's values a picture; an unknown layer lists those there are")
        func features() throws {
            let files = (0..<3).map { folder / "images/test/dark/\($0).png" }
            let csv = folder / "features.csv"
            let unknown = try Program("predict", folder / "run", files[0], "--features", "x", "--csv", csv)
                .run()
            #expect(unknown.code == 64 && !folder.holds("features.csv"), "\(unknown)")
            // The one before the classifier, which comes last.
            let layers = unknown.errors.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            let layer = try #require(layers.dropLast().last)
            try success(of: Program(["predict", folder / "run", "--features", layer, "--csv", csv] + files))
            let rows = folder.lines(of: "features.csv").map { $0.split(separator: ",") }
            #expect(rows.count == 4 && rows.allSatisfy { $0.count == 513 })
            #expect(rows.dropFirst().map { String($0[0]) } == files)
            #expect(
                rows.dropFirst().allSatisfy { $0.dropFirst().allSatisfy { Double($0)?.isFinite == true } })
            try expectRefusal(
                64, "--csv", by: Program("predict", folder / "run", files[0], "--features", layer))
        }

        /// A copy of the folder, for tests that change it.
        private func copy() throws -> Folder {
            let copy = try Folder()
            try FileManager.default.copyItem(atPath: folder / "images", toPath: copy / "images")
            return copy
        }

        @Test("A damaged image ends the training before it begins")
        func damaged() throws {
            let copy = try copy()
            try copy.write([1, 2, 3], to: "images/train/dark/2.png")
            try expectRefusal(
                65, "train/dark/2.png", by: Self.training(copy, "--out", copy / "run"))
            #expect(!copy.holds("run"))
        }

        @Test("Without a test folder --split is needed; the run keeps it, and evaluate uses the same images")
        func split() throws {
            let copy = try copy()
            try FileManager.default.removeItem(atPath: copy / "images/test")
            try expectRefusal(64, "--split", by: Self.training(copy, "--out", copy / "run"))
            try success(
                of: Self.training(
                    copy, "--split", "0.34", "--seed", "5", "--epochs", "1", "--out", copy / "run"))
            let outcome = try success(of: Program("evaluate", copy / "run", "--json"))
            let evaluated = try #require(try outcome.json() as? [String: Any])
            #expect(evaluated["images"] as? Int == 4)
            let metrics = try #require(copy.lines(of: "run/metrics.jsonl").first)
            let saved = try JSONSerialization.jsonObject(with: Data(metrics.utf8)) as? [String: Any]
            #expect(saved?["test_loss"] as? Double == evaluated["loss"] as? Double)
        }

        @Test(
            "A folder that has moved is resumed with --data, to the same bytes; one with other images is not")
        func moved() throws {
            let copy = try copy()
            try success(of: Self.training(copy, "--epochs", "2", "--out", copy / "whole"))
            try success(of: Self.training(copy, "--out", copy / "run"))
            try FileManager.default.moveItem(atPath: copy / "images", toPath: copy / "moved")
            func resuming(_ more: String...) -> Program {
                Program(["train", "--resume", copy / "run", "--epochs", "2"] + more)
            }
            try expectRefusal(66, copy / "images", "--data", by: resuming())
            try expectRefusal(65, "28×28 now", by: resuming("--data", "glyphs"))

            let image = try copy.bytes(of: "moved/test/dark/0.png")
            try copy.write(greyPNG(3, width: 8, height: 9), to: "moved/test/dark/0.png")
            try expectRefusal(65, "checksums", copy / "moved", by: resuming("--data", copy / "moved"))

            try copy.write(image, to: "moved/test/dark/0.png")
            try success(of: resuming("--data", copy / "moved"))
            #expect(try copy.bytes(of: "run/last.safetensors") == copy.bytes(of: "whole/last.safetensors"))
            let configuration = try #require(copy.text("run/config.json"))
            #expect(configuration.contains(copy / "moved") && !configuration.contains(copy / "images"))
        }

        @Test("Of a run from before there were checksums, other data is another setting")
        func withoutChecksum() throws {
            let copy = try copy()
            try success(of: Self.training(copy, "--out", copy / "run"))
            let text = try #require(copy.text("run/config.json"))
            let line = #/ *"data_checksum".*\n/#
            #expect(text.contains(line))
            try copy.write(text.replacing(line, with: ""), to: "run/config.json")
            try expectRefusal(
                64, "data (\(copy / "images") there",
                by: Program("train", "--resume", copy / "run", "--data", folder / "images"))
        }

        @Test("A folder whose classes have changed is not resumed with")
        func changed() throws {
            let copy = try copy()
            try success(of: Self.training(copy, "--out", copy / "run"))
            for split in ["train", "test"] {
                try FileManager.default.moveItem(
                    atPath: copy / "images/\(split)/dark", toPath: copy / "images/\(split)/black")
            }
            try expectRefusal(
                65, "black", "dark", by: Program("train", "--resume", copy / "run", "--epochs", "2"))
        }
    }
}
