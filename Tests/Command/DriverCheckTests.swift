import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    /// A driver is checked before it trains: once, and refused where it computes something else.
    @Suite(.needsDevice) struct DriverCheck {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func training(_ more: String...) -> Program {
            var program = Program(
                ["train", "lenet", "--limit", "64", "--limit-test", "64", "--epochs", "1", "--device", "0:0"]
                    + ["--out", folder / "run", "--overwrite"] + more)
            program.environment["XDG_CACHE_HOME"] = folder.path
            // The driver keeps its kernels where it always does.
            if let home = ProcessInfo.processInfo.environment["HOME"] {
                program.environment["POCL_CACHE_DIR"] = home + "/.cache/pocl/kcache"
            }
            return program
        }

        @Test("A driver is checked once, by what a training takes, and the log says with which one")
        func once() throws {
            #expect(try success(of: training()).errors.contains("once, on"))
            #expect(folder.lines(of: "run/log.txt").contains { $0.contains("checked with driver") })
            #expect(try !success(of: training()).errors.contains("once, on"))
            // Another optimizer has a kernel of its own, and what is torn is not believed.
            #expect(try success(of: training("--optimizer", "sgd")).errors.contains("once, on 1 small"))
            let name = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder / "resin/checks").first)
            try folder.write("{", to: "resin/checks/\(name)")
            #expect(try success(of: training()).errors.contains("once, on"))
        }

        @Test("Notes of a check are not among progress that programs read")
        func quiet() throws {
            #expect(try success(of: training("--progress", "none")).errors.isEmpty)
        }

        /// Kernels of that name are not launched: as one that a compiler has made nothing of.
        private func without(_ kernel: String) throws -> String {
            try folder.preload(
                """
                #define _GNU_SOURCE
                #include <dlfcn.h>
                #include <string.h>
                int clEnqueueNDRangeKernel(void *queue, void *kernel, unsigned dimensions, const void *offset,
                                           const void *global, const void *local, unsigned count,
                                           const void *events, void *event) {
                    char name[256] = "";
                    int (*info)(void *, unsigned, size_t, void *, size_t *) = dlsym(RTLD_NEXT, "clGetKernelInfo");
                    info(kernel, 0x1190, sizeof name, name, 0);
                    if (strcmp(name, "\(kernel)") == 0) return 0;
                    int (*next)(void *, void *, unsigned, const void *, const void *, const void *, unsigned,
                                const void *, void *) = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
                    return next(queue, kernel, dimensions, offset, global, local, count, events, event);
                }
                """)
        }

        @Test(
            "A driver with one kernel that does nothing is refused by name, with what is wrong and another device",
            arguments: [("averagepool2d_gradient", "average pooling's gradient"), ("adam", "Adam")])
        func wrong(kernel: String, words: String) throws {
            var program = training()
            program.environment["LD_PRELOAD"] = try without(kernel)
            let name = try #require(OpenCLDevices.all.first?.name)
            for _ in 1...2 {
                try expectRefusal(70, "'\(name)' with driver", words, "--device reference", by: program)
            }
            #expect(!folder.holds("run"))
            // What it was right with is kept, what it was wrong with is not.
            program.environment["LD_PRELOAD"] = ""
            #expect(try success(of: program).errors.contains("once, on"))
            #expect(try !success(of: program).errors.contains("once, on"))
        }

        @Test("A device whose kernels all do nothing is refused, though its driver says that all is well")
        func idle() throws {
            var program = try PretendDevice.shared.get().program("train", "lenet", "--out", folder / "run")
            program.environment["RESIN_CHECK"] = ""
            try expectRefusal(70, "'\(PretendDevice.name)' with driver", "numbers are wrong", by: program)
        }

        @Test("A driver that crashes is refused by name, and the program goes on to say so")
        func crash() throws {
            var program = training()
            program.environment["LD_PRELOAD"] = try folder.preload(
                """
                #include <stdlib.h>
                int clEnqueueNDRangeKernel() { abort(); }
                """)
            try expectRefusal(70, "the driver crashed (signal 6)", "--device reference", by: program)
        }
    }

    /// Mesa's rusticl on llvmpipe, which compiles through SPIR-V and has 32 KiB of local memory.
    @Suite(.enabled(if: hasRusticl, "no rusticl: mesa-opencl-icd is not installed")) struct Rusticl {
        let folder: Folder

        init() throws {
            folder = try Folder()
            try folder.write("libRusticlOpenCL.so.1\n", to: "vendors/rusticl.icd")
        }

        private func program(_ arguments: String..., kernels: String = "") -> Program {
            var program = Program(arguments + ["--device", "0:0"])
            program.environment = [
                "OCL_ICD_VENDORS": folder / "vendors", "RUSTICL_ENABLE": "llvmpipe",
                "XDG_CACHE_HOME": folder.path, "RESIN_KERNELS": kernels,
            ]
            return program
        }

        @Test("It trains as the reference does, or is refused because its loops end early")
        func training() throws {
            let training = program(
                "train", "lenet", "--limit", "64", "--limit-test", "64", "--epochs", "1", "--out",
                folder / "run")
            let outcome = try training.run()
            if try success(of: program("check-one", "probe", "long loops")).output.contains("true") {
                #expect(outcome.code == 0, "\(outcome)")
            } else {
                #expect(outcome.code == 70, "\(outcome)")
                #expect(outcome.errors.contains("'llvmpipe"), "\(outcome)")
                #expect(outcome.errors.contains("a work-item's loops end after"), "\(outcome)")
            }
        }

        @Test("Training steps with a GPU's kernels agree with the reference")
        func steps() throws {
            try success(of: program("check-one", "training", "steps", kernels: "gpu"))
        }

        @Test(
            "Its small kernels are right",
            arguments: ["batch norm", "optimizers"])
        func families(_ family: String) throws {
            let outcome = try success(of: program("check-one", "operators", family))
            #expect(!outcome.output.contains("failure"), "\(outcome)")
        }
    }
}

private let hasRusticl = FileManager.default.fileExists(atPath: "/etc/OpenCL/vendors/rusticl.icd")
