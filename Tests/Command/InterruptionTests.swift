import Foundation
import Testing

extension CommandTests {
    @Suite struct Interrupted {
        let run: Runs.Finished
        let folder: Folder

        init() throws {
            run = try Runs.finished.get()
            folder = try Folder()
        }

        private func resume() -> Program { Program("train", "--resume", folder / "run") }

        /// Goes on with the run to its end, which must be that of the run that nobody disturbed.
        private func expectSameWeights(location: SourceLocation = #_sourceLocation) throws {
            try success(of: resume(), location: location)
            #expect(folder.epochsDone == 2, sourceLocation: location)
            #expect(try folder.lastWeights == run.folder.lastWeights, sourceLocation: location)
        }

        @Test(
            "A polite signal saves, exits 128 and its number, and the resumed run ends with the same bytes",
            arguments: [SIGINT, SIGTERM, SIGHUP])
        func polite(number: Int32) throws {
            let running = try Runs.training("--out", folder / "run").start()
            try folder.waitForMiddleOfSecondEpoch(of: running)
            running.signal(number)
            // A shell and its terminal both send it.
            if number == SIGHUP { running.signal(number) }
            let outcome = try running.wait()
            try #require(outcome.code == 128 + number, "\(outcome)")
            #expect(outcome.errors.contains("--resume \(folder / "run")"))
            #expect(folder.holds("run/last.safetensors"))
            try expectSameWeights()
        }

        @Test("A second signal ends the program at once and damages nothing")
        func impatient() throws {
            let running = try Runs.training("--out", folder / "run").start()
            try folder.waitForMiddleOfSecondEpoch(of: running)
            for _ in 1...2 { running.signal(SIGINT) }
            #expect(try running.wait(seconds: 10).code == 130)
            try expectSameWeights()
        }

        @Test("A signal while layers are measured for the report leaves a finished run")
        func measuring() throws {
            let running = try Runs.training("--out", folder / "run").start()
            while folder.text("run/log.txt")?.contains("test accuracy ") != true, running.isRunning {
                usleep(1_000)
            }
            running.signal(SIGINT)
            let outcome = try running.wait(seconds: 10)
            #expect(
                [0, 130].contains(outcome.code) && outcome.output.hasPrefix("test accuracy"), "\(outcome)")
            #expect(folder.text("run/report.html")?.contains("finished") == true)
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test("A hangup that was ignored at the start, as under nohup, stays ignored")
        func nohup() throws {
            var program = Runs.training("--out", folder / "run")
            program.preparation = "trap '' HUP; "
            let running = try program.start()
            try folder.waitForMiddleOfSecondEpoch(of: running)
            running.signal(SIGHUP)
            try #require(try running.wait().code == 0)
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test("A signal while kernels are compiled ends the program at once and leaves no folder")
        func compiling() throws {
            var program = Runs.training("--out", folder / "run")
            program.environment["POCL_CACHE_DIR"] = folder / "cache"
            let running = try program.start()
            while !folder.holds("cache"), running.isRunning { usleep(5_000) }
            usleep(300_000)
            running.signal(SIGINT)
            #expect(try running.wait(seconds: 10).code == 130)
            #expect(!folder.holds("run"))
        }

        @Test(
            "Output that nobody reads, or that is closed, loses nothing",
            arguments: [" 2>&1 | head -1", " 2>&1 | true", " >&- 2>&- <&-"])
        func closedOutput(redirection: String) throws {
            let training = Runs.training("--out", folder / "run")
            var shell = Program()
            shell.preparation =
                "set -o pipefail; '\(Program.path)' \(training.arguments.joined(separator: " "))"
                + redirection + "; exit; "
            try success(of: shell)
            #expect(folder.lines(of: "run/log.txt").last?.hasPrefix("test accuracy") == true)
            #expect(folder.lines(of: "run/log.txt").count == run.folder.lines(of: "run/log.txt").count)
            #expect(try folder.lastWeights == run.folder.lastWeights)
        }

        @Test(
            "A listing whose reader leaves ends quietly", arguments: ["networks --json", "devices", "--help"])
        func closedListing(arguments: String) throws {
            // What there is to say of drivers is said either way.
            let errors = try ["", "| true"].map { reader in
                var shell = Program()
                shell.preparation = "set -o pipefail; '\(Program.path)' \(arguments) \(reader); exit; "
                return try success(of: shell).errors
            }
            #expect(errors[1] == errors[0])
        }

        @Test("A run that is killed at any moment, again and again, ends with the same bytes")
        func killed() throws {
            var running = try Runs.training("--out", folder / "run").start()
            while !folder.holds("run/last.safetensors"), running.isRunning { usleep(5_000) }
            for milliseconds in [0, 700, 1300] {
                usleep(UInt32(milliseconds) * 1000)
                running.signal(SIGKILL)
                let code = try running.wait().code
                #expect(code == 128 + SIGKILL || code == 0)
                running = try resume().start()
            }
            try folder.waitForMiddleOfSecondEpoch(of: running)
            running.signal(SIGKILL)
            _ = try running.wait()
            try expectSameWeights()
        }

        @Test("A loss that is not finite stops the training with exit 3 and names where it is")
        func notFinite() throws {
            let outcome = try CommandTests.refusal(
                3, by: Runs.training("--lr", "1e30", "--optimizer", "sgd", "--out", folder / "run"))
            #expect(outcome.errors.contains("the first layer that is not finite is '"), "\(outcome)")
        }

        @Test("With --on-nan skip progress and metrics stay readable, up to an epoch without a finite step")
        func skipped() throws {
            let outcome = try CommandTests.refusal(
                3,
                by: Runs.training(
                    "--lr", "1e30", "--optimizer", "sgd", "--on-nan", "skip", "--progress", "json", "--out",
                    folder / "run"))
            let lines =
                outcome.errors.split(separator: "\n").map(String.init).dropLast()
                + folder.lines(of: "run/metrics.jsonl")
            #expect(folder.epochsDone == 1)
            for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
            // Its one finite step has left weights that are finite, but whose outputs are not.
            _ = try CommandTests.refusal(3, by: Program("evaluate", folder / "run/last.safetensors"))
        }
    }
}
