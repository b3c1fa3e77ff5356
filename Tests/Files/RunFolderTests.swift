import Foundation
import ResinTensor
import ResinTraining
import Testing

private func metrics(_ epoch: Int, loss: Double = 0.5) -> EpochMetrics {
    var metrics = EpochMetrics(epoch: epoch)
    (metrics.trainLoss, metrics.trainAccuracy, metrics.testLoss, metrics.testAccuracy) = (loss, 0.75, 1e-5, 1)
    (metrics.learningRate, metrics.seconds, metrics.imagesPerSecond) = (0.1, 2, 1234.5)
    (metrics.testTop5Accuracy, metrics.stepMilliseconds) = (1, 51.8)
    return metrics
}

@Suite("Run folders")
struct RunFolderTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func kind(_ body: () throws -> Void) -> ResinError.Kind? {
        do { try body() } catch { return (error as? ResinError)?.kind }
        return nil
    }

    @Test("Runs are numbered by the smallest free number from 1")
    func numbering() throws {
        let runs = folder / "a/runs"
        #expect(try RunFolder(newRunOf: "nin", runs: runs).path == runs + "/nin-1")
        #expect(try RunFolder(newRunOf: "nin", runs: runs).path == runs + "/nin-2")
        #expect(try RunFolder(newRunOf: "resnet18", runs: runs).path == runs + "/resnet18-1")
        try RunFolder(newRunOf: "nin", out: runs + "/nin-1").removeIfEmpty()
        #expect(try RunFolder(newRunOf: "nin", runs: runs).path == runs + "/nin-1")
        #expect(FileCalls.names(in: runs + "/nin-1").isEmpty)
    }

    @Test("A given folder is made with its parents")
    func given() throws {
        #expect(try RunFolder(newRunOf: "nin", out: folder / "x/y/").path == folder / "x/y")
        #expect(FileCalls.names(in: folder / "x/y").isEmpty)
        _ = try RunFolder(newRunOf: "nin", out: folder / "x/y")
    }

    @Test(
        "A folder with somebody's files is refused, whatever they are called, and nothing in it changes",
        arguments: [
            ["log.txt"], ["metrics.csv", "report.html"], ["last.safetensors"], [".hidden"], ["config.json"],
            ["config.json", "last.safetensors"], [".notes.txt.1-0.tmp"],
        ], [false, true])
    func somebodys(names: [String], overwrite: Bool) throws {
        for name in names { try folder.write(#"{"model_type": "bert"}"#, to: name) }
        let error = #expect(throws: ResinError.self) {
            try RunFolder(newRunOf: "nin", out: folder.path, overwrite: overwrite)
        }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("'\(names[0])'") == true)
        #expect(folder.names == names.sorted())
    }

    @Test("What a run leaves that was killed while it started counts as nothing")
    func leftovers() throws {
        try folder.write("", to: RunLock.fileName)
        try folder.write("x", to: ".last.safetensors.1-0.tmp")
        _ = try RunFolder(newRunOf: "nin", out: folder.path)
    }

    private static let empty = Checkpoint(step: 1, weights: Safetensors(), optimizer: Safetensors())

    private func writeConfiguration() throws {
        try folder.write(#"{"network": "nin", "optimizer": {"name": "sgd", "lr": 1}}"#, to: "config.json")
    }

    @Test("A run that has got as far as a checkpoint is not overwritten by accident")
    func existing() throws {
        try writeConfiguration()
        try folder.write("x", to: "notes.txt")
        try CheckpointFolder(path: folder.path).save(Self.empty)
        let error = #expect(throws: ResinError.self) { try RunFolder(newRunOf: "nin", out: folder.path) }
        #expect(error?.message.contains("--resume") == true)
        _ = try RunFolder(resuming: folder.path)
        _ = try RunFolder(newRunOf: "nin", out: folder.path, overwrite: true)
        #expect(folder.names.count == 4)
    }

    @Test("A run without a checkpoint is started anew, say --resume and --out alike")
    func unstarted() throws {
        try writeConfiguration()
        let error = #expect(throws: ResinError.self) { try RunFolder(resuming: folder.path) }
        #expect(error?.kind == .missingFile)
        #expect(error?.message.contains("start it anew (--out \(folder.path))") == true)
        _ = try RunFolder(newRunOf: "nin", out: folder.path)
    }

    @Test("A run whose checkpoints are gone is replaced on request, say --resume and --out alike")
    func withoutCheckpoints() throws {
        try writeConfiguration()
        try folder.write("epoch 1", to: "log.txt")
        let resuming = #expect(throws: ResinError.self) { try RunFolder(resuming: folder.path) }
        let starting = #expect(throws: ResinError.self) { try RunFolder(newRunOf: "nin", out: folder.path) }
        for error in [resuming, starting] {
            #expect(error?.message.contains("--overwrite") == true)
            #expect(error?.message.contains("--resume") == false)
        }
        _ = try RunFolder(newRunOf: "nin", out: folder.path, overwrite: true)
    }

    @Test("Overwriting removes the run's own files and no others, once the new run's first is on the disk")
    func overwriting() throws {
        try writeConfiguration()
        try LineFile(folder / "log.txt").append("x")
        try MetricsFiles(folder: folder.path).append(metrics(1))
        let checkpoints = CheckpointFolder(path: folder.path)
        for _ in 1...2 { try checkpoints.save(Self.empty) }
        try checkpoints.saveBest(Self.empty)
        for name in ["report.html", "mine.safetensors", "notes.txt"] { try folder.write("x", to: name) }
        #expect(folder.names.count == 13)

        let full = FileCalls { call, _ in call == .write ? ENOSPC : 0 }
        func start(_ calls: FileCalls) throws {
            let run = try RunFolder(newRunOf: "nin", out: folder.path, overwrite: true)
            try CheckpointFolder(path: folder.path, keep: 2, calls: calls)
                .save(Self.empty, clearing: run.removePreviousRun)
        }
        #expect(kind { try start(full) } == .cannotWrite)
        #expect(folder.names.count == 13)
        try start(FileCalls())
        #expect(
            folder.names == [
                "last.optimizer.safetensors", "last.safetensors", "mine.safetensors", "notes.txt",
            ])
    }

    @Test("A folder under the name of a run's file is nobody's to remove, and nothing else goes either")
    func foldersAmongFiles() throws {
        try writeConfiguration()
        try CheckpointFolder(path: folder.path).save(Self.empty)
        #expect(mkdir(folder / "report.html", 0o777) == 0)
        let run = try RunFolder(newRunOf: "nin", out: folder.path, overwrite: true)
        #expect(kind(run.removePreviousRun) == .cannotWrite)
        #expect(FileCalls.names(in: folder.path).contains("last.safetensors"))
    }

    @Test("A place that cannot be written to is named")
    func notWritable() throws {
        try folder.write("x", to: "file")
        for path in [folder / "file", folder / "file/below", "/proc/resin"] {
            let error = #expect(throws: ResinError.self) { try RunFolder(newRunOf: "nin", out: path) }
            #expect(error?.kind == .cannotWrite)
            #expect(error?.message.contains(folder.path) == true || error?.message.contains(path) == true)
        }
        #expect(kind { _ = try RunFolder(newRunOf: "nin", out: "/proc") } == .usage)
    }

    @Test("A run to resume has to be there")
    func missing() throws {
        #expect(kind { _ = try RunFolder(existing: folder.path) } == .missingFile)
        try folder.write("{", to: "config.json")
        let run = try RunFolder(existing: folder.path + "/")
        #expect(run.path == folder.path)
        #expect(kind { _ = try run.configuration(as: [String: Int].self) } == .badContent)
    }

    @Test("The configuration is written for people, its keys in order")
    func configuration() throws {
        let run = try RunFolder(newRunOf: "nin", out: folder.path)
        try run.write(configuration: ["b": "x/y", "a": "z"])
        #expect(folder.text("config.json") == "{\n  \"a\" : \"z\",\n  \"b\" : \"x/y\"\n}\n")
        #expect(try run.configuration(as: [String: String].self) == ["b": "x/y", "a": "z"])
    }

    @Test("An epoch is a line of JSON and of CSV, the keys in the documented order")
    func lines() throws {
        let files = MetricsFiles(folder: folder.path)
        #expect(try files.read() == [])
        try files.append(metrics(1))
        try files.append(metrics(2, loss: .nan))
        #expect(
            folder.text("metrics.jsonl") == """
                {"epoch":1,"train_loss":0.5,"train_accuracy":0.75,"test_loss":1e-05,"test_accuracy":1.0,\
                "learning_rate":0.1,"seconds":2.0,"images_per_second":1234.5,"test_top5_accuracy":1.0,\
                "step_milliseconds":51.8,"skipped_steps":0,"validation_loss":null,"validation_accuracy":null,\
                "validation_top5_accuracy":null,"ema_test_loss":null,"ema_test_accuracy":null,\
                "ema_validation_loss":null,"ema_validation_accuracy":null}
                {"epoch":2,"train_loss":null,"train_accuracy":0.75,"test_loss":1e-05,"test_accuracy":1.0,\
                "learning_rate":0.1,"seconds":2.0,"images_per_second":1234.5,"test_top5_accuracy":1.0,\
                "step_milliseconds":51.8,"skipped_steps":0,"validation_loss":null,"validation_accuracy":null,\
                "validation_top5_accuracy":null,"ema_test_loss":null,"ema_test_accuracy":null,\
                "ema_validation_loss":null,"ema_validation_accuracy":null}

                """)
        #expect(
            folder.text("metrics.csv") == """
                epoch,train_loss,train_accuracy,test_loss,test_accuracy,learning_rate,seconds,\
                images_per_second,test_top5_accuracy,step_milliseconds,skipped_steps,validation_loss,\
                validation_accuracy,validation_top5_accuracy,ema_test_loss,ema_test_accuracy,\
                ema_validation_loss,ema_validation_accuracy
                1,0.5,0.75,1e-05,1.0,0.1,2.0,1234.5,1.0,51.8,0,nan,nan,nan,nan,nan,nan,nan
                2,nan,0.75,1e-05,1.0,0.1,2.0,1234.5,1.0,51.8,0,nan,nan,nan,nan,nan,nan,nan

                """)
        let read = try files.read()
        #expect(read[0] == metrics(1))
        #expect(read[1].trainLoss.isNaN && read[1].epoch == 2)
        let encoded = try JSONDecoder().decode(EpochMetrics.self, from: try JSONEncoder().encode(read[0]))
        #expect(encoded == read[0])
    }

    @Test("A resumed run has every epoch once, torn lines or not")
    func resuming() throws {
        let files = MetricsFiles(folder: folder.path)
        try files.drop(after: 0)
        #expect(folder.names == [])
        for epoch in 1...12 { try files.append(metrics(epoch)) }
        try folder.write(folder.text("metrics.jsonl")! + #"{"epoch":1"#, to: "metrics.jsonl")
        // A torn 13 looks like a 1.
        try folder.write(folder.text("metrics.csv")! + "1", to: "metrics.csv")
        #expect(try files.read().count == 12)
        try files.drop(after: 10)
        for epoch in 11...12 { try files.append(metrics(epoch)) }
        #expect(try files.read().map(\.epoch) == Array(1...12))
        let column = folder.text("metrics.csv")!.split(separator: "\n").map { $0.prefix { $0 != "," } }
        #expect(column == ["epoch"] + (1...12).map { "\($0)" })
    }

    @Test("A run of the first version goes on under today's header")
    func olderMetrics() throws {
        let old =
            #"{"epoch":1,"train_loss":0.5,"train_accuracy":0.75,"test_loss":1,"test_accuracy":0.5,"#
            + #""learning_rate":0.1,"seconds":2,"images_per_second":9}"#
        try folder.write(old + "\n", to: "metrics.jsonl")
        try folder.write("epoch,train_loss\n1,0.5\n", to: "metrics.csv")
        let files = MetricsFiles(folder: folder.path)
        try files.drop(after: 1)
        try files.append(metrics(2))
        let read = try files.read()
        #expect(read.map(\.epoch) == [1, 2])
        #expect(read[0].testTop5Accuracy.isNaN && read[1] == metrics(2))
        let table = folder.text("metrics.csv")!.split(separator: "\n")
        #expect(table[0] == EpochMetrics.csvHeader)
        #expect(table[1] == "1,0.5,0.75,1.0,0.5,0.1,2.0,9.0,nan,nan,0,nan,nan,nan,nan,nan,nan,nan")
        #expect(table.count == 3)
    }

    @Test("A damaged line in the middle is named")
    func damaged() throws {
        try folder.write("\(metrics(1).jsonLine)\n{x\n\(metrics(2).jsonLine)\n", to: "metrics.jsonl")
        let error = #expect(throws: ResinError.self) { try MetricsFiles(folder: folder.path).read() }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("metrics.jsonl line 2") == true)
    }

    /// A member of the first epoch's line, one that no training writes, and what is said of it.
    static let wrongMembers = [
        ("\"epoch\":1", "\"epoch\":-1", "'epoch' is -1; it must be a whole number from 1 to 1000000"),
        ("\"epoch\":1", "\"epoch\":9223372036854775808", "'epoch' is not right: it is 9223372036854775808"),
        (
            "\"epoch\":1", "\"epoch\":2",
            "line 2: 'epoch' is 2; it must be above that of the line before it, 2"
        ),
        ("\"epoch\":1", "\"epoch\":1,\"epoch\":1", "the name epoch comes twice"),
        ("\"train_loss\":0.5", "\"train_loss\":1e300", "'train_loss' is 1e+300; it must be a number"),
        ("\"train_loss\":0.5", "\"train_loss\":\"low\"", "'train_loss' is not right"),
        ("\"train_accuracy\":0.75,", "", "'train_accuracy' is missing"),
        (
            "\"test_accuracy\":1.0", "\"test_accuracy\":7",
            "'test_accuracy' is 7.0; it must be a number from 0 to 1"
        ),
        ("\"skipped_steps\":0", "\"skipped_steps\":-1", "'skipped_steps' is -1"),
    ]

    @Test("A value that no training writes is named by line and key", arguments: wrongMembers)
    func wrongValue(member: String, other: String, words: String) throws {
        let wrong = metrics(1).jsonLine.replacing(member, with: other)
        #expect(wrong != metrics(1).jsonLine)
        let text = "\(wrong)\n\(metrics(2).jsonLine)\n"
        try folder.write(text, to: "metrics.jsonl")
        let files = MetricsFiles(folder: folder.path)
        for read in [{ _ = try files.read() }, { try files.drop(after: 1) }] {
            let error = #expect(throws: ResinError.self, performing: read)
            #expect(error?.kind == .badContent)
            #expect(error?.message.contains("metrics.jsonl line ") == true)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        #expect(folder.text("metrics.jsonl") == text, "a file that is not right was changed")
    }
}
