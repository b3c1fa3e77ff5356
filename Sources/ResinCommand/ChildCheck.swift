import ArgumentParser
import Foundation
import Resin

/// One check in a process of its own, since a bad driver may crash or never come back: this program again, as
/// `resin check-one`, with a time limit.
struct ChildCheck {
    var kind: CheckOneCommand.Kind
    var name: String
    /// `platform:device`, an index, or `reference`.
    var device: String
    var math = MathMode.fast
    var precision = Precision.float32
    var secondsAllowed: Double
    /// What is being checked, where the name does not tell.
    var told: String?

    private static let secondsInSilence = 30.0

    enum Outcome<Result> {
        case ended(Result)
        /// It crashed, hung, or gave up: how, in words.
        case failed(String)
    }

    func run<Result: Decodable>(as type: Result.Type) throws -> Outcome<Result> {
        let files = FileManager.default.temporaryDirectory.appendingPathComponent(
            "resin-check-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        } catch {
            throw ResinError(
                .cannotWrite, "cannot make \(files.path); free space there, or set TMPDIR to another folder")
        }
        defer { try? FileManager.default.removeItem(at: files) }
        let paths = ["out", "err"].map { files.appendingPathComponent($0).path }
        guard paths.allSatisfy({ FileManager.default.createFile(atPath: $0, contents: nil) }) else {
            throw ResinError(.cannotWrite, "cannot write in \(files.path); free space there, or set TMPDIR")
        }

        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = [
            "check-one", kind.rawValue, name, "--device", device, "--math", math.rawValue,
            "--precision", precision.rawValue,
        ]
        // A backtrace of a driver is of no use here, and takes seconds.
        process.environment = ProcessInfo.processInfo.environment
            .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: a driver's compiler that outlives the process would hold a pipe open.
        process.standardOutput = FileHandle(forWritingAtPath: paths[0])
        process.standardError = FileHandle(forWritingAtPath: paths[1])
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        do {
            try process.run()
        } catch {
            throw ResinError(.failure, "cannot run this program a second time: \(error.localizedDescription)")
        }
        // Some compilers take minutes.
        var seconds = 0.0
        while ended.wait(timeout: .now() + min(secondsAllowed - seconds, Self.secondsInSilence)) == .timedOut
        {
            seconds += Self.secondsInSilence
            if seconds >= secondsAllowed {
                kill(process.processIdentifier, SIGKILL)
                ended.wait()
                return .failed("it had not ended after \(Int(secondsAllowed)) s")
            }
            note("\(Int(seconds)) s: \(told ?? "\(kind.rawValue) \(name)") on \(device) goes on")
        }
        if process.terminationReason == .uncaughtSignal {
            return .failed("the driver crashed (signal \(process.terminationStatus))")
        }
        let output = FileManager.default.contents(atPath: paths[0]) ?? Data()
        let complaint = FileManager.default.contents(atPath: paths[1]) ?? Data()
        guard process.terminationStatus == 0 else {
            let text = String(decoding: complaint, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
            return .failed(
                text.isEmpty
                    ? "exit code \(process.terminationStatus)" : String(text.trimmingPrefix("resin: ")))
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return .ended(try decoder.decode(Result.self, from: output))
        } catch {
            return .failed("it ended well but printed no result: \(String(decoding: output, as: UTF8.self))")
        }
    }
}

extension DeviceProbes {
    /// Asks a device's driver, one thing a process, and keeps the answers.
    static func found(for device: ComputeDevice) throws -> DeviceProbes {
        let specification = device.details.platformDevice ?? "reference"
        let results = try names.map { name in
            let child = ChildCheck(kind: .probe, name: name, device: specification, secondsAllowed: 60)
            return switch try child.run(as: ProbeResult.self) {
            case .ended(let result): result
            case .failed(let reason): ProbeResult(name: name, works: false, reason: reason)
            }
        }
        let probes = DeviceProbes(device: device.details.name, driver: device.driver ?? "", results: results)
        do {
            try probes.keep(for: device)
        } catch let error as ResinError {
            note("the answers are not kept: \(error.message)")
        }
        return probes
    }
}

extension ComputeDevice {
    /// `RESIN_CHECK=off`: for tests of drivers that compute nothing or are known to be wrong.
    ///
    /// - Throws: `ResinError(.usage)` where the variable has another value.
    static func areUnchecked() throws -> Bool {
        let choice = ProcessInfo.processInfo.environment["RESIN_CHECK"] ?? ""
        guard ["", "off"].contains(choice) else {
            throw ResinError(.usage, "RESIN_CHECK is '\(choice)'; it may be off, or not set")
        }
        return choice == "off"
    }

    /// Has the driver checked on what a training takes, where it has not been, in a process of its own; what was right
    /// is kept.
    ///
    /// - Throws: `ResinError(.selfCheck)` that names the device, what is wrong, and the other devices.
    func check(
        beforeTraining network: Network, _ dataset: Dataset, _ configuration: TrainingConfiguration,
        note: (String) -> Void
    ) throws {
        let isUnchecked = try Self.areUnchecked()
        var device = self
        (device.math, device.precision) = (configuration.math, configuration.precision)
        let cases = try FormCheck.cases(beforeTraining: network, dataset, configuration, on: device)
        guard !cases.isEmpty else { return }
        if isUnchecked {
            return note("RESIN_CHECK=off: what \(details.name) computes is not checked, and may be wrong")
        }
        note(
            "checking \(details.name) with driver \(driver ?? "") once, on \(cases.count) small cases of the kernels "
                + "that are wanted")
        if let failure = try device.checked(cases).failure {
            let others = try ComputeDevice.all().filter { $0.details.index != details.index }
                .map { "\n  --device \($0.details.platformDevice ?? "reference"): \($0.details.name)" }
            throw ResinError(
                .selfCheck,
                "'\(details.name)' with driver \(driver ?? "") computes something else than it should and is not used: ",
                lines: "\(failure)\nUpdate the driver, or take another device:\(others.joined())")
        }
    }

    /// Runs cases in a process of its own, and keeps what was right.
    func checked(_ cases: [String]) throws -> FormCheck {
        let child = ChildCheck(
            kind: .forms, name: cases.joined(separator: "\n"), device: details.platformDevice ?? "reference",
            math: math, precision: precision, secondsAllowed: 900, told: "\(cases.count) cases")
        switch try child.run(as: FormCheck.self) {
        case .failed(let reason): return FormCheck(cases: cases, failure: reason)
        case .ended(let check):
            do {
                try check.keep(for: self)
            } catch let error as ResinError {
                note("what was found is not kept: \(error.message)")
            }
            return check
        }
    }
}

/// What `ChildCheck` runs. Not for people, so no help lists it.
struct CheckOneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-one", abstract: "One check of 'devices --check', in this process.",
        shouldDisplay: false)

    enum Kind: String, CaseIterable, ExpressibleByArgument { case probe, training, forms, operators }

    @Argument var kind: Kind
    @Argument var name: String
    @OptionGroup var deviceOption: DeviceOption

    func run() throws {
        let device = try deviceOption.choose(asksDriver: false)
        switch kind {
        case .probe: try printJSON(DeviceProbes.run(name, on: device))
        case .training: try printJSON(SelfCheck(on: device).verdict)
        case .forms:
            try printJSON(FormCheck.run(name.split(separator: "\n").map(String.init), on: device))
        case .operators: try printJSON(OperatorCheck.run(name, on: device))
        }
    }
}
