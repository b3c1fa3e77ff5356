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

/// With the torch of `RESIN_PYTHON`.
@Suite("Python converts", .enabled(if: ProcessInfo.processInfo.environment["RESIN_PYTHON"] != nil))
struct ConversionTests {
    @Test(
        "The line that a refusal gives makes a file that is read",
        arguments: [("module.pth", 2), ("script.pt", 2), ("expanded.pth", 2), ("trainer.pth", 8)])
    func conversion(name: String, count: Int) throws {
        let folder = try Folder()
        let path = folder / "it's \(name)"
        try FileManager.default.copyItem(atPath: PyTorchFileTests.golden(name), toPath: path)
        // One that is read names another, to have its line.
        let refused = name == "trainer.pth" ? folder / "refused.pth" : path
        if refused != path {
            try FileManager.default.copyItem(
                atPath: PyTorchFileTests.golden("system.pth"), toPath: refused)
        }
        let error = #expect(throws: ResinError.self) { try Safetensors(weightsOf: refused) }
        var line = try #require(error?.message.split(separator: "\n").last).trimmingPrefix("  python3")
        let quoted = path.replacing("'", with: #"'\''"#)
        if refused != path { line = Substring(line.replacing(refused, with: quoted)) }
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/bash")
        shell.arguments = ["-c", "\"$RESIN_PYTHON\"" + line]
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 0)
        #expect(try Safetensors(weightsOf: path + ".safetensors").entries.count == count)
    }
}
