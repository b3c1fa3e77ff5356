import Foundation
import ResinTensor
import ResinTraining

/// What was found out about a device with its driver, kept in the user's cache folder.
enum DeviceCache {
    /// A folder below `resin` in the user's cache folder: `$XDG_CACHE_HOME`, else `~/.cache`.
    static func folder(_ subject: String, environment: [String: String]) -> String {
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            return "\(cache)/resin/\(subject)"
        }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/resin/\(subject)"
    }

    /// Where it lies, by device, driver version, and what it was found out with; nil for the reference executor.
    static func path(in folder: String, for device: ComputeDevice, fingerprint: UInt64) -> String? {
        guard let openCL = device.openCL else { return nil }
        let key = [openCL.platformName, openCL.name, openCL.driverVersion].joined(separator: " ")
        let name = key.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" }
        return "\(folder)/\(String(name)) \(String(fingerprint, radix: 16)).json"
    }

    /// Nil where there is none, or none that can be read.
    static func read<Value: Decodable>(_ path: String, as type: Value.Type) -> Value? {
        (try? ReadableFile(path).prefix(1 << 20)).flatMap { try? JSONDecoder().decode(type, from: Data($0)) }
    }

    /// - Throws: `ResinError(.cannotWrite)`.
    static func write(_ value: some Encodable, to path: String) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw ResinError(
                .cannotWrite,
                "cannot make the folder \(folder.path): \(error.localizedDescription); set XDG_CACHE_HOME")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try AtomicFile.write(try encoder.encode(value), to: path)
    }
}
