import ArgumentParser
import Foundation
import Resin

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "Lists all devices of all OpenCL platforms.",
        discussion: """
            --check also trains a small network on each for a step, runs small cases of every kernel in every form \
            that the device would choose, compares with the reference, and tries what the driver can do beyond what \
            OpenCL promises. Each try has a process of its own, which may crash. The answers are kept in the user's \
            cache folder, by device and driver version.
            """)

    @Flag(help: "Also run small cases of every kernel on each, and try what the driver can do.")
    var check = false

    @Flag(help: "With --check: also run each family of operators and compare with the reference.")
    var operators = false

    @Flag(help: "With --check: ask the driver again, whatever the cache folder holds.")
    var again = false

    @Flag(help: "With --check: also say why something does not work.")
    var verbose = false

    @Option(help: ArgumentHelp("Only this device, as for 'train'.", valueName: "spec"))
    var device: String?

    @Flag(help: "As JSON.")
    var json = false

    private struct Row: Encodable {
        var index: Int
        var name, vendor, type, platform: String
        var platformDevice: String?
        var memoryByteCount, computeUnits: Int
        var version: String
        var check: String?
        var driver: String?
        var probes: [ProbeResult]?
        var forms: FormCheck?
        var operators: [OperatorCheck]?

        enum CodingKeys: String, CodingKey {
            case index, name, vendor, type, platform, version, check, driver, probes, forms, operators
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
            try values.encodeIfPresent(driver, forKey: .driver)
            try values.encodeIfPresent(check, forKey: .check)
            try values.encodeIfPresent(probes, forKey: .probes)
            try values.encodeIfPresent(forms, forKey: .forms)
            try values.encodeIfPresent(operators, forKey: .operators)
        }
    }

    func run() throws {
        guard check || !(operators || again || verbose) else {
            throw ResinError(.usage, "--operators, --again and --verbose go with --check")
        }
        let devices = try device.map { [try ComputeDevice.matching($0)] } ?? ComputeDevice.all()
        var failures = 0
        var rows: [Row] = []
        for device in devices {
            let details = device.details
            var row = Row(
                index: details.index, name: details.name, vendor: details.vendor,
                type: details.type.rawValue, platform: details.platform,
                platformDevice: details.platformDevice, memoryByteCount: details.memoryByteCount,
                computeUnits: details.computeUnits, version: details.version, driver: device.driver)
            if !json { print(device) }
            if check { failures += try examine(device, &row) ? 0 : 1 }
            rows.append(row)
        }
        if json { try printJSON(rows) }
        if device == nil { tellOfDrivers(foundDevice: devices.count > 1) }
        if failures > 0 {
            throw ResinError(.selfCheck, "\(failures) of \(devices.count) devices failed the self-check")
        }
    }

    private func tellOfDrivers(foundDevice: Bool) {
        for line in ComputeDevice.driverNotes { note("note: \(line)") }
        let problems = ComputeDevice.driverProblems()
        if !foundDevice {
            note("No OpenCL device was found" + (problems.isEmpty ? "." : ":"))
        } else if !problems.isEmpty {
            note("Of other drivers:")
        }
        for problem in problems { note("  \(problem)") }
        if !foundDevice { note("Install a driver, or pocl-opencl-icd for the CPU.") }
    }

    /// Checks a device, and prints each answer as it comes where text is wanted.
    ///
    /// - Returns: whether it computes what it should.
    private func examine(_ device: ComputeDevice, _ row: inout Row) throws -> Bool {
        let specification = device.details.platformDevice ?? "reference"
        func child(_ kind: CheckOneCommand.Kind, _ name: String, _ seconds: Double) -> ChildCheck {
            ChildCheck(kind: kind, name: name, device: specification, secondsAllowed: seconds)
        }
        let isSilent = json
        @Sendable func say(_ line: String) {
            guard !isSilent else { return }
            print("   \(line)")
            // A check may take a while, and the next may hang.
            fflush(nil)
        }
        var isRight = true
        switch try child(.training, "steps", 300).run(as: String.self) {
        case .ended(let verdict): row.check = verdict
        case .failed(let reason):
            row.check = "failed: \(reason)"
            isRight = false
        }
        say(row.check!)
        if device.driver != nil {
            let forms = try device.checked(FormCheck.cases(of: device, all: true))
            row.forms = forms
            say(describe(forms))
            if forms.failure != nil { isRight = false }
            let kept = again ? nil : DeviceProbes.kept(for: device)
            let results = try (kept ?? DeviceProbes.found(for: device)).results
            row.probes = results
            for result in results { say(describe(result)) }
            if kept != nil { say("(as found before with driver \(device.driver!); --again asks anew)") }
        }
        guard operators else { return isRight }
        // Compilers take most of the time, and a core each.
        let found = InOrder<OperatorCheck>(count: OperatorCheck.families.count) {
            say(Self.describe($0))
        }
        try concurrently(OperatorCheck.families.count) { index in
            let family = OperatorCheck.families[index]
            switch try child(.operators, family, 900).run(as: OperatorCheck.self) {
            case .ended(let check): found.set(check, at: index)
            case .failed(let reason):
                found.set(OperatorCheck(family: family, cases: 0, failure: reason), at: index)
            }
        }
        row.operators = found.all
        return isRight && found.all.allSatisfy { $0.failure == nil }
    }

    private func describe(_ check: FormCheck) -> String {
        if let failure = check.failure { return "every form FAILED: \(failure)" }
        let error = check.worstError.map { String(format: "%.1e", $0) } ?? "infinite"
        return "every form OK: \(check.cases.count) cases, worst relative error \(error)"
    }

    private func describe(_ result: ProbeResult) -> String {
        let name = result.name.padding(toLength: 22, withPad: " ", startingAt: 0)
        let size = result.byteCount.map(bytes)
        let reason = verbose ? result.reason.map { ": " + $0.replacing("\n", with: "\n      ") } : nil
        return name + (result.works ? size ?? "yes" : "no" + (reason ?? ""))
    }

    private func bytes(_ count: Int) -> String {
        count < 1 << 20 ? "\(count >> 10) KiB" : "\(decimals(Double(count) / Double(1 << 30), 1)) GiB"
    }

    private static func describe(_ result: OperatorCheck) -> String {
        let name = result.family.padding(toLength: 27, withPad: " ", startingAt: 0)
        if let failure = result.failure { return "\(name)FAILED: \(failure)" }
        if let reason = result.reason { return "\(name)0 cases: \(reason)" }
        let error = result.worstError.map { String(format: "%.1e", $0) } ?? "infinite"
        return "\(name)OK: \(result.cases) cases, worst relative error \(error)"
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
        /// What `--variant` may be, the default first.
        var variants: [String]
    }

    func run() throws {
        let rows = Network.blueprints.map {
            Row(
                name: $0.name, description: $0.description, paper: $0.paper, input: $0.defaultInput,
                options: $0.options.map(\.rawValue), variants: $0.variants.map(\.rawValue))
        }
        if json { return try printJSON(rows) }
        let width = rows.map(\.name.count).max() ?? 0
        for row in rows {
            let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
            var options = row.options.isEmpty ? "" : "; \(row.options.joined(separator: " "))"
            // The last of the options where there are any.
            if !row.variants.isEmpty { options += " \(row.variants.joined(separator: "|"))" }
            print("\(name)  \(row.description) (input \(row.input)\(options); \(row.paper))")
        }
    }
}
