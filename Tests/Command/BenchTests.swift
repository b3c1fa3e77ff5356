import Foundation
import Testing

/// Whether there is one beside the reference.
private func hasDevice() throws -> Bool {
    let rows = try success(of: Program("devices", "--json")).json() as? [[String: Any]]
    return (rows?.count ?? 0) > 1
}

extension CommandTests {
    @Suite struct Bench {
        private static let keys: Set<String> = [
            "network", "device", "mode", "batch", "pipelined", "images_per_second", "step_milliseconds",
            "gflops",
            "peak_bytes", "plan_bytes", "first_step_seconds",
        ]

        private func bench(_ arguments: String...) throws -> [String: Any] { try bench(arguments) }

        private func bench(_ arguments: [String]) throws -> [String: Any] {
            let program = Program(["bench", "lenet", "--batch", "8", "--steps", "2", "--json"] + arguments)
            return try #require(try success(of: program).json() as? [String: Any])
        }

        @Test("bench --json has the contract's keys, and figures above zero, in both modes")
        func json() throws {
            var plans: [Double] = []
            for (mode, pipelined) in [("train", false), ("infer", true)] {
                let result = try bench(["--mode", mode] + (pipelined ? ["--pipelined"] : []))
                #expect(Set(result.keys) == Self.keys)
                #expect(result["mode"] as? String == mode)
                #expect(result["batch"] as? Int == 8)
                #expect(result["pipelined"] as? Bool == pipelined)
                for key in Self.keys.subtracting(["network", "device", "mode", "pipelined"]) {
                    #expect(try #require(result[key] as? Double) > 0, "\(key)")
                }
                plans.append(try #require(result["plan_bytes"] as? Double))
            }
            // Prediction needs neither gradients nor the optimizer's state, nor most activations.
            #expect(plans[1] < plans[0] / 2)
        }

        @Test(
            "Calibration gives figures above zero, alone and beside a network", .enabled { try hasDevice() })
        func calibration() throws {
            let alone = try success(of: Program("bench", "--calibrate", "--json"))
            let limits = try #require(try alone.json() as? [String: Double])
            let result = try bench("--calibrate")
            let beside = try #require(result["limits"] as? [String: Double])
            for values in [limits, beside] {
                #expect(Set(values.keys) == ["multiply_add_gflops", "copy_gigabytes_per_second"])
                #expect(values.values.allSatisfy { $0 > 0 })
            }
            let bound = try #require(result["bound_milliseconds"] as? Double)
            let step = try #require(result["step_milliseconds"] as? Double)
            let share = try #require(result["share_of_bound"] as? Double)
            #expect(bound > 0)
            #expect(abs(share - bound / step) < 1e-9)
        }

        @Test("The profile has a row for each operator, with its kernel", .enabled { try hasDevice() })
        func profile() throws {
            let rows = try #require(try bench("--profile")["operators"] as? [[String: Any]])
            // Two convolutions and three dense layers; nothing wants the gradient of the images.
            func count(_ pass: String) -> Int {
                rows.count {
                    $0["pass"] as? String == pass
                        && ($0["operation"] as? String)?.contains("convolution") == true
                }
            }
            #expect(count("forward") == 5)
            #expect(count("input gradient") == 4)
            #expect(count("filter gradient") == 5)
            #expect(rows.count { $0["pass"] as? String == "update" } == 1)
            for row in rows {
                #expect((row["kernel"] as? String)?.isEmpty == false)
                for key in ["milliseconds", "share_of_bound"] {
                    #expect(try #require(row[key] as? Double) > 0)
                }
            }
        }

        @Test("The profile's table has totals by pass and by layer", .enabled { try hasDevice() })
        func table() throws {
            let program = Program("bench", "lenet", "--batch", "8", "--steps", "1", "--profile")
            let lines = try success(of: program).output.split(separator: "\n")
            for start in ["layer ", "total ", "layer, ms ", "measured limits: "] {
                #expect(lines.contains { $0.hasPrefix(start) }, "\(start)")
            }
            for pass in ["forward", "input gradient", "filter gradient", "update"] {
                #expect(lines.contains { $0.hasPrefix(" ") && $0.contains("  \(pass)  ") }, "\(pass)")
            }
        }

        @Test("bench refuses what it cannot measure, and says what it wants")
        func refusals() throws {
            try expectRefusal(64, "a network", "--calibrate", by: Program("bench"))
            try expectRefusal(64, "--profile", "network", by: Program("bench", "--calibrate", "--profile"))
            for flag in ["--profile", "--calibrate"] {
                try expectRefusal(
                    64, flag, "reference", "--device",
                    by: Program("bench", "lenet", flag, "--device", "reference"))
            }
        }
    }
}
