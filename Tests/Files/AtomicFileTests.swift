import Foundation
import ResinTensor
import ResinTraining
import Testing

@Suite("Atomic files and logs")
struct AtomicFileTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func write(_ text: String, calls: FileCalls = FileCalls()) throws {
        try AtomicFile.write(to: folder / "file", calls: calls) { append in
            for byte in text.utf8 { try withUnsafeBytes(of: byte, append) }
        }
    }

    @Test("Chunks arrive in order and no temporary stays")
    func chunks() throws {
        try write("old")
        try write("newer")
        #expect(folder.text("file") == "newer")
        #expect(folder.names == ["file"])
    }

    @Test("When the writer throws, the file stays as it was")
    func throwing() throws {
        struct Stop: Error {}
        try write("old")
        #expect(throws: Stop.self) {
            try AtomicFile.write(to: folder / "file") { append in
                try withUnsafeBytes(of: UInt8(1), append)
                throw Stop()
            }
        }
        #expect(folder.text("file") == "old")
        #expect(folder.names == ["file"])
    }

    @Test("Whichever system call fails, the file is the old or the new one and no temporary stays")
    func faults() throws {
        var number = 0
        while true {
            try write("old")
            let fault = Fault(at: number, code: ENOSPC, isFinal: false)
            do {
                try write("newer", calls: fault.calls)
                #expect(!fault.hasStruck)
            } catch let error as ResinError {
                #expect(error.kind == .cannotWrite)
                #expect(error.message.hasPrefix("cannot write \(folder / "file"): No space left on device"))
                #expect(["old", "newer"].contains(folder.text("file")))
            }
            #expect(folder.names == ["file"])
            if !fault.hasStruck { break }
            number += 1
        }
        #expect(number > 8)
    }

    @Test("An interrupted call is repeated")
    func interrupted() throws {
        for number in 0..<12 {
            try write("whole \(number)", calls: Fault(at: number, code: EINTR, isFinal: false).calls)
            #expect(folder.text("file") == "whole \(number)")
        }
    }

    @Test("A full disk says what to do")
    func fullDisk() throws {
        let error = FileCallFailure(call: .write, path: "x", code: ENOSPC).error(
            writing: "runs/nin-1/config.json")
        #expect(
            error.message == "cannot write runs/nin-1/config.json: No space left on device (while writing); "
                + "the disk or your quota is full: free space; the previous file is untouched")
    }

    @Test("A link stays, and the file that it names is replaced, whether it was there or not")
    func links() throws {
        try folder.write("old", to: "far")
        for (link, target) in [("near", "far"), ("nearer", folder / "near"), ("new", "newer")] {
            #expect(symlink(target, folder / link) == 0)
        }
        try AtomicFile.write(Array("one".utf8), to: folder / "nearer")
        try AtomicFile.write(Array("two".utf8), to: folder / "new")
        #expect(folder.text("far") == "one" && folder.text("newer") == "two")
        #expect(folder.names == ["far", "near", "nearer", "new", "newer"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder / "near") == "far")
    }

    @Test("A pipe or a device is written to, not replaced")
    func streams() throws {
        #expect(mkfifo(folder / "pipe", 0o666) == 0)
        // For reading and writing: neither end waits for the other.
        let pipe = open(folder / "pipe", O_RDWR)
        try AtomicFile.write(Array("line".utf8), to: folder / "pipe")
        var bytes = [UInt8](repeating: 0, count: 9)
        #expect(read(pipe, &bytes, 9) == 4 && bytes.prefix(4) == ArraySlice("line".utf8))
        close(pipe)
        #expect(folder.names == ["pipe"])
        let error = #expect(throws: ResinError.self) { try AtomicFile.write([1], to: "/dev/full") }
        #expect(error?.message.contains("cannot write /dev/full: No space left on device") == true)
    }

    @Test("A folder is refused, before and while writing, and so is a place in no folder")
    func refusals() throws {
        for path in [folder.path, folder / "none/file"] {
            let (before, during) = (
                #expect(throws: ResinError.self) { try AtomicFile.check(path) },
                #expect(throws: ResinError.self) { try AtomicFile.write([UInt8](), to: path) }
            )
            #expect(before?.kind == .cannotWrite && before == during)
        }
        try AtomicFile.check(folder / "file")
        #expect(folder.names == [])
    }

    @Test("A folder that is not there is named with the file")
    func noFolder() throws {
        let path = folder / "none/file"
        let error = #expect(throws: ResinError.self) { try AtomicFile.write([UInt8](), to: path) }
        #expect(error?.message.contains("cannot write \(path): No such file or directory") == true)
    }

    @Test("A file over the size limit is an ordinary error and the previous file survives")
    func sizeLimit() async throws {
        await #expect(processExitsWith: .success) {
            AtomicFile.ignoreFileSizeSignal()
            let folder = try Folder()
            try AtomicFile.write(Array("old".utf8), to: folder / "file")
            limitFileSize(byteCount: 1000)
            // The first write is short (1000 of 1500 bytes), the second one fails.
            let error = #expect(throws: ResinError.self) {
                try AtomicFile.write([UInt8](repeating: 1, count: 1500), to: folder / "file")
            }
            #expect(error?.kind == .cannotWrite)
            #expect(error?.message.contains("File too large") == true)
            #expect(folder.text("file") == "old")
            #expect(folder.names == ["file"])

            let log = try LineFile(folder / "log.txt")
            try log.append(String(repeating: "a", count: 900))
            #expect(throws: ResinError.self) { try log.append(String(repeating: "b", count: 200)) }
            try log.append("c")
            #expect(folder.text("log.txt") == String(repeating: "a", count: 900) + "\nc\n")
        }
    }

    @Test("A log on a full disk reports it")
    func fullLog() throws {
        let log = try LineFile("/dev/full")
        let error = #expect(throws: ResinError.self) { try log.append("line") }
        #expect(error?.kind == .cannotWrite)
        #expect(error?.message.contains("/dev/full: No space left on device") == true)
    }

    @Test("A log goes on after its end, on a new line where the last was torn")
    func tornLog() throws {
        try folder.write("one\ntw", to: "log.txt")
        try LineFile(folder / "log.txt").append("three")
        try LineFile(folder / "log.txt", synchronised: true).append("four")
        #expect(folder.text("log.txt") == "one\ntw\nthree\nfour\n")
    }

    @Test("A temporary's name tells its target and its process")
    func temporaryNames() throws {
        let name = TemporaryName(target: "last.1.safetensors", process: 12, number: 3)
        #expect(name.text == ".last.1.safetensors.12-3.tmp")
        #expect(TemporaryName(name.text) == name)
        for other in ["a.tmp", ".a.tmp", ".a.b.tmp", "a.12-3.tmp", ".a.12-3", ".a.0-1.tmp"] {
            #expect(TemporaryName(other) == nil)
        }
        #expect(!TemporaryName(target: "a").isOfDeadProcess)
    }
}
