import Foundation
import ResinTensor
import ResinTraining
import Testing

private let mutantsAProcess = 2_000

/// Mutated files of PyTorch's. A trap ends its process, not the tests', and leaves the file that it read.
@Suite("Mutated files of PyTorch's", .serialized)
struct PyTorchFuzzTests {
    @Test("Nothing in one traps, hangs or takes much memory: it is read, or refused with its name")
    func mutants() async throws {
        let place = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        var template = Array("\(place)/resin-fuzz-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for first in stride(from: 0, to: mutantCount, by: mutantsAProcess) {
            let last = min(first + mutantsAProcess, mutantCount)
            await #expect(processExitsWith: .success) {
                [folder = folder as String, first = first as Int, last = last as Int] in
                let mutants = try MutatedPyTorchFiles(in: folder)
                var readCount = 0
                for mutant in first..<last {
                    if try mutants.isRead(mutant: mutant) { readCount += 1 }
                }
                try "\(readCount)".write(
                    toFile: folder + "/\(first).count", atomically: false, encoding: .utf8)
                // Not getrusage's, which begins with what the process that made this one had.
                let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
                let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?
                    .split(separator: " ").dropFirst().first.flatMap { Int($0) }
                precondition(peak.map { $0 < 600_000 } ?? false, "\(peak ?? -1) KB")
            }
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".pth")
        }
        #expect(left.isEmpty, "one of these ended its process: \(left)")
        let readCount = try FileManager.default.contentsOfDirectory(atPath: folder).reduce(0) {
            $0 + (Int(try String(contentsOfFile: folder + "/" + $1, encoding: .utf8)) ?? 0)
        }
        print("\(readCount) of \(mutantCount) mutated files of PyTorch's were read")
        // They are not all refused at the first byte.
        #expect(readCount > mutantCount / 10)
    }
}

/// The files that Tests/Files compares, changed.
private struct MutatedPyTorchFiles {
    let folder: String
    private let files: [[UInt8]]

    init(in folder: String) throws {
        self.folder = folder
        let goldens = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Files/Goldens")
        files = try [
            "plain", "protocol4", "legacy", "parameters", "trainer", "nested", "ema", "types", "strided",
            "strided-legacy", "expanded",
        ].map { [UInt8](try Data(contentsOf: goldens.appending(path: "\($0).pth"))) }
    }

    func isRead(mutant: Int) throws -> Bool {
        var draws = Draws(mutant: mutant)
        let path = folder + "/\(mutant).pth"
        try Data(changed(draws.element(of: files), &draws)).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let start = ContinuousClock().now
        defer { precondition(ContinuousClock().now - start < .seconds(5), "mutant \(mutant) takes long") }
        do {
            _ = try Safetensors(weightsOf: path)
            return true
        } catch let error as ResinError {
            precondition([.badContent, .outOfMemory].contains(error.kind), "\(error)")
            precondition(error.message.contains(path), "\(error)")
            return false
        }
    }

    /// Mostly without moving anything, so that a zip's directory goes on to fit, and in the pickles and the
    /// directory, not in the tensors.
    private func changed(_ file: [UInt8], _ draws: inout Draws) -> [UInt8] {
        if draws.integer(below: 8) == 0 { return mutated(bytes: file, &draws) }
        var file = file
        for _ in 0...draws.integer(below: 3) {
            let edge = min(file.count, draws.element(of: [400, 1500, 4000]))
            let place =
                draws.integer(below: 2) == 0
                ? draws.integer(below: edge) : file.count - 1 - draws.integer(below: edge)
            switch draws.integer(below: 5) {
            case 0: file[place] ^= 1 << UInt8(draws.integer(below: 8))
            case 1: file[place] = draws.element(of: Self.operations)
            case 2: file[place] = draws.element(of: [0, 1, 2, 8, 0x7F, 0x80, 0xFE, 0xFF])
            case 3:
                let count = min(draws.element(of: [2, 4, 8]), file.count - place)
                let value = draws.element(of: [0, 0x7F, 0x80, 0xFF] as [UInt8])
                for index in place..<place + count { file[index] = value }
            default:
                // A piece of the file over another.
                let count = min(1 + draws.integer(below: 40), file.count - place)
                let source = draws.integer(below: file.count - count + 1)
                file.replaceSubrange(place..<place + count, with: file[source..<source + count])
            }
        }
        return file
    }

    private static let operations: [UInt8] =
        Array("(.012NJKMGXTUCBhjqr)tl]ae}dsucRbQ".utf8)
        + [0x81, 0x93, 0x94, 0x95] + Array(0x85...0x91)
}
