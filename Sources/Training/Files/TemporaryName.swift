import Foundation

/// The name of a file that is not finished: `.TARGET.PID-NUMBER.tmp`, in the folder of its target, so that
/// it can be renamed over it, hidden, and to be recognised as a leftover once the process is gone.
package struct TemporaryName: Equatable {
    /// The name of the file it is to become, without the folder.
    package var target: String
    package var process: Int32
    package var number: Int

    package init(target: String, process: Int32 = getpid(), number: Int = 0) {
        self.target = target
        self.process = process
        self.number = number
    }

    package var text: String { ".\(target).\(process)-\(number).tmp" }

    /// `nil` where `text` is not the name of a temporary file.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].isEmpty, parts.last == "tmp" else { return nil }
        let owner = parts[parts.count - 2].split(separator: "-")
        guard owner.count == 2, let process = Int32(owner[0]), process > 0, let number = Int(owner[1])
        else { return nil }
        self.init(
            target: parts[1..<(parts.count - 2)].joined(separator: "."), process: process, number: number)
    }

    package var isOfDeadProcess: Bool { kill(process, 0) != 0 && errno == ESRCH }

    /// Calls `make` with the path of a temporary for `path` that `make` finds free, and returns that path.
    package static func claim(
        for path: String, _ make: (String) throws(FileCallFailure) -> Void
    ) throws(FileCallFailure) -> String {
        let folder = FileCalls.folder(of: path)
        var name = TemporaryName(target: FileCalls.name(of: path))
        while true {
            let temporary = folder + "/" + name.text
            do {
                try make(temporary)
                return temporary
            } catch  where error.code == EEXIST {
                name.number += 1
            }
        }
    }

    /// Removes what was to become one of the files that `isOwn` names, left in a folder by dead processes or
    /// under this one's number: in a container a resumed run often has that of the one that died.
    package static func removeLeftovers(in folder: String, calls: FileCalls, isOwn: (String) -> Bool) {
        for text in FileCalls.names(in: folder) {
            guard let name = TemporaryName(text), isOwn(name.target) else { continue }
            // A leftover that stays only takes space.
            if name.process == getpid() || name.isOfDeadProcess { try? calls.remove(folder + "/" + text) }
        }
    }
}
