import CZlib
import Foundation
import Testing

/// A folder for one test; it goes when the test ends. In memory where possible: checkpoints are large.
final class Folder: Sendable {
    let path: String

    init() throws {
        let place = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        var template = Array("\(place)/resin-command-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func / (folder: Folder, name: String) -> String { folder.path + "/" + name }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    /// Folders in `name` are made.
    func write(_ bytes: [UInt8], to name: String) throws {
        let file = URL(fileURLWithPath: self / name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func writeGzip(_ bytes: [UInt8], to name: String) throws {
        try write([], to: name)
        let file = gzopen(self / name, "wb")
        gzwrite(file, bytes, UInt32(bytes.count))
        gzclose(file)
    }

    func bytes(of name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: self / name)))
    }

    func text(_ name: String) -> String? { try? String(contentsOfFile: self / name, encoding: .utf8) }

    func lines(of name: String) -> [String] {
        (text(name) ?? "").split(separator: "\n").map(String.init)
    }

    /// Compiles functions in C that stand before the OpenCL loader's; what `LD_PRELOAD` has to be.
    func preload(_ source: String) throws -> String {
        try write(source, to: "preload.c")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["clang", "-shared", "-fPIC", "-o", self / "preload.so", self / "preload.c"]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0)
        return self / "preload.so" + " libOpenCL.so.1"
    }

    func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self / name) }
}

/// The bytes of an IDX file of unsigned bytes.
func idx(_ extents: [UInt32], _ elements: [UInt8]) -> [UInt8] {
    [0, 0, 8, UInt8(extents.count)]
        + extents.flatMap { extent in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: extent >> $0) } }
        + elements
}
