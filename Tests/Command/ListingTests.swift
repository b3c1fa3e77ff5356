import Foundation
import Testing

extension CommandTests {
    @Suite struct Listing {
        private static let deviceKeys: Set<String> = [
            "index", "name", "vendor", "type", "platform", "platform_device", "memory_bytes",
            "compute_units", "version",
        ]

        @Test("devices --json has every key for every device, the reference last")
        func devicesJSON() throws {
            let outcome = try success(of: Program("devices", "--json"))
            let rows = try #require(try outcome.json() as? [[String: Any]])
            for row in rows { #expect(Self.deviceKeys.isSubset(of: row.keys)) }
            #expect(rows.last?["type"] as? String == "reference")
            #expect(rows.map { $0["index"] as? Int } == Array(0..<rows.count))
            if rows.count > 1 { #expect(rows[0]["platform_device"] as? String == "0:0") }
        }

        @Test("devices lists one device a line on standard output")
        func devices() throws {
            let outcome = try success(of: Program("devices"))
            #expect(outcome.output.contains("reference (plain Swift)"))
        }

        @Test("Every device passes the self-check")
        func check() throws {
            let outcome = try success(of: Program("devices", "--check"))
            #expect(outcome.output.contains("agree with the reference"), "\(outcome)")
        }

        @Test("Without a driver the reference is listed, with a hint")
        func noDriver() throws {
            var program = Program("devices", "--json")
            program.environment["OCL_ICD_VENDORS"] = "/nonexistent"
            let rows = try #require(try success(of: program).json() as? [[String: Any]])
            #expect(rows.count == 1)
            #expect(rows.first?["type"] as? String == "reference")
            program.arguments = ["devices"]
            #expect(try program.run().errors.contains("pocl-opencl-icd"))
        }

        @Test("Without a driver a training says that it uses the reference")
        func noDriverTraining() throws {
            let folder = try Folder()
            var program = Program(
                "train", "nin", "--resize", "67", "--limit", "2", "--limit-test", "2", "--batch", "2",
                "--epochs", "1", "--out", folder / "run")
            program.environment["OCL_ICD_VENDORS"] = "/nonexistent"
            let outcome = try success(of: program)
            #expect(outcome.errors.contains("no OpenCL device was found: the reference executor is used"))
        }

        @Test("networks names the networks, as text and as JSON")
        func networks() throws {
            let rows = try #require(
                try success(of: Program("networks", "--json")).json() as? [[String: Any]])
            #expect(Set(rows.compactMap { $0["name"] as? String }).isSuperset(of: ["nin", "resnet18"]))
            #expect(try success(of: Program("networks")).output.contains("nin"))
            let vgg = try #require(rows.first { $0["name"] as? String == "vgg11" })
            #expect(vgg["variants"] as? [String] == ["book", "torchvision"])
            #expect(try success(of: Program("networks")).output.contains("--variant book|torchvision"))
        }

        @Test("summary gives torchvision's form its number of parameters")
        func variant() throws {
            let text = try success(
                of: Program("summary", "googlenet", "--variant", "torchvision", "--classes", "1000")
            ).output
            #expect(text.contains("input 3×224×224") && text.contains("6,624,904"), "\(text)")
        }

        @Test("NiN's summary has the book's shapes and number of parameters")
        func ninSummary() throws {
            let text = try success(of: Program("summary", "nin", "--input", "1x224x224")).output
            let shapes = [
                "96×54×54", "96×26×26", "256×26×26", "256×12×12", "384×12×12", "384×5×5", "10×5×5",
                "1,992,166",
            ]
            for shape in shapes { #expect(text.contains(shape), "\(text)") }
        }

        @Test(
            "Numbers of parameters are the books'",
            arguments: [
                ("nin", "1x224x224", 1_992_166), ("nin", "3x224x224", 2_015_398),
                ("resnet18", "1x96x96", 11_178_378),
            ])
        func parameters(network: String, input: String, count: Int) throws {
            let program = Program("summary", network, "--input", input, "--json")
            let object = try #require(try success(of: program).json() as? [String: Any])
            #expect(object["parameters"] as? Int == count)
            #expect((object["input"] as? [Int])?.count == 3)
            #expect(object["network"] as? String == network)
            #expect(object["multiply_adds"] is Int)
            let memory = try #require(object["memory"] as? [String: Int])
            #expect(
                Set(memory.keys) == [
                    "batch", "input_bytes", "parameters_bytes", "training_bytes", "inference_bytes",
                ])
            let layers = try #require(object["layers"] as? [[String: Any]])
            let keys: Set = ["name", "type", "input", "output", "parameters", "multiply_adds"]
            for layer in layers { #expect(keys.isSubset(of: layer.keys)) }
        }
    }
}
