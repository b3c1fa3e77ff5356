import Foundation
import Testing

/// `make fuzz` sets how many.
let mutantCount = ProcessInfo.processInfo.environment["RESIN_FUZZ"].flatMap { Int($0) } ?? 600
private let mutantsAProcess = 200

/// Mutated files of a run, read as the commands read them. A trap ends its process, not the tests'.
@Suite("Mutated files", .serialized)
struct FuzzTests {
    let folder: String

    init() throws {
        let place = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        var template = Array("\(place)/resin-fuzz-XXXXXX".utf8CString)
        folder = String(cString: try #require(mkdtemp(&template)))
    }

    @Test("Nothing in a configuration, metrics, a recipe or a checkpoint traps: it is read, or refused")
    func mutants() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/run"
        try MutatedRun.make(in: path)
        var ends: [String: Int] = [:]
        for first in stride(from: 0, to: mutantCount, by: mutantsAProcess) {
            let last = min(first + mutantsAProcess, mutantCount)
            await #expect(processExitsWith: .success) {
                [path = path as String, first = first as Int, last = last as Int] in
                let run = try MutatedRun(in: path)
                var log = ""
                for mutant in first..<last {
                    log += "\(mutant)"
                    try log.write(toFile: path + ".log", atomically: false, encoding: .utf8)
                    let (file, end) = try run.run(mutant: mutant)
                    log += "\t\(file): \(end)\n"
                }
                try log.write(toFile: path + ".log", atomically: false, encoding: .utf8)
            }
            let log = try String(contentsOfFile: path + ".log", encoding: .utf8).split(separator: "\n")
            for line in log where line.contains("\t") {
                ends[String(line.split(separator: "\t")[1]), default: 0] += 1
            }
            if log.count < last - first || log.last?.contains("\t") == false {
                Issue.record("mutant \(log.last ?? "?") ended its process")
            }
        }
        print(ends.sorted { $0.key < $1.key }.map { "\($0.value)\t\($0.key)" }.joined(separator: "\n"))
        // They are not all refused at the first byte.
        #expect(ends.filter { $0.key.contains("read") }.values.reduce(0, +) > mutantCount / 10)
    }
}
