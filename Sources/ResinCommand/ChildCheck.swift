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
    var secondsAllowed: Double

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
        if ended.wait(timeout: .now() + secondsAllowed) == .timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
            return .failed("it had not ended after \(Int(secondsAllowed)) s")
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

/// What `ChildCheck` runs. Not for people, so no help lists it.
struct CheckOneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-one", abstract: "One check of 'devices --check', in this process.",
        shouldDisplay: false)

    enum Kind: String, CaseIterable, ExpressibleByArgument { case probe, training, operators }

    @Argument var kind: Kind
    @Argument var name: String
    @OptionGroup var deviceOption: DeviceOption

    func run() throws {
        let device = try deviceOption.choose(asksDriver: false)
        switch kind {
        case .probe: try printJSON(DeviceProbes.run(name, on: device))
        case .training: try printJSON(SelfCheck(on: device).verdict)
        case .operators: try printJSON(OperatorCheck.run(name, on: device))
        }
    }
}
