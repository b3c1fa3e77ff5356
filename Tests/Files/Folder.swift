import Foundation
import ResinTensor
import ResinTraining
import Synchronization
import Testing

/// A folder for one test; it goes when the test ends. In memory where possible: the tests call fsync often.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array(
            "\(FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp")/resin-XXXXXX"
                .utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func / (folder: Folder, name: String) -> String { folder.path + "/" + name }

    var names: [String] { FileCalls.names(in: path) }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: self / name, atomically: false, encoding: .utf8)
    }

    func text(_ name: String) -> String? { try? String(contentsOfFile: self / name, encoding: .utf8) }
}

/// Makes the n-th system call fail, alone (an error, after which the program cleans up) or with all that
/// follow (the process is gone: nothing is cleaned up).
final class Fault: Sendable {
    private let count = Atomic(0)
    let callNumber: Int
    let code: Int32
    let isFinal: Bool

    init(at callNumber: Int, code: Int32 = EIO, isFinal: Bool) {
        self.callNumber = callNumber
        self.code = code
        self.isFinal = isFinal
    }

    var hasStruck: Bool { count.load(ordering: .relaxed) > callNumber }

    var calls: FileCalls {
        FileCalls { [self] _, _ in
            let number = count.wrappingAdd(1, ordering: .relaxed).oldValue
            return number == callNumber || (isFinal && number > callNumber) ? code : 0
        }
    }
}

/// Counts calls from 0.
final class Counter: Sendable {
    private let count = Atomic(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// Sets the limit on file sizes; for exit tests, which have a process of their own.
func limitFileSize(byteCount: Int) {
    var limit = rlimit()
    precondition(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
    limit.rlim_cur = rlim_t(byteCount)
    precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
}
