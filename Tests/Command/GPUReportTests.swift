import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    /// Benchmarks/gpu.sh, whose first run on a GPU should not be the first of all: on the pretended one.
    @Suite(.needsDevice) struct GPUReport {
        private let folder: Folder
        private let device: PretendDevice

        init() throws {
            folder = try Folder()
            device = try PretendDevice.shared.get()
            // With the probes that are said to have worked.
            try FileManager.default.copyItem(atPath: device.folder / "cache", toPath: folder / "cache")
        }

        private func report(_ arguments: String..., environment: [String: String] = [:]) -> Program {
            var program = Program(arguments)
            program.executable = PretendDevice.root + "/Benchmarks/gpu.sh"
            program.environment = device.environment.merging([
                "RESIN": Program.path, "OUT": folder / "out", "GPU_CACHE": folder / "cache",
                "GPU_CARRY": folder / "carry", "GPU_ROOTS": folder / "driver",
            ]) { $1 }.merging(environment) { $1 }
            program.secondsAllowed = 300
            return program
        }

        /// A driver's folder, from which the pretended driver comes by search alone.
        private func install(_ names: String...) throws {
            try FileManager.default.createDirectory(
                atPath: folder / "driver", withIntermediateDirectories: true)
            for name in names {
                try FileManager.default.copyItem(
                    atPath: device.folder / "libnvidia-opencl.so.1", toPath: folder / "driver/\(name)")
            }
        }

        @Test("The first call runs every piece, and ends with its tables and with what failed")
        func first() throws {
            let outcome = try report("first", "--quick").run()
            // Its kernels do nothing, which the checks find.
            #expect(outcome.code == 70, "\(outcome)")
            let (before, after) = try #require(halves(of: outcome.output, at: "== tables"))
            for piece in ["system", "check", "warm", "operators", "bench", "limits", "profile", "wgmma"] {
                #expect(before.contains("== \(piece) (at most"), "\(outcome)")
            }
            for piece in ["warm", "bench", "limits", "profile", "wgmma"] {
                #expect(
                    after.contains(
                        "\n" + piece.padding(toLength: 11, withPad: " ", startingAt: 0) + "done in "))
            }
            #expect(after.contains("\nlenet-28            mixed "), "\(outcome)")
            let (_, failures) = try #require(halves(of: after, at: "== what failed"))
            #expect(failures.contains("-- check (") && failures.contains("-- operators ("), "\(outcome)")
            #expect(after.utf8.count < 12_000)

            #expect(folder.text("out/report.txt") == outcome.output)
            for file in [
                "programs.tar.gz", "bench.jsonl", "profile-lenet-28-fast.txt", "operators/metrics.txt",
            ] {
                #expect(folder.holds("out/\(file)"), "\(file)")
            }
            #expect(folder.lines(of: "cache/failed") == ["check", "operators"])
        }

        @Test("The second call takes up what failed in the first, and does without PyTorch")
        func second() throws {
            // Without site-packages there is none.
            try folder.write("#!/bin/sh\nexec python3 -S \"$@\"\n", to: "python")
            #expect(chmod(folder / "python", 0o700) == 0)
            try folder.write("bench\nwarm\n", to: "cache/failed")
            let outcome = try report("second", "--quick", environment: ["PYTHON": folder / "python"]).run()
            #expect(outcome.code == 70, "\(outcome)")
            for piece in ["bench", "warm", "recipes", "nin", "copies", "timings"] {
                #expect(outcome.output.contains("== \(piece) (at most"), "\(outcome)")
            }
            #expect(outcome.output.contains("no PyTorch here"), "\(outcome)")
            #expect(outcome.output.contains("== operators") == false, "\(outcome)")
            #expect(folder.holds("out/nin-metrics.jsonl") && folder.holds("out/timings.jsonl"))
        }

        @Test("A driver whose .icd file names no folder is found, and one of 32 bits is not taken for it")
        func search() throws {
            try install("libnvidia-opencl.so.1")
            // The beginning of an ELF file of 32 bits.
            try folder.write([0x7F, 0x45, 0x4C, 0x46, 1, 1, 1, 0], to: "driver/a/libnvidia-opencl.so.1")
            try folder.write("libnvidia-opencl.so.1\n", to: "vendors/nvidia.icd")
            let outcome = try report("system", environment: ["OCL_ICD_VENDORS": folder / "vendors"]).run()
            #expect(outcome.code == 0, "\(outcome)")
            #expect(outcome.output.contains("0: \(PretendDevice.name)"), "\(outcome)")
            #expect(outcome.output.contains("OpenCL driver: \(folder / "driver/libnvidia-opencl.so.1")"))
        }

        @Test("A driver without its compiler says so; with it beside, under whatever name, programs build")
        func compiler() throws {
            try install("libnvidia-opencl.so.1")
            let environment = ["PRETEND_NEEDS_COMPILER": "1", "OCL_ICD_VENDORS": folder / "vendors"]
            let without = try report("warm", "--quick", environment: environment).run()
            #expect(without.code == 70, "\(without)")
            let (_, failures) = try #require(halves(of: without.output, at: "== what failed"))
            #expect(failures.contains("libnvidia-nvvm.so.4, which cannot be loaded"), "\(without)")

            try install("libnvidia-nvvm.so.580.1")
            let with = try report("warm", "--quick", environment: environment).run()
            #expect(with.code == 0, "\(with)")
            #expect(with.output.contains("lenet: 16 of 16 programs built"), "\(with)")
        }

        @Test("Without a loader, and without a device, it says what is there, and ends with 69")
        func nothing() throws {
            for name in ["libOpenCL.so.1", "libOpenCL.so"] { try folder.write("x", to: "broken/\(name)") }
            for environment in [["LD_LIBRARY_PATH": folder / "broken"], ["PRETEND_NO_DEVICE": "1"]] {
                let outcome = try report("first", "--quick", environment: environment).run()
                #expect(outcome.code == 69, "\(outcome)")
                let (_, diagnosis) = try #require(halves(of: outcome.output, at: "== diagnosis"))
                let words =
                    environment["PRETEND_NO_DEVICE"] == nil
                    ? "libOpenCL.so.1, the loader: cannot be loaded: \(folder / "broken/libOpenCL.so.1"): file too short"
                    : "NVIDIA CUDA: status -1, 0 devices"
                #expect(diagnosis.contains(words), "\(outcome)")
                #expect(diagnosis.contains("libnvidia-nvvm.so.4: cannot be loaded: "), "\(outcome)")
                #expect(diagnosis.contains("ldconfig -p:"), "\(outcome)")
                #expect(diagnosis.contains("no device matches --device 'gpu'"), "\(outcome)")
            }
        }

        @Test("What there is no time for is left out, and said to be")
        func time() throws {
            let outcome = try report("first", "--quick", "--seconds", "6").run()
            #expect(outcome.output.contains("wgmma      left out: no time"), "\(outcome)")
            #expect(outcome.output.contains("== tables"), "\(outcome)")
        }

        @Test("A piece that is none is refused, and a call without one prints what there are")
        func usage() throws {
            for arguments in [["frist"], ["--seconds"], ["first", "--seconds", "x"], []] {
                var program = report()
                program.arguments = arguments
                #expect(try program.run().code == 64)
            }
        }

        private func halves(of text: String, at mark: String) -> (before: String, after: String)? {
            text.range(of: mark).map { (String(text[..<$0.lowerBound]), String(text[$0.upperBound...])) }
        }
    }
}
