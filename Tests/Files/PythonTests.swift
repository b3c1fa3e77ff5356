import Foundation
import ResinTensor
import ResinTraining
import Testing

/// Against the real packages, where `RESIN_PYTHON` names a Python that has safetensors and torch.
@Suite("Python's safetensors", .enabled(if: ProcessInfo.processInfo.environment["RESIN_PYTHON"] != nil))
struct PythonTests {
    @Test("Python reads what is written, writes the same bytes, and its file of them is read back")
    func bothWays() throws {
        let folder = try Folder()
        let file = Safetensors(
            [
                .init("bn.num_batches_tracked", shape: [], .int64([9_007_199_254_740_993])),
                .init(
                    "conv.weight", shape: [2, 1, 1, 2],
                    values: [1.5, -0.0, 3.4e38, .leastNonzeroMagnitude]),
                .init("é\"\n", shape: [0, 2], values: []), .init("ids", shape: [2], .int32([-1, 7])),
                .init("bytes", shape: [3], .uint8([0, 1, 255])),
            ], metadata: ["format": "pt"])
        try file.write(to: folder / "ours.safetensors")
        let script = """
            import sys, torch, safetensors.torch as s
            t = s.load_file(sys.argv[1])
            assert t["bn.num_batches_tracked"].item() == 9007199254740993
            assert t["conv.weight"].tolist() == torch.tensor([[[[1.5, -0.0]]], [[[3.4e38, 1e-45]]]]).tolist()
            assert t["é\\"\\n"].shape == (0, 2) and t["ids"].tolist() == [-1, 7]
            assert t["bytes"].tolist() == [0, 1, 255] and t["bytes"].dtype == torch.uint8
            with s.safe_open(sys.argv[1], "pt") as f: assert f.metadata() == {"format": "pt"}
            s.save_file(t, sys.argv[2], {"format": "pt"})
            assert open(sys.argv[1], "rb").read() == open(sys.argv[2], "rb").read()
            """
        let python = Process()
        python.executableURL = URL(filePath: ProcessInfo.processInfo.environment["RESIN_PYTHON"]!)
        python.arguments = ["-c", script, folder / "ours.safetensors", folder / "theirs.safetensors"]
        try python.run()
        python.waitUntilExit()
        #expect(python.terminationStatus == 0)
        let theirs = try Safetensors(contentsOf: folder / "theirs.safetensors")
        #expect(theirs.entries.count == 5)
        for entry in file.entries { #expect(theirs[entry.name] == entry) }
    }
}
