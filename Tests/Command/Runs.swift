import Foundation
import Testing

/// Small trainings, of NiN on few glyphs: dropout, Adam's state and a shuffled order are in it.
enum Runs {
    static let options = [
        "train", "nin", "--resize", "67", "--limit", "256", "--limit-test", "32", "--batch", "16",
        "--epochs", "2", "--dropout", "0.5", "--warmup-epochs", "0",
    ]

    static func training(_ more: String...) -> Program { Program(options + more) }

    /// A training that ended, for all tests that only read it.
    static let finished = Result { try Finished() }

    struct Finished {
        let folder: Folder
        let outcome: Program.Outcome
        var path: String { folder / "run" }
        var last: String { folder / "run/last.safetensors" }

        init() throws {
            folder = try Folder()
            // What a static property holds is never released.
            atexit {
                if let run = try? Runs.finished.get() {
                    try? FileManager.default.removeItem(atPath: run.folder.path)
                }
            }
            outcome = try success(of: training("--out", folder / "run", "--progress", "json"))
        }

        /// A copy, for tests that change it.
        func copy() throws -> Folder {
            let copy = try Folder()
            try FileManager.default.copyItem(atPath: path, toPath: copy / "run")
            return copy
        }
    }
}

extension Folder {
    var lastWeights: [UInt8] { get throws { try bytes(of: "run/last.safetensors") } }
    var epochsDone: Int { lines(of: "run/metrics.jsonl").count }

    /// Waits until the run has saved its first epoch, and a few steps longer: the second is then under way, and
    /// far from its end even where each of its sixteen steps takes a fiftieth of a second.
    func waitForMiddleOfSecondEpoch(of program: Program.Running) throws {
        let start = Date()
        while text("run/log.txt")?.contains("epoch 1:") != true, program.isRunning {
            try #require(Date().timeIntervalSince(start) < 60, "no epoch in a minute")
            usleep(5_000)
        }
        usleep(100_000)
    }
}
