import Foundation
import ResinTensor
import Testing

@Suite struct ReadableFileTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func refusal(_ path: String) -> ResinError? {
        #expect(throws: ResinError.self) { _ = try ReadableFile(path) }
    }

    @Test("What is no regular file is refused by its kind, and not waited for")
    func kinds() throws {
        mkfifo(folder / "pipe", 0o600)
        symlink("/dev/zero", folder / "link")
        for (path, kind) in [
            (folder / "pipe", "a named pipe"), (folder / "link", "a device"), (folder.path, "a folder"),
        ] {
            let error = refusal(path)
            #expect(error?.kind == .badContent)
            #expect(
                error?.message.contains("\(path): it is \(kind), not a regular file") == true, "\(error!)")
        }
    }

    @Test("A file that is not there is a missing one")
    func missing() { #expect(refusal(folder / "nothing")?.kind == .missingFile) }

    @Test("A file with holes that is larger than the memory is refused, and not allocated")
    func holes() throws {
        try Data().write(to: URL(fileURLWithPath: folder / "sparse"))
        try #require(truncate(folder / "sparse", 1 << 43) == 0)
        let file = try ReadableFile(folder / "sparse")
        let error = #expect(throws: ResinError.self) {
            try file.elements(UInt8.self, count: file.byteCount, at: 0)
        }
        #expect(
            error?.kind == .outOfMemory && error!.message.contains("sparse: needs 8,796,093 MB"), "\(error!)")
        #expect(try file.prefix(5) == [0, 0, 0, 0, 0])
    }
}
