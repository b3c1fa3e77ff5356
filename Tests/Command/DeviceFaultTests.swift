import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    /// What the program says when a device fails, as the pretended one is told to.
    @Suite(.needsDevice) struct DeviceFaults {
        private let folder: Folder
        private let device: PretendDevice

        init() throws {
            folder = try Folder()
            device = try PretendDevice.shared.get()
        }

        private func train(fault: String, debugLevel: Int? = nil) -> Program {
            var program = device.program(
                "train", "lenet", "--limit", "64", "--limit-test", "64", "--batch", "32", "--epochs", "1",
                "--device", "0:0", "--progress", "none", "--out", folder / "run", "--overwrite", fault: fault)
            program.environment["RESIN_DEBUG"] = debugLevel.map(String.init)
            return program
        }

        @Test("A device that computes nothing is refused before it trains, unless the check is left out")
        func check() throws {
            var program = train(fault: "build:1000:-11")
            try success(of: program)
            program.environment["RESIN_CHECK"] = "on"
            try expectRefusal(64, "RESIN_CHECK is 'on'", by: program)
            program.environment["RESIN_CHECK"] = ""
            try expectRefusal(70, PretendDevice.name, "is not used", "are wrong", by: program)
        }

        /// −36 is CL_INVALID_COMMAND_QUEUE, and −9999 no code of OpenCL's at all.
        @Test("A kernel that faults is no lack of memory", arguments: [-5, -36, -9999])
        func kernelFault(code: Int) throws {
            for call in ["kernel:20", "enqueue:20", "read:1"] {
                let outcome = try expectRefusal(
                    69, "a kernel failed on the device: ", PretendDevice.name, "(\(code))",
                    "RESIN_DEBUG=3 waits after each launch and names it", by: train(fault: "\(call):\(code)"))
                #expect(!outcome.errors.contains("memory"), "\(outcome)")
            }
        }

        @Test("RESIN_DEBUG=3 names the kernel that faults, and its layer", arguments: [-5, -36, -9999])
        func namedKernel(code: Int) throws {
            // Images come first, of the 17 launches of a step.
            let outcome = try train(fault: "kernel:19:\(code)", debugLevel: 3).run()
            #expect(outcome.code == 69, "\(outcome)")
            let words =
                "kernel convolution2d_tiled of '0' (5×5 convolution to 6 channels, padding 2) failed on"
            #expect(outcome.errors.contains("\(words) \(PretendDevice.name)"), "\(outcome)")
            #expect(outcome.errors.contains("(\(code))"), "\(outcome)")
        }

        @Test(
            "Where a program does not build and the compiler is silent, its options and NVIDIA's compiler are named"
        )
        func build() throws {
            try expectRefusal(
                69, "clBuildProgram on \"\(PretendDevice.name)\"", "(-11)",
                " with -DLANES=4",
                "the compiler's log is empty: NVIDIA's driver compiles by libnvidia-nvvm.so.4",
                "cannot open shared object file", by: train(fault: "build:3:-11"))
        }

        @Test("No memory at any allocation is said to be that, and what to do", arguments: [-4, -61])
        func memory(code: Int) throws {
            var number = 1
            while true {
                let outcome = try train(fault: "allocate:\(number):\(code)").run()
                if outcome.code == 0 { break }
                #expect(outcome.code == 71, "allocation \(number): \(outcome)")
                #expect(
                    outcome.errors.contains("the device has no memory left: clCreateBuffer")
                        && outcome.errors.contains("(\(code))")
                        && outcome.errors.contains("Use a smaller batch or smaller images."), "\(outcome)")
                number += 1
                try #require(number < 1000)
            }
            #expect(number > 10, "the training allocates only \(number - 1) times")
        }

        /// Most drivers allocate when a buffer is first used.
        @Test("No memory at first use is no memory either", arguments: ["write:1", "enqueue:1", "finish:1"])
        func lateMemory(call: String) throws {
            try expectRefusal(71, "the device has no memory left: ", by: train(fault: "\(call):-4"))
        }

        @Test("A lost device is said to have failed")
        func lostDevice() throws {
            try expectRefusal(69, "the device failed: ", "(-2)", by: train(fault: "finish:2:-2"))
        }

        @Test("Bench and evaluate say the same")
        func otherCommands() throws {
            try success(of: train(fault: "build:1000:-11"))
            let commands = [
                ["bench", "lenet", "--batch", "8"], ["evaluate", folder / "run", "--limit-test", "64"],
            ]
            for command in commands {
                let command = command + ["--device", "0:0"]
                let fault = try expectRefusal(
                    69, "failed on", "(-5)", by: device.program(command, fault: "kernel:4:-5"))
                #expect(!fault.errors.contains("memory"), "\(fault)")
                try expectRefusal(
                    71, "the device has no memory left: ", by: device.program(command, fault: "allocate:4:-4")
                )
            }
        }
    }
}
