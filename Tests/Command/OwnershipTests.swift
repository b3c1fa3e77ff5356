import Foundation
import Testing

extension CommandTests {
    /// Whose a run's folder is, and what is said of runs that are over or never began.
    @Suite struct Ownership {
        let run: Runs.Finished
        let folder: Folder

        init() throws {
            run = try Runs.finished.get()
            folder = try Folder()
        }

        @Test(
            "A folder with somebody's files is refused before anything is loaded, and is not touched",
            arguments: [[], ["--overwrite"]])
        func somebodys(options: [String]) throws {
            for name in ["log.txt", "report.html", "metrics.csv"] {
                try folder.write("mine", to: "proj/" + name)
            }
            let arguments = ["--out", folder / "proj", "--data", folder / "nowhere"] + options
            try expectRefusal(
                64, "holds no run", "'log.txt', 'metrics.csv', 'report.html'", "--out",
                by: Program(Runs.options + arguments))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder / "proj")
            #expect(names.sorted() == ["log.txt", "metrics.csv", "report.html"])
        }

        @Test("Of runs that start in one folder at once, one has it, and the others name its process")
        func race() throws {
            let running = try (0..<3).map { _ in try Runs.training("--out", folder / "run").start() }
            let outcomes = try running.map { try $0.wait() }
            #expect(outcomes.map(\.code).sorted() == [0, 64, 64])
            for outcome in outcomes where outcome.code == 64 {
                let isNamed = outcome.errors.contains(#/is taken: process [0-9]+ on \S+ is training there/#)
                #expect(isNamed || outcome.errors.contains("holds a run already"), "\(outcome)")
            }
            #expect(folder.epochsDone == 2)
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test("A run that is under way is neither resumed nor replaced, but may be evaluated")
        func busy() throws {
            let running = try Runs.training("--out", folder / "run", "--epochs", "200").start()
            try folder.waitForMiddleOfSecondEpoch(of: running)
            let words = "is taken: process \(running.identifier) on "
            try expectRefusal(64, words, by: Program("train", "--resume", folder / "run"))
            try expectRefusal(64, words, by: Runs.training("--out", folder / "run", "--overwrite"))
            try success(of: Program("evaluate", folder / "run"))
            running.signal(SIGKILL)
            _ = try running.wait()
            let resumed = try Program("train", "--resume", folder / "run").start()
            while folder.text("run/log.txt")?.contains("resumed") != true, resumed.isRunning { usleep(5_000) }
            #expect(resumed.isRunning)
            resumed.signal(SIGINT)
            #expect(try resumed.wait().code == 130)
            #expect(!folder.holds("run/.resin.lock"))
        }

        @Test("A run whose first checkpoint failed leaves nothing, and one killed there is started anew")
        func firstCheckpoint() throws {
            var program = Runs.training("--out", folder / "run", "--epochs", "1")
            program.fileSizeLimit = 2000
            try expectRefusal(74, "last", by: program)
            #expect(!folder.holds("run"))

            let configuration = try run.folder.bytes(of: "run/config.json")
            try folder.write(configuration, to: "run/config.json")
            try expectRefusal(
                66, "start it anew (--out \(folder / "run"))",
                by: Program("train", "--resume", folder / "run"))
            try success(of: Runs.training("--out", folder / "run", "--epochs", "1"))
        }

        @Test("A run that fails to replace another leaves it whole")
        func failedReplacement() throws {
            let folder = try run.copy()
            var program = Runs.training("--out", folder / "run", "--overwrite")
            program.fileSizeLimit = 2000
            try expectRefusal(74, "last", by: program)
            #expect(folder.epochsDone == 2)
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test("--resume of a run that is over says so, trains nothing and writes nothing")
        func over() throws {
            let folder = try run.copy()
            let log = folder.text("run/log.txt")
            let outcome = try success(of: Program("train", "--resume", folder / "run"))
            #expect(outcome.errors.contains("is over, finished after epoch 2: nothing was trained"))
            #expect(!outcome.errors.contains("resumed"))
            #expect(outcome.output == run.outcome.output.replacing(run.path, with: folder / "run"))
            #expect(folder.text("run/log.txt") == log)
        }
    }
}
