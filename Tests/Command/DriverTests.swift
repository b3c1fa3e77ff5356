import Foundation
import Testing

extension CommandTests {
    /// What the program says where installed drivers give no device.
    @Suite struct Drivers {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func program(_ arguments: String..., environment: [String: String]) -> Program {
            var program = Program(arguments)
            program.environment = environment
            return program
        }

        private static let linkersWords =
            "libnothere.so.3: cannot open shared object file: No such file or directory"

        @Test("A library that does not load is named by every command that finds no device")
        func library() throws {
            try folder.write("libnothere.so.3\n", to: "vendors/x.icd")
            let environment = ["OCL_ICD_VENDORS": folder / "vendors"]
            let words = "\(folder / "vendors/x.icd") names libnothere.so.3, which cannot be loaded: "
            for arguments in [["devices"], ["summary", "lenet"], ["devices", "--json"]] {
                var program = Program(arguments)
                program.environment = environment
                let outcome = try success(of: program)
                #expect(outcome.errors.contains(words + Self.linkersWords), "\(outcome)")
                #expect(!outcome.output.contains("libnothere"))
            }
            try expectRefusal(
                69, words, "reference (plain Swift)",
                by: program("summary", "lenet", "--device", "gpu", environment: environment))
            try success(of: program("summary", "lenet", "--device", "reference", environment: environment))
        }

        @Test("A loader that does not load is told of in the linker's words")
        func loader() throws {
            for name in ["libOpenCL.so.1", "libOpenCL.so"] { try folder.write("x", to: name) }
            let outcome = try success(
                of: program("devices", environment: ["LD_LIBRARY_PATH": folder.path]))
            #expect(outcome.errors.contains("\(folder / "libOpenCL.so.1"): file too short"), "\(outcome)")
        }

        @Test("A file that would stop the loader is named, and the loader is not asked")
        func trap() throws {
            try folder.write("", to: "vendors/a")
            #expect(mkfifo(folder / "vendors/x.icd", 0o600) == 0)
            var program = program("devices", environment: ["OCL_ICD_VENDORS": folder / "vendors"])
            program.secondsAllowed = 10
            #expect(try success(of: program).errors.contains("x.icd names no library"))
        }

        private static let hasPoCL =
            (try? Program("devices").run().output.contains("Portable Computing Language")) == true

        @Test(
            "A user without a home gets PoCL, with a folder for its kernels", .enabled(if: hasPoCL, "no PoCL")
        )
        func home() throws {
            let environment = ["HOME": "/proc", "XDG_CACHE_HOME": "", "TMPDIR": folder.path]
            let outcome = try success(of: program("devices", environment: environment))
            #expect(outcome.output.contains("Portable Computing Language"), "\(outcome)")
            #expect(outcome.errors.contains("kernels are kept in \(folder / "resin-pocl-")"), "\(outcome)")
        }

        @Test(
            "A platform without a device is named, with what may be the cause",
            .enabled(if: hasPoCL, "no PoCL"))
        func noDevice() throws {
            for (variable, value) in [("POCL_DEVICES", "none"), ("POCL_CACHE_DIR", "/proc/x")] {
                let outcome = try success(of: program("devices", environment: [variable: value]))
                #expect(outcome.errors.contains("'Portable Computing Language' lists no device"))
                #expect(outcome.errors.contains(variable) && outcome.errors.contains(value), "\(outcome)")
            }
        }
    }
}
