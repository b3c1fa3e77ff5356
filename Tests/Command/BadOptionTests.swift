import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    @Suite struct BadOptions {
        @Test("An unknown network is refused with the one that was meant")
        func network() throws {
            try expectRefusal(64, "resnet81", "did you mean 'resnet18'", by: Program("train", "resnet81"))
        }

        @Test("An unknown data set is refused with the known ones")
        func dataset() throws {
            try expectRefusal(64, "'glyph'", "fashion-mnist", by: Program("train", "nin", "--data", "glyph"))
        }

        @Test("An unknown option is refused")
        func option() throws {
            try expectRefusal(64, "--bogus", by: Program("train", "nin", "--bogus"))
        }

        @Test("An unknown device is refused with the candidates", arguments: ["fantasy", "77", "9:9"])
        func device(name: String) throws {
            try expectRefusal(
                69, "'\(name)'", "reference (plain Swift)", by: Runs.training("--device", name))
        }

        @Test("A device that means several is refused with the candidates")
        func ambiguous() throws {
            // Every device's name has a letter e: PoCL's processor, NVIDIA's GeForce, the reference.
            let rows = try #require(try Program("devices", "--json").run().json() as? [[String: Any]])
            guard rows.count(where: { ($0["name"] as? String)?.contains("e") == true }) > 1 else { return }
            try expectRefusal(69, "matches several", "0:", by: Runs.training("--device", "e"))
        }

        @Test(
            "A variable with an unknown value is refused with those that there are", .needsDevice,
            arguments: [
                ("RESIN_KERNELS", "gpus", "gpu, tensor-cores, tensor-cores-by-registers"),
                ("RESIN_DEBUG", "9", "1 (forms)"), ("RESIN_CHECK", "on", "off, or not set"),
            ])
        func variable(name: String, value: String, allowed: String) throws {
            var program = Runs.training("--device", "0:0")
            program.environment[name] = value
            try expectRefusal(64, "\(name) is '\(value)'", allowed, by: program)
        }

        @Test("An image too small for the network is refused with the layer and the size that fits")
        func tooSmall() throws {
            try expectRefusal(64, "layer '", "1×67×67", by: Runs.training("--resize", "40"))
            try expectRefusal(64, "layer '", by: Program("summary", "nin", "--input", "1x8x8"))
        }

        @Test("A batch of none, or more than the set has, is refused", arguments: ["0", "-4", "257"])
        func batch(size: String) throws {
            try expectRefusal(64, "batch", by: Runs.training("--batch=\(size)"))
        }

        static let absurd = [
            ["--epochs", "9223372036854775807"], ["--epochs", "0"],
            ["--warmup-epochs", "9223372036854775807"], ["--warmup-epochs=-1"],
            ["--resize", "100000000"], ["--resize", "0"], ["--keep", "9223372036854775807"],
            ["--keep", "0"], ["--save-every", "0"], ["--batch", "9223372036854775807"],
            ["--limit", "0"], ["--limit-test", "9223372036854775807"], ["--lr", "nan"], ["--lr", "0"],
            ["--momentum", "1.5"], ["--weight-decay=-1"], ["--dropout", "1"], ["--mean", "1,2"],
            ["--std", "0"], ["--augment", "spin"], ["--augment", "mixup=0"],
            ["--augment", "erase=2"], ["--augment", "jitter=1:1:1:1"],
            ["--augment", "crop,random-resized-crop"],
            ["--augment", "randaugment=9:9"], ["--augment", "random-resized-crop=0:1"], ["--nesterov"],
            ["--seed", "x"],
            ["--label-smoothing", "1"], ["--label-smoothing=-0.1"], ["--patience", "0"],
        ]

        @Test("A number out of range is refused with the option's name", arguments: absurd)
        func range(option: [String]) throws {
            let outcome = try Program(Runs.options + option).run()
            #expect(outcome.code == 64, "\(outcome)")
            let name = String(option[0].split(separator: "=")[0].drop { $0 == "-" })
            #expect(outcome.errors.contains(name) || name.hasPrefix("limit"), "\(outcome)")
        }

        @Test(
            "Absurd sizes are refused by summary and bench too",
            arguments: [
                ["summary", "nin", "--batch", "4611686018427387904"],
                ["summary", "nin", "--classes", "9223372036854775807"],
                ["summary", "nin", "--input", "1000000x1000000x1000000"],
                ["summary", "nin", "--input", "1x224"], ["bench", "nin", "--batch", "4611686018427387904"],
                ["bench", "nin", "--steps", "9223372036854775807"],
            ])
        func sizes(arguments: [String]) throws { try expectRefusal(64, by: Program(arguments)) }

        @Test("A plan larger than the device is refused with need, have and the largest batch")
        func tooLarge() throws {
            var program = Program("train", "nin", "--resize", "224", "--limit", "2048", "--batch", "2048")
            program.environment["POCL_MEMORY_LIMIT"] = "1"
            let rows = try #require(try Program("devices", "--json").run().json() as? [[String: Any]])
            guard rows.count > 1 else { return }
            try expectRefusal(71, "needs", " has ", "the largest batch that fits is", by: program)
        }
    }
}
