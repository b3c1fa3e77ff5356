import Foundation

/// PoCL, the driver for CPUs, keeps its kernels in a folder of the user's cache, and is no device at all where it
/// cannot make that folder. It then gets one of this module's making.
package enum PoCLCache {
    package enum Place: Equatable, Sendable {
        case own
        /// Another folder, because of what is said of PoCL's own.
        case made(String, note: String)
        case none(problem: String)
    }

    /// Looks for a place, and makes it. To be asked before the driver is loaded.
    package static func place(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Place {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let folder = environment["POCL_CACHE_DIR"] {
            guard let reason = failure(making: folder) else { return .own }
            return .none(
                problem:
                    "PoCL needs a cache folder, and POCL_CACHE_DIR names '\(folder)', which it cannot make: "
                    + "\(reason); name one that can be written, or none")
        }
        let folder =
            (value("XDG_CACHE_HOME") ?? environment["HOME"].map { $0 + "/.cache" } ?? "/tmp") + "/pocl/kcache"
        guard let reason = failure(making: folder) else { return .own }
        let other = (value("TMPDIR") ?? "/tmp") + "/resin-pocl-\(geteuid())"
        if let otherReason = failure(makingPrivate: other) {
            return .none(
                problem:
                    "PoCL needs a cache folder and cannot make \(folder): \(reason); nor can \(other) be "
                    + "one: \(otherReason); name one that can be written by POCL_CACHE_DIR")
        }
        return .made(
            other,
            note: "PoCL cannot make its cache folder \(folder): \(reason); kernels are kept in \(other)")
    }

    /// Why a folder cannot be made, with those above it, or written in.
    private static func failure(making folder: String) -> String? {
        let parts = folder.split(separator: "/")
        let root = folder.hasPrefix("/") ? "/" : ""
        for count in parts.indices.map({ $0 + 1 }) {
            let path = root + parts[..<count].joined(separator: "/")
            if mkdir(path, 0o700) != 0, errno != EEXIST { return String(cString: strerror(errno)) }
        }
        return access(folder, W_OK | X_OK) == 0 ? nil : String(cString: strerror(errno))
    }

    /// Others may write beside it: it must be this user's, and nobody else's.
    private static func failure(makingPrivate folder: String) -> String? {
        if mkdir(folder, 0o700) == 0 { return nil }
        guard errno == EEXIST else { return String(cString: strerror(errno)) }
        var status = stat()
        let isPrivate =
            lstat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
            && status.st_mode & 0o077 == 0
        return isPrivate ? nil : "it is there, and not this user's alone"
    }
}
