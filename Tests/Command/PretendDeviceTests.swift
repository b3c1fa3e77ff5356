import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    /// What a training step is on a pretended H100 with tensor cores.
    @Suite struct PretendedDevice {
        private struct Work {
            var network: String
            var images: String
            var log: [String: PretendLog] = [:]
        }

        private static let precisions = ["float32", "mixed", "mixed-float16"]
        private static let golden = PretendDevice.root + "/Tests/PretendDevice/launches.txt"

        private static func run() throws -> [Work] {
            let device = try PretendDevice.shared.get()
            let sizes = [
                ("lenet", 64, "1x28x28"), ("residual-mnist", 64, "1x28x28"),
                ("inception-mnist", 64, "1x28x28"),
                ("nin", 128, "1x224x224"), ("resnet18", 64, "1x224x224"), ("resnet50", 64, "1x224x224"),
                ("googlenet", 128, "1x96x96"), ("densenet", 128, "1x96x96"),
                ("mobilenet_v3_large", 64, "3x224x224"), ("resnext50_32x4d", 64, "3x224x224"),
                ("shufflenet_v2_x1_0", 64, "3x224x224"), ("convnext_tiny", 64, "3x224x224"),
            ]
            return try sizes.map { network, batch, input in
                var work = Work(network: network, images: "\(batch)x\(input)")
                for precision in precisions {
                    let log = device.folder / "\(network)-\(precision)"
                    try success(
                        of: device.program(
                            "bench", network, "--batch", "\(batch)", "--input", input, "--precision",
                            precision, "--steps", "1", "--device", "0:0", log: log))
                    work.log[precision] = try PretendLog(log)
                }
                return work
            }
        }

        @Test("A step launches what the golden table says, and keeps to NVIDIA's limits", .needsDevice)
        func launches() throws {
            let works = try Self.run()
            for work in works {
                for (precision, log) in work.log {
                    #expect(log.wrongs.isEmpty, "\(work.network), \(precision): \(log.wrongs)")
                }
            }
            let table = Self.table(works)
            if ProcessInfo.processInfo.environment["RESIN_WRITE_LAUNCHES"] == "1" {
                try table.write(toFile: Self.golden, atomically: true, encoding: .utf8)
            }
            let golden = try String(contentsOfFile: Self.golden, encoding: .utf8)
            let changes = table.split(separator: "\n").difference(from: golden.split(separator: "\n"))
            #expect(
                changes.isEmpty,
                "Where this is meant, RESIN_WRITE_LAUNCHES=1 writes \(Self.golden) anew: \(changes.lines)")
        }

        /// Its figures are for who asks a GPU; that it reads what the driver logs is what is checked.
        @Test("The model of a step predicts each precision from the launches")
        func model() throws {
            var program = Program("Benchmarks/step_model.py", "--work", "lenet-28")
            program.executable = "/usr/bin/env"
            program.arguments.insert("python3", at: 0)
            program.folder = PretendDevice.root
            program.environment["RESIN"] = Program.path
            let rows = try success(of: program).output.split(separator: "\n").dropFirst(2)
            #expect(rows.map { $0.split(separator: " ")[3] } == ["exact", "fast", "mixed", "float16"])
        }

        private static func table(_ works: [Work]) -> String {
            var lines = [
                "What a training step is on a pretended H100 with tensor cores and cp.async (SGD with momentum).",
                "RESIN_WRITE_LAUNCHES=1 swift test --filter CommandTests.PretendedDevice writes it anew.",
                "",
                "programs: of the whole run; arguments: bytes passed to all launches; buffers: megabytes of all",
                "that launches read and write, each buffer once a launch, as if all of it were read or written",
                "",
                columns("network", "images", "precision", ["launches", "programs", "arguments", "buffers"]),
            ]
            for work in works {
                for precision in precisions {
                    let log = work.log[precision]!
                    let bytes = log.launches.reduce(0) { $0 + $1.bufferByteCount }
                    lines.append(
                        columns(
                            work.network, work.images, precision,
                            [
                                log.launches.count, log.programCount,
                                log.launches.reduce(0) { $0 + $1.valueByteCount }, bytes / 1_000_000,
                            ].map(String.init)))
                }
            }
            lines += ["", "Launches of each kernel, in float32/mixed/mixed-float16 where they differ", ""]
            let all = works.flatMap { work in precisions.flatMap { work.log[$0]!.launches } }
            let kernels = Set(all.map(\.kernel)).sorted()
            let width = kernels.map(\.count).max()!
            lines.append(
                padded("kernel", width) + works.map { padded($0.network, 19, isRight: true) }.joined())
            for kernel in kernels {
                let cells = works.map { work in
                    let counts = precisions.map { precision in
                        work.log[precision]!.launches.count { $0.kernel == kernel }
                    }
                    if counts.allSatisfy({ $0 == 0 }) { return "." }
                    return Set(counts).count == 1
                        ? "\(counts[0])" : counts.map(String.init).joined(separator: "/")
                }
                lines.append(padded(kernel, width) + cells.map { padded($0, 19, isRight: true) }.joined())
            }
            lines += ["", "Arguments of each kernel, with their bytes (a * is a buffer)", ""]
            for kernel in kernels {
                let signatures = Set(
                    all.filter { $0.kernel == kernel }.map {
                        $0.arguments.map(\.description).joined(separator: ", ")
                    })
                for signature in signatures.sorted() {
                    lines.append(padded(kernel, width) + "  " + signature)
                }
            }
            return lines.joined(separator: "\n") + "\n"
        }

        private static func columns(
            _ network: String, _ images: String, _ precision: String, _ cells: [String]
        ) -> String {
            padded(network, 19) + padded(images, 15) + padded(precision, 14)
                + cells.map { padded($0, 11, isRight: true) }.joined()
        }

        private static func padded(_ text: String, _ width: Int, isRight: Bool = false) -> String {
            let padding = String(repeating: " ", count: max(width - text.count, 0))
            return isRight ? padding + text : text + padding
        }
    }
}

extension CollectionDifference<Substring> {
    /// As `diff` prints them.
    fileprivate var lines: String {
        map { change in
            switch change {
            case .remove(_, let line, _): "\n- \(line)"
            case .insert(_, let line, _): "\n+ \(line)"
            }
        }.joined()
    }
}
