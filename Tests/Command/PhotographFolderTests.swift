import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Folders of photographs as people have them.
    @Suite struct PhotographFolders {
        let folder: Folder

        init() throws { folder = try Folder() }

        /// Dark and bright pictures of 12×12, each different.
        private func fill(_ parts: [String] = ["train", "test"], classes: [String] = ["dark", "bright"])
            throws
        {
            for (number, part) in parts.enumerated() {
                for (label, name) in classes.enumerated() {
                    for index in 0..<4 {
                        let samples = (0..<144).map {
                            UInt8(label * 150 + ($0 * 7 + index * 11 + number) % 80)
                        }
                        let place = part.isEmpty ? name : "\(part)/\(name)"
                        try folder.write(
                            png(width: 12, height: 12, colourType: 0, samples: samples),
                            to: "data/\(place)/\(index).png")
                    }
                }
            }
        }

        private func training(_ more: String..., data: String = "data") -> Program {
            Program(
                [
                    "train", "lenet", "--data", folder / data, "--batch", "2", "--epochs", "1", "--lr",
                    "0.01", "--out",
                    folder / "run",
                ] + more)
        }

        @Test(
            "Folders with val, with classes alone, a table and an archive train, and evaluate on the same images"
        )
        func layouts() throws {
            try fill(["train", "val"])
            try success(of: training())
            try FileManager.default.moveItem(atPath: folder / "data/train", toPath: folder / "classes")
            try FileManager.default.moveItem(atPath: folder / "data/val", toPath: folder / "spare")
            let alone = try success(of: training("--overwrite", data: "classes"))
            #expect(alone.errors.contains("a tenth of every class is kept for testing"), "\(alone)")
            let evaluated =
                try success(of: Program("evaluate", folder / "run", "--json")).json() as? [String: Any]
            #expect(evaluated?["images"] as? Int == 2)

            let rows = ["dark", "bright"].flatMap { name in
                (0..<4).map { "classes/\(name)/\($0).png,\(name)" }
            }
            try folder.write("path,label\n" + rows.joined(separator: "\n"), to: "table.csv")
            try success(of: training("--overwrite", "--split", "0.25", data: "table.csv"))

            func members(_ place: String) throws -> [(String, [UInt8])] {
                try ["dark", "bright"].flatMap { name in
                    try (0..<4).map {
                        ("\(name)/\($0).png", try folder.bytes(of: "\(place)/\(name)/\($0).png"))
                    }
                }
            }
            try folder.write(tar(try members("classes")), to: "shards/train-0.tar")
            try folder.write(tar(try members("spare")), to: "shards/val-0.tar")
            try success(of: training("--overwrite", data: "shards"))
            let json = try success(of: Program("evaluate", folder / "run", "--json")).json() as? [String: Any]
            #expect(json?["images"] as? Int == 8)
        }

        @Test("All that cannot be read are listed, or skipped, noted and written to skipped.csv")
        func unreadable() throws {
            try fill()
            try folder.write([1, 2, 3], to: "data/train/dark/=1+1.png")
            try folder.write([], to: "data/train/bright/empty.jpg")
            try folder.write(Array(greyPNG(1).prefix(45)), to: "data/test/dark/short.png")
            try expectRefusal(
                65, "3 of 19 images cannot be read", "dark/=1+1.png: is neither PNG, JPEG nor WebP",
                "bright/empty.jpg: is an empty file", "dark/short.png", "--on-bad-image skip", by: training())
            #expect(!folder.holds("run"))
            let outcome = try success(of: training("--on-bad-image", "skip"))
            #expect(outcome.errors.contains("skipped 3 images that cannot be read"), "\(outcome)")
            #expect(folder.text("run/log.txt")?.contains("skipped 3 images") == true)
            let lines = folder.lines(of: "run/skipped.csv")
            #expect(lines.count == 4 && lines[0] == "path,reason")
            #expect(
                Set(lines.dropFirst().map { $0.prefix { $0 != "," } }) == [
                    "train/dark/=1+1.png", "train/bright/empty.jpg", "test/dark/short.png",
                ])
            for name in ["train/dark/=1+1.png", "train/bright/empty.jpg", "test/dark/short.png"] {
                try FileManager.default.removeItem(atPath: folder / "data/" + name)
            }
            try success(of: training("--overwrite"))
            #expect(!folder.holds("run/skipped.csv"))
        }

        @Test("datasets check counts, finds equal files, and is exit 65 where something cannot be read")
        func check() throws {
            try fill()
            let bytes = try folder.bytes(of: "data/train/dark/0.png")
            try folder.write(bytes, to: "data/test/dark/copy.png")
            try folder.write("x", to: "data/train/dark/readme \u{1B}[31m.txt")
            let good = try success(of: Program("datasets", "check", folder / "data"))
            for words in [
                "17 images in 2 classes", "least 12×12, median 12×12, largest 12×12", "formats: PNG 17",
                "colours: grey 17",
                "2 in 1 group, 1 of them across parts",
                "across parts: train/dark/0.png = test/dark/copy.png",
                "cannot be read: none", #"1 .txt, such as train/dark/readme \x1b[31m.txt"#,
            ] { #expect(good.output.contains(words), "\(words): \(good)") }
            var damaged = bytes
            damaged[45] ^= 0xFF
            try folder.write(damaged, to: "data/test/dark/copy.png")
            try success(of: Program("datasets", "check", folder / "data"))
            let bad = try Program("datasets", "check", folder / "data", "--decode", "--json").run()
            #expect(bad.code == 65, "\(bad)")
            let json = try #require(try bad.json() as? [String: Any])
            let unreadable = try #require(json["unreadable"] as? [[String: String]])
            #expect(unreadable.map { $0["file"] } == ["test/dark/copy.png"])
            #expect(json["images"] as? Int == 17 && (json["parts"] as? [String: Int])?["train"] == 8)
            try expectRefusal(66, "no such folder", by: Program("datasets", "check", folder / "nowhere"))
        }

        @Test("Pictures are turned upright as their EXIF data say, and are not with --no-exif")
        func orientation() throws {
            try fill()
            let plain = jpegKinds["grey"]!
            let exif =
                Array("Exif\0\0MM\0*\0\0\0\u{8}\0\u{1}\u{1}\u{12}\0\u{3}\0\0\0\u{1}\0\u{6}\0\0\0\0\0\0".utf8)
            try folder.write(
                plain.prefix(2) + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + plain.dropFirst(2),
                to: "turned.jpg")
            try folder.write(plain, to: "plain.jpg")
            try success(of: training())
            func predicted(_ more: String...) throws -> [[Double]] {
                let outcome = try success(
                    of: Program(
                        ["predict", folder / "run", folder / "turned.jpg", folder / "plain.jpg", "--json"]
                            + more))
                let rows = try #require(try outcome.json() as? [[String: Any]])
                return rows.map {
                    ($0["predictions"] as! [[String: Any]]).map { $0["probability"] as! Double }
                }
            }
            let upright = try predicted()
            #expect(upright[0] != upright[1])
            let stored = try predicted("--no-exif")
            #expect(stored[0] == stored[1] && stored[1] == upright[1])
        }
    }
}
