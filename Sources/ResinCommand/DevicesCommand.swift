import ArgumentParser
import Foundation
import Resin

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "Lists all devices of all OpenCL platforms.")

    @Flag(help: "Also train a small network on each for a step, and compare with the reference.")
    var check = false

    @Flag(help: "As JSON.")
    var json = false

    private struct Row: Encodable {
        var index: Int
        var name, vendor, type, platform: String
        var platformDevice: String?
        var memoryByteCount, computeUnits: Int
        var version: String
        var check: String?

        enum CodingKeys: String, CodingKey {
            case index, name, vendor, type, platform, version, check
            case platformDevice = "platform_device"
            case memoryByteCount = "memory_bytes"
            case computeUnits = "compute_units"
        }

        /// Every key is there, for the reference too, whose `platform_device` is null.
        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(index, forKey: .index)
            try values.encode(name, forKey: .name)
            try values.encode(vendor, forKey: .vendor)
            try values.encode(type, forKey: .type)
            try values.encode(platform, forKey: .platform)
            try values.encode(platformDevice, forKey: .platformDevice)
            try values.encode(memoryByteCount, forKey: .memoryByteCount)
            try values.encode(computeUnits, forKey: .computeUnits)
            try values.encode(version, forKey: .version)
            try values.encodeIfPresent(check, forKey: .check)
        }
    }

    func run() throws {
        let devices = try ComputeDevice.all()
        var failures = 0
        let rows = devices.map { device in
            let details = device.details
            var verdict: String?
            if check {
                do {
                    verdict = try SelfCheck(on: device).verdict
                } catch {
                    verdict = "failed: \(error)"
                    failures += 1
                }
            }
            return Row(
                index: details.index, name: details.name, vendor: details.vendor,
                type: details.type.rawValue, platform: details.platform,
                platformDevice: details.platformDevice, memoryByteCount: details.memoryByteCount,
                computeUnits: details.computeUnits, version: details.version, check: verdict)
        }
        if json {
            try printJSON(rows)
        } else {
            for (device, row) in zip(devices, rows) {
                print(device.description + (row.check.map { "\n   \($0)" } ?? ""))
            }
            if devices.count == 1 {
                note("No OpenCL device was found; install a driver, or pocl-opencl-icd for the CPU.")
            }
        }
        if failures > 0 {
            throw ResinError(.selfCheck, "\(failures) of \(devices.count) devices failed the self-check")
        }
    }
}

struct NetworksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "networks", abstract: "Lists the networks that Resin knows by name.")

    @Flag(help: "As JSON.")
    var json = false

    private struct Row: Encodable {
        var name: String
        var description: String
        var paper: String
        var input: ImageShape
        /// As `train` and `summary` take them.
        var options: [String]
    }

    func run() throws {
        let rows = Network.blueprints.map {
            Row(
                name: $0.name, description: $0.description, paper: $0.paper, input: $0.defaultInput,
                options: $0.options.map(\.rawValue))
        }
        if json { return try printJSON(rows) }
        let width = rows.map(\.name.count).max() ?? 0
        for row in rows {
            let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
            let options = row.options.isEmpty ? "" : "; \(row.options.joined(separator: " "))"
            print("\(name)  \(row.description) (input \(row.input)\(options); \(row.paper))")
        }
    }
}
