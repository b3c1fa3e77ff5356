import Foundation
import ResinTensor
import ResinTraining
import Testing

@Suite("A run folder's owner")
struct RunLockTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    private func expectTaken(by process: Int32, location: SourceLocation = #_sourceLocation) {
        for attempt in [{ try RunLock.check(folder: folder.path) }, { _ = try RunLock(folder: folder.path) }]
        {
            let error = #expect(throws: ResinError.self, sourceLocation: location) { try attempt() }
            #expect(error?.kind == .usage, sourceLocation: location)
            #expect(error?.message.contains("process \(process) on ") == true, sourceLocation: location)
        }
    }

    @Test("There is one, who is named to others, and afterwards nothing is left")
    func one() throws {
        let lock = try RunLock(folder: folder.path)
        withExtendedLifetime(lock) { expectTaken(by: getpid()) }
        _ = consume lock
        #expect(folder.names == [])
        try RunLock.check(folder: folder.path)
    }

    @Test("It is let go when its process is killed, and a child that outlives it does not keep it")
    func death() async throws {
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try RunLock(folder: path)
            let child = Process()
            child.executableURL = URL(fileURLWithPath: "/bin/sleep")
            child.arguments = ["3"]
            try child.run()
            withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
        }
        #expect(folder.names == [RunLock.fileName])
        _ = try RunLock(folder: folder.path)
        #expect(folder.names == [])
    }

    @Test("A file system without locks is told of, and hinders nobody")
    func noLocks() throws {
        let calls = FileCalls { call, _ in call == .lock ? ENOLCK : 0 }
        let first = try RunLock(folder: folder.path, calls: calls)
        let second = try RunLock(folder: folder.path, calls: calls)
        for lock in [first, second] { #expect(lock.warning?.contains("No locks available") == true) }
    }
}
