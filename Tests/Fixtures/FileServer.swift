import Foundation

/// A web server on the loopback address for a folder's files, with ranges; written in Python, which CI has
/// for its other scripts.
public final class FileServer {
    public let folder: String
    public private(set) var address = ""
    private let process = Process()

    public static let isAvailable =
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .contains { FileManager.default.isExecutableFile(atPath: $0 + "/python3") }

    /// - Parameter hasRanges: Whether it heeds a request for the end of a file; many servers do not.
    public init(folder: String, hasRanges: Bool = true) throws {
        self.folder = folder
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.script, folder, hasRanges ? "ranges" : ""]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        address = "http://127.0.0.1:\(line.trimmingCharacters(in: .whitespacesAndNewlines))/"
    }

    deinit {
        // The threads that tests run on block signals, and their children inherit that; this one nobody can.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The next time that a file is asked for, the connection breaks after so many bytes.
    public func breakOff(_ name: String, after byteCount: Int) throws {
        try String(byteCount).write(toFile: folder + "/\(name).cut", atomically: true, encoding: .utf8)
    }

    /// Whenever a file of that name is asked for, zeros come without end.
    public func neverEnd(_ name: String) throws {
        try "".write(toFile: folder + "/\(name).endless", atomically: true, encoding: .utf8)
    }

    /// What was asked for, in order: name and first byte.
    public var requests: [String] {
        let text = (try? String(contentsOfFile: folder + "/requests", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    private static let script = """
        import http.server, os, sys
        folder, ranges = sys.argv[1], sys.argv[2] == "ranges"
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = folder + self.path
                start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if ranges else 0
                with open(folder + "/requests", "a") as log: log.write(f"{self.path[1:]} {start}\\n")
                if os.path.exists(path + ".endless"):
                    self.send_response(200)
                    self.end_headers()
                    while True: self.wfile.write(bytes(1 << 16))
                if not os.path.isfile(path): return self.send_error(404)
                data = open(path, "rb").read()
                if start and start >= len(data): return self.send_error(416)
                self.send_response(206 if start else 200)
                if start: self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                if os.path.exists(path + ".cut"):
                    data = data[:start + int(open(path + ".cut").read())]
                    os.remove(path + ".cut")
                self.wfile.write(data[start:])
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """
}
