import FoundationEssentials

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The memory of the machine that the program runs on, as far as the program may have it.
public enum HostMemory {
    /// Bytes that the process could still allocate: the least of what the kernel has available, what the
    /// process's control groups leave, and what its limit on address space (`ulimit -v`) leaves, less what threads
    /// and a driver's compiler take besides; `Int.max` where nothing is known.
    public static var availableByteCount: Int {
        let memory = [machine, groups].compactMap { $0 }.map { $0 - 128 << 20 }
        // Each thread's heap reserves addresses; measured on PoCL, 260 MB for LeNet to 530 MB for GoogLeNet.
        let addresses = addressSpace.map { $0 - 512 << 20 }
        return (memory + [addresses].compactMap { $0 }).min().map { max($0, 0) } ?? .max
    }

    private static var machine: Int? {
        let line = lines("/proc/meminfo").first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    private static var addressSpace: Int? {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_AS.rawValue)
        #else
            let resource = RLIMIT_AS
        #endif
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < UInt64(Int.max) else { return nil }
        let pages = lines("/proc/self/statm").first?.split(separator: " ").first.flatMap { Int($0) } ?? 0
        return Int(limit.rlim_cur) - pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// The least of what this group and those around it leave. What they hold of files is given back when memory is
    /// short, so it counts as free.
    private static var groups: Int? {
        let rows = lines("/proc/self/cgroup").map {
            $0.split(separator: ":", omittingEmptySubsequences: false)
        }
        let left = rows.compactMap { row -> Int? in
            guard row.count == 3 else { return nil }
            if row[0] == "0" {
                return groups(
                    under: "/sys/fs/cgroup", row[2], limit: "memory.max", used: "memory.current",
                    files: "inactive_file ")
            }
            guard row[1].split(separator: ",").contains("memory") else { return nil }
            return groups(
                under: "/sys/fs/cgroup/memory", row[2], limit: "memory.limit_in_bytes",
                used: "memory.usage_in_bytes", files: "total_inactive_file ")
        }
        return left.min()
    }

    private static func groups(
        under root: String, _ path: Substring, limit: String, used: String, files: String
    ) -> Int? {
        var parts = path.split(separator: "/")
        var least: Int?
        while true {
            let folder = ([root[...]] + parts).joined(separator: "/")
            if let limit = number("\(folder)/\(limit)"), let used = number("\(folder)/\(used)") {
                let line = lines("\(folder)/memory.stat").first { $0.hasPrefix(files) }
                let given = line.flatMap { Int($0.dropFirst(files.count)) } ?? 0
                least = min(least ?? .max, limit - used + given)
            }
            guard parts.popLast() != nil else { return least }
        }
    }

    /// nil where the file is not there or holds a word, as `memory.max` of a group without a limit.
    private static func number(_ path: String) -> Int? { lines(path).first.flatMap { Int($0) } }

    private static func lines(_ path: String) -> [String] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }
}
