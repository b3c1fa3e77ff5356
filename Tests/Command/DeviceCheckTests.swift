import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    /// `devices --check` on the first OpenCL device, with a cache folder of its own.
    @Suite struct DeviceCheck {
        private struct Row: Decodable {
            struct Probe: Decodable {
                var name: String
                var works: Bool
                var byteCount: Int?
                var reason: String?
            }
            struct Family: Decodable {
                var family: String
                var cases: Int
                var worstError: Double?
                var failure: String?
                /// Why there is no case.
                var reason: String?
            }
            var type: String
            var check: String?
            var probes: [Probe]?
            var operators: [Family]?
        }

        private static func rows(_ outcome: Program.Outcome) throws -> [Row] {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode([Row].self, from: Data(outcome.output.utf8))
        }

        private static func program(_ arguments: String..., cache: Folder) -> Program {
            var program = Program(["devices", "--check", "--device", "0:0"] + arguments)
            program.environment["XDG_CACHE_HOME"] = cache.path
            // The driver keeps its kernels where it always does.
            if let home = ProcessInfo.processInfo.environment["HOME"] {
                program.environment["POCL_CACHE_DIR"] = home + "/.cache/pocl/kcache"
            }
            program.secondsAllowed = 600
            return program
        }

        @Test(
            "Each probe has an answer, and a reason where it is no; the second time they are kept",
            .needsDevice)
        func probes() throws {
            let cache = try Folder()
            let row = try #require(
                try Self.rows(success(of: Self.program("--json", cache: cache))).first)
            let probes = try #require(row.probes)
            #expect(probes.count == 16)
            for probe in probes {
                #expect(probe.works == (probe.reason == nil), "\(probe)")
                if probe.name.hasPrefix("mma"), row.type == "cpu" {
                    #expect(probe.reason?.contains("PTX is NVIDIA's") == true)
                }
            }
            let memory = try #require(probes.first { $0.name == "local memory" })
            #expect(!memory.works || memory.byteCount! >= 16 << 10)
            #expect(probes.contains { $0.name == "pinned staging" && $0.works })
            let fence = try #require(probes.first { $0.name == "device fence" })
            #expect(fence.works || fence.reason?.contains("promises no fence") == true, "\(fence)")

            let again = try success(of: Self.program("--verbose", cache: cache))
            #expect(again.output.contains("as found before with driver"), "\(again)")
            // A cache file that is torn is not believed.
            let folder = cache / "resin/probes"
            let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
            try cache.write("{", to: "resin/probes/\(name)")
            let anew = try success(of: Self.program(cache: cache))
            #expect(!anew.output.contains("as found before"), "\(anew)")
        }

        @Test("A driver that crashes in one probe leaves the others their answers", .needsDevice)
        func crash() throws {
            let folder = try Folder()
            // Ends the process when halves' arithmetic is compiled.
            let preload = try folder.preload(
                """
                #define _GNU_SOURCE
                #include <dlfcn.h>
                #include <stdlib.h>
                #include <string.h>
                int clBuildProgram(void *program, unsigned count, const void *devices, const char *options,
                                   void *notify, void *data) {
                    if (options && strstr(options, "ARITHMETIC")) abort();
                    int (*next)(void *, unsigned, const void *, const char *, void *, void *) =
                        dlsym(RTLD_NEXT, "clBuildProgram");
                    return next(program, count, devices, options, notify, data);
                }
                """)
            var program = Self.program("--json", cache: folder)
            program.environment["LD_PRELOAD"] = preload
            let row = try #require(try Self.rows(success(of: program)).first)
            let probes = try #require(row.probes)
            let crashed = try #require(probes.first { $0.name == "half arithmetic" })
            #expect(crashed.reason?.contains("crashed (signal 6)") == true, "\(crashed)")
            #expect(probes.contains { $0.name == "pinned staging" && $0.works })
        }

        @Test(
            "Training steps pass with every class of kernels", .needsDevice,
            arguments: ["", "gpu", "tensor-cores", "tensor-cores-by-registers"])
        func steps(kernels: String) throws {
            var program = Program("check-one", "training", "steps", "--device", "0:0")
            program.environment["RESIN_KERNELS"] = kernels
            #expect(try success(of: program).output.contains("passed"))
        }

        @Test("Each family of operators passes, or says why it has no case", .needsDevice)
        func operators() throws {
            let outcome = try success(of: Self.program("--operators", "--json", cache: Folder()))
            let families = try #require(try Self.rows(outcome).first?.operators)
            #expect(families.count == 21)
            for family in families {
                #expect(family.failure == nil, "\(family)")
                let optional = [
                    "Winograd", "tensor cores", "pieces through registers", "asynchronous copies",
                    "mixed precision",
                    "mixed precision in float16",
                ]
                let isEmpty = optional.contains(family.family) && family.reason != nil
                #expect((family.worstError == nil) == isEmpty)
                #expect(isEmpty ? family.cases == 0 : family.cases >= 8, "\(family)")
            }
        }

        @Test("Options of a check without one are refused")
        func usage() throws {
            try expectRefusal(64, "--check", by: Program("devices", "--operators"))
        }
    }
}
