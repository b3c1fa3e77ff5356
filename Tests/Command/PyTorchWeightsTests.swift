import Foundation
import ResinFixtures
import ResinNetworks
import ResinTraining
import Testing

extension CommandTests {
    /// The same weights as safetensors and as PyTorch's file; the names say nothing.
    @Suite struct PyTorchWeights {
        let folder: Folder
        private let tensors: [(name: String, shape: [Int], values: [Float])]

        init() throws {
            folder = try Folder()
            let shapes = try Network.named("lenet").makeGraph().graph.tensorShapes
            tensors = shapes.sorted { $0.key < $1.key }.enumerated().map { place, tensor in
                let count = tensor.value.reduce(1, *)
                let values = (0..<count).map { Float(($0 * 31 + place * 7) % 23 - 11) / 60 }
                return (tensor.key, tensor.value, values)
            }
            try Safetensors(tensors.map { .init($0.name, shape: $0.shape, values: $0.values) })
                .write(to: folder / "safe.weights")
            try folder.write(PyTorchBytes.stateDictionary(tensors), to: "torch.weights")
            try folder.write(PyTorchBytes.stateDictionary(tensors, under: "model"), to: "trainer.weights")
        }

        @Test("predict gives the same of both, and train begins with either and says what it took")
        func both() throws {
            try folder.write(greyJPEG, to: "grey.jpg")
            func predicting(_ name: String) throws -> Program.Outcome {
                try success(
                    of: Program(
                        "predict", folder / name, folder / "grey.jpg", "--network", "lenet", "--classes",
                        "10", "--mean", "0.13", "--std", "0.31", "--json"))
            }
            let safe = try predicting("safe.weights")
            #expect(try predicting("torch.weights").output == safe.output)
            let trainer = try predicting("trainer.weights")
            #expect(trainer.output == safe.output)
            let note = "trainer.weights is a trainer's checkpoint: its 'model' is taken"
            #expect(trainer.errors.contains(note))
            try success(
                of: Program(
                    "train", "lenet", "--limit", "64", "--limit-test", "16", "--batch", "16", "--epochs", "1",
                    "--freeze", "backbone", "--weights", folder / "trainer.weights", "--out", folder / "run"))
            #expect(folder.text("run/log.txt")?.contains(note) == true)
            let trained = try Safetensors(contentsOf: folder / "run/last.safetensors")
            #expect(trained[tensors[0].name]?.values == tensors[0].values)
        }

        @Test("What is refused has its exit code, and names the file and what is wrong")
        func refused() throws {
            func evaluating(_ name: String) -> Program {
                Program("evaluate", folder / name, "--network", "lenet", "--data", "glyphs")
            }
            let system = PyTorchBytes.name("posix", "system") + PyTorchBytes.tuple(PyTorchBytes.text("ls"))
            try folder.write(PyTorchBytes.file(system + Array("R".utf8)), to: "evil.pth")
            try expectRefusal(65, "evil.pth holds 'posix.system'", by: evaluating("evil.pth"))
            try expectRefusal(66, "none.pth", by: evaluating("none.pth"))
        }
    }
}
