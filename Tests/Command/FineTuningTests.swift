import Foundation
import ResinFixtures
import ResinNetworks
import ResinTraining
import Testing

extension CommandTests {
    /// From a torchvision-named file of 1,000 classes to a folder of photographs.
    @Suite struct FineTuning {
        let folder: Folder

        init() throws {
            folder = try Folder()
            // Colours alone tell the classes apart; both are JPEGs.
            for (kind, bytes) in [("blue", colourJPEG), ("grey", greyJPEG)] {
                for index in 0..<12 {
                    try folder.write(bytes, to: "set/\(index < 8 ? "train" : "test")/\(kind)/\(index).jpg")
                }
            }
        }

        /// torchvision's ResNet-18 as `state_dict` has it.
        private func write(classes: Int, to name: String, channels: Int = 3) throws -> Safetensors {
            let network = try Network.named(
                "resnet18", input: ImageShape(channels: channels, side: 32), classes: classes,
                options: NetworkOptions(variant: .torchvision))
            let graph = try network.makeGraph().graph
            var entries = graph.tensorShapes.sorted { $0.key < $1.key }.enumerated().map { place, tensor in
                let count = tensor.value.reduce(1, *)
                let isVector = tensor.value.count == 1
                return Safetensors.Entry(
                    tensor.key, shape: tensor.value,
                    values: (0..<count).map { index in
                        let noise = Float((index * 31 + place * 7) % 23 - 11)
                        return isVector
                            ? 1 + noise / 100 : noise / Float(count / tensor.value[0]).squareRoot() / 8
                    })
            }
            entries.append(Safetensors.Entry("bn1.num_batches_tracked", shape: [], .int64([500])))
            let file = Safetensors(entries)
            try file.write(to: folder / name)
            return file
        }

        private func training(_ more: String...) -> Program {
            Program(
                [
                    "train", "resnet18", "--variant", "torchvision", "--data", folder / "set", "--resize",
                    "32", "--epochs",
                    "1", "--batch", "8",
                ] + more)
        }

        @Test(
            "The backbone keeps every bit, the classifier begins anew, and the file is enough to predict with"
        )
        func fineTuning() throws {
            let start = try write(classes: 1000, to: "w.safetensors")
            let outcome = try success(
                of: training(
                    "--weights", folder / "w.safetensors", "--freeze", "backbone", "--mean", "imagenet",
                    "--out",
                    folder / "run"))
            #expect(outcome.errors.contains("'fc.weight' ([1000, 512] there, [2, 512] here)"))
            #expect(folder.text("run/log.txt")?.contains("the classifier begins anew") == true)
            #expect(folder.text("run/config.json")?.contains("w.safetensors") == true)
            let trained = try Safetensors(contentsOf: folder / "run/last.safetensors")
            for entry in start.entries where !entry.name.hasPrefix("fc.") {
                #expect(trained[entry.name] == entry, "\(entry.name)")
            }
            #expect(trained["fc.weight"]?.shape == [2, 512])

            // Without the run.
            try FileManager.default.copyItem(
                atPath: folder / "run/best.safetensors", toPath: folder / "alone.safetensors")
            let picture = folder / "set/test/blue/8.jpg"
            let own = try success(of: Program("predict", folder / "run", picture))
            #expect(
                try success(of: Program("predict", folder / "alone.safetensors", picture)).output
                    == own.output)
            try expectRefusal(64, "--data", by: Program("evaluate", folder / "alone.safetensors"))
            let evaluated = try success(
                of: Program("evaluate", folder / "alone.safetensors", "--data", folder / "set"))
            #expect(try success(of: Program("evaluate", folder / "run")).output == evaluated.output)

            // Another run begins where this one ended, and sees images as it did.
            let next = try success(
                of: training(
                    "--weights", folder / "run", "--out", folder / "next", "--freeze", "layer1, conv1,bn1"))
            #expect(
                next.errors.contains("mean [0.485, 0.456, 0.406]") && !next.errors.contains("begins anew"))
            let resumed = Program("train", "--resume", folder / "run", "--freeze", "conv1")
            try expectRefusal(64, "freeze (backbone there, conv1 now)", by: resumed)
            try expectRefusal(
                64, "--weights", by: Program("train", "--resume", folder / "run", "--weights", folder / "run")
            )
        }

        @Test("A file from elsewhere needs its network, its classes and its mean, and says what is missing")
        func elsewhere() throws {
            _ = try write(classes: 3, to: "w.safetensors")
            let picture = folder / "set/test/blue/8.jpg"
            func predicting(_ more: String...) -> Program {
                Program(
                    [
                        "predict", folder / "w.safetensors", picture, "--variant", "torchvision", "--input",
                        "3x32x32",
                    ] + more)
            }
            try expectRefusal(64, "--network", by: predicting("--mean", "0.5,0.5,0.5"))
            try expectRefusal(
                64, "--classes", "--labels", by: predicting("--network", "resnet18", "--mean", "imagenet"))
            try expectRefusal(
                64, "--mean imagenet", by: predicting("--network", "resnet18", "--classes", "3"))
            try folder.write(Array("one\r\ntwo\nthree\n\n".utf8), to: "labels.txt")
            let outcome = try success(
                of: predicting(
                    "--network", "resnet18", "--labels", folder / "labels.txt", "--mean", "imagenet"))
            #expect(outcome.output.contains("two"))
            try expectRefusal(
                64, "--classes is 4",
                by: predicting(
                    "--network", "resnet18", "--labels", folder / "labels.txt", "--mean", "imagenet",
                    "--classes", "4"))
            try expectRefusal(
                65, "[3, 512]",
                by: predicting("--network", "resnet18", "--classes", "4", "--mean", "imagenet"))
        }

        @Test("What --weights and --freeze cannot mean is refused before anything is made")
        func refusals() throws {
            _ = try write(classes: 1000, to: "w.safetensors")
            try expectRefusal(66, "none.safetensors", by: training("--weights", folder / "none.safetensors"))
            try expectRefusal(
                64, "no layer 'layer9'", "did you mean 'layer", by: training("--freeze", "layer9"))
            try expectRefusal(64, "--freeze", by: training("--freeze", "conv1,,bn1"))
            try expectRefusal(
                64, "'fc.bias' is frozen",
                by: training("--weights", folder / "w.safetensors", "--freeze", "fc"))
            try expectRefusal(64, "nothing is left to train", by: training("--freeze", "backbone,fc"))
            try expectRefusal(
                65, "resnet18", "torchvision",
                by: Program(
                    "train", "resnet34", "--data", folder / "set", "--resize", "32", "--weights",
                    folder / "w.safetensors"))
            #expect(!FileManager.default.fileExists(atPath: folder / "runs"))
        }
    }
}
