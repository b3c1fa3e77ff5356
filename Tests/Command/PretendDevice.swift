import Foundation
import Testing

/// A driver whose device says that it is an NVIDIA H100 and whose kernels do nothing: Tests/PretendDevice/driver.c.
struct PretendDevice: Sendable {
    static let name = "NVIDIA H100 80GB HBM3"
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardizedFileURL.path

    /// One for all tests, with tensor cores and `cp.async`.
    static let shared = Result { try PretendDevice() }

    let folder: Folder

    private init() throws {
        folder = try Folder()
        let script = Process()
        script.executableURL = URL(filePath: Self.root + "/.ci/pretend-device")
        script.arguments = [folder.path, Program.path]
        try script.run()
        script.waitUntilExit()
        try #require(script.terminationStatus == 0)
    }

    /// What the program's loader and caches find; kernels that do nothing would not pass the check before a training.
    var environment: [String: String] {
        [
            "OCL_ICD_VENDORS": folder / "vendors", "XDG_CACHE_HOME": folder / "cache", "RESIN_CHECK": "off",
        ]
    }

    /// - Parameter fault: as PRETEND_FAULT has it.
    func program(_ arguments: [String], fault: String? = nil, log: String? = nil) -> Program {
        var program = Program(arguments)
        program.environment = environment
        program.environment["PRETEND_FAULT"] = fault
        program.environment["PRETEND_LOG"] = log
        return program
    }

    func program(_ arguments: String..., fault: String? = nil, log: String? = nil) -> Program {
        program(arguments, fault: fault, log: log)
    }
}

/// What the driver logged of a program that took several equal steps.
struct PretendLog {
    struct Launch {
        struct Argument {
            enum Value: Equatable {
                /// A buffer's number and its bytes.
                case read(Int, Int)
                case written(Int, Int)
                case local
                case number
                /// A struct's type and the count of its members, which have four bytes each.
                case members(String, Int)
            }
            var name: String
            var value: Value
        }
        var kernel: String
        var arguments: [Argument]

        /// Bytes of what is passed by value.
        var valueByteCount: Int { arguments.reduce(0) { $0 + $1.byteCount } }

        /// Bytes of the buffers that it reads and that it writes, each once.
        var bufferByteCount: Int {
            var read: [Int: Int] = [:]
            var written: [Int: Int] = [:]
            for argument in arguments {
                switch argument.value {
                case .read(let number, let count): read[number] = count
                case .written(let number, let count): written[number] = count
                case .local, .number, .members: break
                }
            }
            return read.values.reduce(0, +) + written.values.reduce(0, +)
        }
    }

    /// Of the last step.
    var launches: [Launch] = []
    var programCount = 0
    /// What NVIDIA's driver would have refused.
    var wrongs: [String] = []

    init(_ path: String) throws {
        var step: [Launch] = []
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("build ") { programCount += 1 }
            if line.hasPrefix("wrong: ") { wrongs.append(String(line)) }
            if line.hasPrefix("launch ") { step.append(try Launch(line)) }
            // A step is waited for.
            if line == "finish" {
                if !step.isEmpty { launches = step }
                step = []
            }
        }
    }
}

extension PretendLog.Launch {
    /// `launch KERNEL of PROGRAM, GLOBAL in LOCAL: NAME=VALUE …`
    fileprivate init(_ line: Substring) throws {
        let halves = line.split(separator: ":", maxSplits: 1)
        kernel = String(try #require(halves.first?.split(separator: " ")[1]))
        arguments = try #require(halves.last).split(separator: " ").map { try Argument($0) }
    }
}

extension PretendLog.Launch.Argument {
    fileprivate init(_ text: Substring) throws {
        let parts = text.split(separator: "=")
        name = String(parts[0])
        let value = try #require(parts.last).split(separator: ":")
        switch value[0] {
        case "in": self.value = .read(Int(value[1])!, Int(value[2])!)
        case "out": self.value = .written(Int(value[1])!, Int(value[2])!)
        case "local": self.value = .local
        case _ where value.count == 2:
            self.value = .members(String(value[0]), value[1].split(separator: ",").count)
        default: self.value = .number
        }
    }

    fileprivate var byteCount: Int {
        switch value {
        case .read, .written: 8
        case .local: 0
        case .number: 4
        case .members(_, let count): 4 * count
        }
    }

    var description: String {
        switch value {
        case .read, .written: "\(name)* 8"
        case .local: "\(name) local"
        case .number: "\(name) 4"
        case .members(let type, _): "\(type) \(byteCount)"
        }
    }
}
