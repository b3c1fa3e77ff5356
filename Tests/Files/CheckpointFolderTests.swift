import Foundation
import ResinTensor
import ResinTraining
import Testing

/// A checkpoint whose values tell its step.
private func checkpoint(_ step: Int, elements: Int = 2) -> Checkpoint {
    let values = [Float](repeating: Float(step), count: elements)
    return Checkpoint(
        step: step, weights: Safetensors([.init("w", shape: [elements], values: values)]),
        optimizer: Safetensors(
            [.init("m", shape: [elements], values: values)], metadata: ["epoch": "\(step)"]))
}

@Suite("Checkpoints")
struct CheckpointFolderTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func checkpoints(_ keep: Int = 2, _ calls: FileCalls = FileCalls()) -> CheckpointFolder {
        CheckpointFolder(path: folder.path, keep: keep, calls: calls)
    }

    private func step(of name: String) -> String? {
        (try? Safetensors.metadata(of: folder / name))?["step"]
    }

    private func clear() throws {
        for name in folder.names { try FileManager.default.removeItem(atPath: folder / name) }
    }

    @Test("The last ones are kept, the newest is found")
    func keeping() throws {
        #expect(try checkpoints().newestConsistent() == nil)
        for step in 1...5 { try checkpoints(3).save(checkpoint(step)) }
        #expect(
            folder.names == [
                "last.1.optimizer.safetensors", "last.1.safetensors", "last.2.optimizer.safetensors",
                "last.2.safetensors", "last.optimizer.safetensors", "last.safetensors",
            ])
        #expect(step(of: "last.safetensors") == "5")
        #expect(step(of: "last.1.safetensors") == "4")
        #expect(step(of: "last.2.optimizer.safetensors") == "3")
        #expect(try checkpoints().newestConsistent() == checkpoint(5))
        try checkpoints(1).save(checkpoint(6))
        #expect(folder.names == ["last.optimizer.safetensors", "last.safetensors"])
    }

    @Test("Equal runs give equal weight files")
    func deterministic() throws {
        let other = try Folder()
        try checkpoints().save(checkpoint(3))
        try CheckpointFolder(path: other.path).save(checkpoint(3))
        #expect(
            FileManager.default.contents(atPath: folder / "last.safetensors")
                == FileManager.default.contents(atPath: other / "last.safetensors"))
        #expect(try Safetensors.metadata(of: folder / "last.safetensors") == ["format": "pt", "step": "3"])
    }

    @Test("The best one lies beside, whatever is saved later")
    func best() throws {
        #expect(checkpoints().best() == nil)
        try checkpoints().saveBest(checkpoint(1))
        try checkpoints().save(checkpoint(2))
        #expect(checkpoints().best() == checkpoint(1))
        #expect(try checkpoints().newestConsistent() == checkpoint(2))
    }

    @Test("Torn files, other files and halves are passed over")
    func torn() throws {
        try checkpoints().save(checkpoint(1))
        try checkpoints().save(checkpoint(2))
        let path = folder / "last.optimizer.safetensors"
        #expect(truncate(path, 40) == 0)
        try folder.write("x", to: ".last.safetensors.1-0.tmp")
        try folder.write("x", to: "last.01.safetensors")
        try folder.write("x", to: "last.x.safetensors")
        #expect(try checkpoints().newestConsistent() == checkpoint(1))
        unlink(folder / "last.1.safetensors")
        let error = #expect(throws: ResinError.self) { try checkpoints().newestConsistent() }
        #expect(error?.message.contains("last.optimizer.safetensors is torn") == true)
        unlink(path)
        #expect(try checkpoints().newestConsistent() == nil)
    }

    @Test(
        "Two whole files of no one step are named with what they say",
        arguments: ["2", "x", "-1", "4294967296", "9223372036854775808"])
    func strangeSteps(step: String) throws {
        try checkpoints().save(checkpoint(1))
        var file = try Safetensors(contentsOf: folder / "last.safetensors")
        file.metadata["step"] = step
        try file.write(to: folder / "last.safetensors")
        let error = #expect(throws: ResinError.self) { try checkpoints().newestConsistent() }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("'step' in their metadata is '\(step)' and '1'") == true)
    }

    @Test("A checkpoint that is not finite replaces none", arguments: [Float.nan, .infinity])
    func notFinite(value: Float) throws {
        try checkpoints().save(checkpoint(1))
        try checkpoints().saveBest(checkpoint(1))
        let names = folder.names
        let entry = Safetensors.Entry("0.weight", shape: [2], values: [1, value])
        for broken in [
            Checkpoint(step: 2, weights: Safetensors([entry]), optimizer: Safetensors()),
            Checkpoint(step: 2, weights: Safetensors(), optimizer: Safetensors([entry])),
        ] {
            for save in [{ try checkpoints().save($0) }, { try checkpoints().saveBest($0) }] {
                let error = #expect(throws: ResinError.self) { try save(broken) }
                #expect(error?.kind == .notFinite)
                #expect(error?.message.contains("'0.weight' is not finite after step 2") == true)
            }
        }
        #expect(try checkpoints().newestConsistent() == checkpoint(1))
        #expect(checkpoints().best() == checkpoint(1))
        #expect(folder.names == names)
    }

    @Test("Leftovers of dead processes, and of a namesake of this one, go with the next save")
    func leftovers() throws {
        let dead = TemporaryName(target: "config.json", process: .max - 1)
        let namesake = TemporaryName(target: "last.safetensors")
        let living = TemporaryName(target: "last.safetensors", process: getppid())
        for name in [dead, namesake, living] { try folder.write("x", to: name.text) }
        try checkpoints().save(checkpoint(1))
        #expect(folder.names.filter { $0.hasSuffix(".tmp") } == [living.text])
    }

    /// The state of the folder after a save that broke off: `last` is there, and a pair is found that is one
    /// of `expected`.
    private func expectSurvival(_ expected: [Int], _ comment: Comment) throws {
        let found = try #require(try checkpoints().newestConsistent(), comment)
        #expect(expected.contains(found.step), comment)
        #expect(found == checkpoint(found.step), comment)
        #expect((try? Safetensors(contentsOf: folder / "last.safetensors")) != nil, comment)
    }

    @Test(
        "Whichever system call is the last or fails, a whole checkpoint remains and the next save succeeds",
        arguments: [1, 2, 3], [true, false])
    func faults(keep: Int, isFinal: Bool) throws {
        var number = 0
        while true {
            try clear()
            for step in 1...4 { try checkpoints(keep).save(checkpoint(step)) }
            let fault = Fault(at: number, isFinal: isFinal)
            do {
                try checkpoints(keep, fault.calls).save(checkpoint(5))
            } catch let error as ResinError {
                #expect(error.kind == .cannotWrite)
            }
            try expectSurvival([4, 5], "call \(number)")
            if !isFinal { #expect(!folder.names.contains { $0.hasSuffix(".tmp") }, "call \(number)") }
            try checkpoints(keep).save(checkpoint(6))
            #expect(try checkpoints().newestConsistent() == checkpoint(6))
            #expect(folder.names.count <= 2 * keep)
            if !fault.hasStruck { break }
            number += 1
        }
        #expect(number > 15)
    }

    @Test("Two crashes in a row lose nothing either", arguments: [1, 2, 3])
    func twoCrashes(keep: Int) throws {
        var first = 0
        while true {
            var second = 0
            var isFirstStruck = false
            while true {
                try clear()
                for step in 1...3 { try checkpoints(keep).save(checkpoint(step)) }
                let one = Fault(at: first, isFinal: true)
                try? checkpoints(keep, one.calls).save(checkpoint(4))
                isFirstStruck = one.hasStruck
                let between = try #require(try checkpoints().newestConsistent()).step
                let two = Fault(at: second, isFinal: true)
                try? checkpoints(keep, two.calls).save(checkpoint(5))
                try expectSurvival([between, 5], "calls \(first) and \(second)")
                if !two.hasStruck { break }
                second += 1
            }
            if !isFirstStruck { break }
            first += 1
        }
    }

    @Test("Halves in different slots are a checkpoint, and the next save does not lose it", arguments: 0..<3)
    func crossed(arrangement: Int) throws {
        try checkpoints().save(checkpoint(1))
        try checkpoints().save(checkpoint(2))
        let (kept, lost) = [
            ("last.safetensors", "last.1.safetensors"),
            ("last.optimizer.safetensors", "last.1.optimizer.safetensors"),
            ("last.safetensors", "last.1.safetensors"),
        ][arrangement]
        #expect(rename(folder / kept, to: folder / lost))
        if arrangement == 2 {
            // A half of another step in its place.
            let other = try Folder()
            try CheckpointFolder(path: other.path).save(checkpoint(9))
            #expect(rename(other / kept, to: folder / kept))
        }
        #expect(try checkpoints().newestConsistent() == checkpoint(2))
        var number = 0
        let names = folder.names
        let copy = try names.map { (name: $0, bytes: try Data(contentsOf: URL(filePath: folder / $0))) }
        while true {
            try clear()
            for (name, bytes) in copy { try bytes.write(to: URL(filePath: folder / name)) }
            let fault = Fault(at: number, isFinal: true)
            try? checkpoints(2, fault.calls).save(checkpoint(3))
            let found = try #require(try checkpoints().newestConsistent(), "call \(number)")
            #expect([2, 3].contains(found.step))
            if !fault.hasStruck { break }
            number += 1
        }
        #expect(try checkpoints().newestConsistent() == checkpoint(3))
    }

    private func rename(_ source: String, to target: String) -> Bool {
        Foundation.rename(source, target) == 0
    }

    @Test("Where hard links are refused, the previous checkpoint is copied")
    func noLinks() throws {
        let calls = FileCalls { call, _ in call == .link ? EPERM : 0 }
        for step in 1...3 { try checkpoints(3, calls).save(checkpoint(step)) }
        #expect(try checkpoints().newestConsistent() == checkpoint(3))
        #expect(step(of: "last.2.safetensors") == "1")
        #expect(folder.names.count == 6)
    }

    @Test("A process killed at any system call leaves a whole checkpoint")
    func killed() async throws {
        try checkpoints().save(checkpoint(1))
        try checkpoints().save(checkpoint(2))
        let path = folder.path
        var steps: Set<Int> = []
        for number in stride(from: 0, through: 24, by: 2) {
            let before = try #require(try checkpoints().newestConsistent()).step
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, number = number as Int, before = before as Int] in
                let count = Counter()
                let calls = FileCalls { _, _ in
                    if count.next() == number { kill(getpid(), SIGKILL) }
                    return 0
                }
                try CheckpointFolder(path: path, keep: 2, calls: calls).save(checkpoint(before + 1))
                kill(getpid(), SIGKILL)
            }
            try expectSurvival([before, before + 1], "call \(number)")
            steps.insert(try #require(try checkpoints().newestConsistent()).step)
        }
        #expect(steps.count > 1)
        try checkpoints().save(checkpoint(99))
        #expect(folder.names.count == 4)
    }

    @Test("A disk that fills up leaves the previous checkpoint as it was")
    func fullDisk() async throws {
        await #expect(processExitsWith: .success) {
            AtomicFile.ignoreFileSizeSignal()
            let folder = try Folder()
            let checkpoints = CheckpointFolder(path: folder.path)
            try checkpoints.save(checkpoint(1))
            limitFileSize(byteCount: 4000)
            let error = #expect(throws: ResinError.self) {
                try checkpoints.save(checkpoint(2, elements: 5000))
            }
            #expect(error?.kind == .cannotWrite)
            #expect(error?.message.contains("last.optimizer.safetensors: File too large") == true)
            #expect(try checkpoints.newestConsistent() == checkpoint(1))
            #expect(folder.names == ["last.optimizer.safetensors", "last.safetensors"])
            #expect(throws: ResinError.self) { try checkpoints.saveBest(checkpoint(2, elements: 5000)) }
            #expect(checkpoints.best() == nil)
        }
    }
}
