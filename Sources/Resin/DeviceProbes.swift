import Foundation
import ResinDevice
import ResinOpenCL
import ResinTensor
import ResinTraining

public typealias ProbeResult = ResinDevice.ProbeResult

/// What a device's driver can do beyond what OpenCL promises, as found by trying; see `Probe`. The answers are kept
/// in the user's cache folder by device, driver version and probes, so a driver is asked once.
public struct DeviceProbes: Codable, Hashable, Sendable {
    public var device: String
    public var driver: String
    public var results: [ProbeResult]

    /// The probes by name, in the order in which they are shown.
    public static let names = Probe.allCases.map(\.rawValue)

    public init(device: String, driver: String, results: [ProbeResult]) {
        self.device = device
        self.driver = driver
        self.results = results
    }

    /// Tries one thing in this process, which a bad driver may end.
    ///
    /// - Throws: `ResinError(.usage)` where there is no such probe, or the device is not an OpenCL device.
    public static func run(_ name: String, on device: ComputeDevice) throws -> ProbeResult {
        guard let probe = Probe(rawValue: name) else {
            throw ResinError(
                .usage, "there is no probe '\(name)'; there are \(names.joined(separator: ", "))")
        }
        guard let openCL = device.openCL else {
            throw ResinError(
                .usage, "'\(device.details.name)' is no OpenCL device: there is nothing to probe")
        }
        return probe.run(on: openCL)
    }

    // MARK: Cache

    /// `resin/probes` in the user's cache folder: `$XDG_CACHE_HOME`, else `~/.cache`.
    public static func cacheFolder(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/resin/probes" }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/resin/probes"
    }

    /// Where a device's answers are kept, nil for the reference executor.
    public static func cachePath(for device: ComputeDevice, folder: String = cacheFolder()) -> String? {
        guard let openCL = device.openCL else { return nil }
        let key = [openCL.platformName, openCL.name, openCL.driverVersion].joined(separator: " ")
        let name = key.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" }
        return "\(folder)/\(String(name)) \(String(Probe.fingerprint, radix: 16)).json"
    }

    /// The answers kept for a device, nil where there are none, or none that can be read.
    public static func kept(for device: ComputeDevice, folder: String = cacheFolder()) -> DeviceProbes? {
        guard let path = cachePath(for: device, folder: folder),
            let bytes = try? ReadableFile(path).prefix(1 << 20),
            let probes = try? JSONDecoder().decode(DeviceProbes.self, from: Data(bytes)),
            probes.results.map(\.name) == names
        else { return nil }
        return probes
    }

    package func works(_ probe: Probe) -> Bool {
        results.contains { $0.name == probe.rawValue && $0.works }
    }

    /// Keeps the answers for the next time.
    ///
    /// - Throws: `ResinError(.cannotWrite)`.
    public func keep(for device: ComputeDevice, folder: String = cacheFolder()) throws {
        guard let path = Self.cachePath(for: device, folder: folder) else { return }
        do {
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: folder), withIntermediateDirectories: true)
        } catch {
            throw ResinError(
                .cannotWrite,
                "cannot make the folder \(folder): \(error.localizedDescription); set XDG_CACHE_HOME")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try AtomicFile.write(try encoder.encode(self), to: path)
    }
}
