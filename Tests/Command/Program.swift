import Foundation
import Testing

/// The program `resin` with its arguments, run as a child process: what a person gets from the shell.
struct Program {
    /// Another program in its place.
    var executable = Self.path
    var arguments: [String]
    var environment: [String: String] = [:]
    var folder: String?
    /// Blocks of 1024 bytes that a file may have (`ulimit -f`): a full disk for those who may not make one.
    var fileSizeLimit: Int?
    /// What the shell does first.
    var preparation = ""
    var secondsAllowed = 120.0
    /// Where standard output and standard error go, if not into the outcome.
    var outputPath: String?
    var errorPath: String?

    init(_ arguments: String...) { self.arguments = arguments }
    init(_ arguments: [String]) { self.arguments = arguments }

    struct Outcome: CustomStringConvertible {
        /// The exit code, or 128 and the signal's number as a shell has it.
        var code: Int32
        var output: String
        var errors: String
        var description: String { "exit \(code)\n--- stdout\n\(output)\n--- stderr\n\(errors)" }

        func json() throws -> Any { try JSONSerialization.jsonObject(with: Data(output.utf8)) }
    }

    /// Beside the test bundle, where the build puts both.
    static let path =
        ProcessInfo.processInfo.environment["RESIN_PROGRAM"]
        ?? Bundle.main.executableURL!.deletingLastPathComponent().path + "/resin"

    func run() throws -> Outcome { try start().wait(seconds: secondsAllowed) }

    func start() throws -> Running { try Running(self) }

    /// A program that is running.
    final class Running {
        private let process = Process()
        private let files: Folder
        private let ended = DispatchSemaphore(value: 0)

        fileprivate init(_ program: Program) throws {
            files = try Folder()
            let limit = program.fileSizeLimit.map { "ulimit -f \($0); " } ?? ""
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments =
                ["-c", program.preparation + limit + "exec \"$0\" \"$@\"", program.executable]
                + program.arguments
            process.environment = ProcessInfo.processInfo.environment
                .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }.merging(program.environment) { $1 }
            process.currentDirectoryURL = URL(fileURLWithPath: program.folder ?? files.path)
            // Files, not pipes: a pipe that nobody empties would stop the program.
            for name in ["out", "err"] { try files.write("", to: name) }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle(
                forWritingAtPath: program.outputPath ?? files / "out")
            process.standardError = FileHandle(
                forWritingAtPath: program.errorPath ?? files / "err")
            process.terminationHandler = { [ended] _ in ended.signal() }
            try process.run()
        }

        func signal(_ number: Int32) { kill(process.processIdentifier, number) }

        var isRunning: Bool { process.isRunning }
        /// The shell becomes the program.
        var identifier: Int32 { process.processIdentifier }

        /// Waits until it ends; one that takes longer is killed, and the test fails.
        func wait(seconds: Double = 120) throws -> Outcome {
            if ended.wait(timeout: .now() + seconds) == .timedOut {
                signal(SIGKILL)
                ended.wait()
                Issue.record("it took longer than \(seconds) s: \(process.arguments ?? [])")
            }
            let signal = process.terminationReason == .uncaughtSignal
            return Outcome(
                code: process.terminationStatus + (signal ? 128 : 0), output: files.text("out") ?? "",
                errors: files.text("err") ?? "")
        }
    }
}

/// Runs the program, which must refuse with this code and a message that holds all these words.
@discardableResult
func expectRefusal(
    _ code: Int32, _ words: String..., by program: Program, location: SourceLocation = #_sourceLocation
) throws -> Program.Outcome {
    let outcome = try program.run()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    #expect(outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    for word in words {
        #expect(outcome.errors.contains(word), "\(outcome)", sourceLocation: location)
    }
    return outcome
}

/// Runs the program, which must end well.
@discardableResult
func success(
    of program: Program, location: SourceLocation = #_sourceLocation
) throws -> Program.Outcome {
    let outcome = try program.run()
    try #require(outcome.code == 0, "\(outcome)", sourceLocation: location)
    return outcome
}

/// One suite for all, so that its programs run one after another and have the machine's cores.
@Suite(.serialized) enum CommandTests {}
