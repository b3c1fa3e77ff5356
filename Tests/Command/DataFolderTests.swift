import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// Published files in a folder that `--data` names by its path.
    @Suite struct DataFolders {
        let folder: Folder

        /// Forty images of four by four pixels, each of its label's brightness.
        init() throws {
            folder = try Folder()
            for split in ["train", "t10k"] {
                let labels = (0..<40).map { UInt8($0 % 10) }
                let pixels = labels.flatMap { label in (0..<16).map { label * 20 + $0 } }
                try folder.writeGzip(idx([40, 4, 4], pixels), to: "fashion/\(split)-images-idx3-ubyte.gz")
                try folder.write(idx([40], labels), to: "fashion/\(split)-labels-idx1-ubyte")
            }
        }

        private func training(_ data: String, epochs: Int = 1) -> Program {
            Program(
                "train", "residual-mnist", "--data", data, "--resize", "28", "--batch", "10", "--epochs",
                "\(epochs)", "--lr", "0.01", "--out", folder / "run")
        }

        @Test("train, evaluate, --resume and predict take a folder with MNIST's files")
        func roundTrip() throws {
            var program = training("fashion")
            program.folder = folder.path
            let outcome = try success(of: program)
            #expect(outcome.errors.contains("Fashion-MNIST's names"), "\(outcome)")
            #expect(folder.text("run/config.json")?.contains(folder / "fashion") == true)

            let evaluated = try success(of: Program("evaluate", folder / "run", "--json"))
            let given = try success(
                of: Program("evaluate", folder / "run", "--data", folder / "fashion", "--json"))
            let (one, two) = (try evaluated.json() as? [String: Any], try given.json() as? [String: Any])
            #expect(one?["images"] as? Int == 40)
            #expect(one?["loss"] as? Double == two?["loss"] as? Double)

            try success(of: Program("train", "--resume", folder / "run", "--epochs", "2"))
            #expect(folder.epochsDone == 2)

            try folder.write(greyPNG(100), to: "image.png")
            try FileManager.default.moveItem(
                atPath: folder / "run/best.safetensors", toPath: folder / "bare.safetensors")
            let named = try success(
                of: Program(
                    "predict", folder / "bare.safetensors", folder / "image.png", "--network",
                    "residual-mnist", "--input", "1x28x28", "--data", folder / "fashion", "--top", "10"))
            #expect(named.output.contains("Ankle boot"), "\(named)")
        }

        @Test("A folder of none of the forms is exit 66 with all of them, a file is exit 64")
        func forms() throws {
            try folder.write("", to: "empty/readme.txt")
            try expectRefusal(
                66, "train/CLASS/", "train-images-idx3-ubyte", "data_batch_1.bin",
                by: training(folder / "empty"))
            try expectRefusal(64, "readme.txt", "not a folder", by: training(folder / "empty/readme.txt"))
            #expect(!folder.holds("run"))
        }
    }
}
