import Foundation
import ResinTensor

/// A program of the system that does what Resin does not do itself, as a child process that ends when this
/// process does: its input or its output is a pipe to here.
struct ChildProgram {
    let name: String
    /// Debian's.
    let package: String

    static let curl = ChildProgram(name: "curl", package: "curl")
    static let sha256sum = ChildProgram(name: "sha256sum", package: "coreutils")
    static let tar = ChildProgram(name: "tar", package: "tar")

    struct Outcome {
        let code: Int32
        /// What it wrote to standard error.
        let complaint: String
    }

    /// Runs it to its end.
    ///
    /// - Parameters:
    ///   - input: writes what the program reads.
    ///   - output: takes what the program writes, piece by piece.
    /// - Throws: `ResinError(.failure)` where the program is not installed; what the closures throw.
    func run(
        _ arguments: [String], input: (FileHandle) throws -> Void = { _ in },
        output: (UnsafeRawBufferPointer) throws -> Void = { _ in }
    ) throws -> Outcome {
        let process = Process()
        // `env` looks through PATH.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        let (source, sink) = (Pipe(), Pipe())
        process.standardInput = source
        process.standardOutput = sink
        // A file, not a third pipe, which nobody would empty meanwhile.
        let complaintPath = NSTemporaryDirectory() + "/resin-\(name)-\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: complaintPath, contents: nil) else {
            throw ResinError(
                .cannotWrite,
                "cannot write \(complaintPath); free space there, or set TMPDIR to another folder.")
        }
        defer { try? FileManager.default.removeItem(atPath: complaintPath) }
        process.standardError = FileHandle(forWritingAtPath: complaintPath)
        do {
            try process.run()
        } catch {
            throw missing
        }
        do {
            try withoutPipeSignal { try input(source.fileHandleForWriting) }
            try source.fileHandleForWriting.close()
            try drain(sink.fileHandleForReading.fileDescriptor, output)
        } catch {
            // A polite signal may be blocked: children inherit that from threads of Swift's concurrency.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            throw error
        }
        process.waitUntilExit()
        guard process.terminationStatus != 127 else { throw missing }
        let complaint = (try? String(contentsOfFile: complaintPath, encoding: .utf8)) ?? ""
        return Outcome(
            code: process.terminationStatus,
            complaint: complaint.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Makes a program that ends without reading all of its input an error of the write, EPIPE, which would
    /// otherwise end this process.
    private func withoutPipeSignal(_ body: () throws -> Void) throws {
        var pipe = sigset_t()
        var before = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, &before)
        defer {
            var now = timespec()
            while sigtimedwait(&pipe, nil, &now) == SIGPIPE {}
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
        do {
            try body()
        } catch let error as CocoaError where error.code == .fileWriteUnknown {
            // The exit code tells why.
        }
    }

    private var missing: ResinError {
        ResinError(.failure, "the program '\(name)' is not installed; install it (Debian: \(package)).")
    }

    private func drain(_ descriptor: Int32, _ output: (UnsafeRawBufferPointer) throws -> Void) throws {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { chunk.deallocate() }
        while true {
            let count = read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            try output(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
    }
}
