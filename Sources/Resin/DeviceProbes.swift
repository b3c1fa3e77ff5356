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
        DeviceCache.folder("probes", environment: environment)
    }

    /// Where a device's answers are kept, nil for the reference executor.
    public static func cachePath(for device: ComputeDevice, folder: String = cacheFolder()) -> String? {
        DeviceCache.path(in: folder, for: device, fingerprint: Probe.fingerprint)
    }

    /// The answers kept for a device, nil where there are none, or none that can be read.
    public static func kept(for device: ComputeDevice, folder: String = cacheFolder()) -> DeviceProbes? {
        guard let path = cachePath(for: device, folder: folder),
            let probes = DeviceCache.read(path, as: DeviceProbes.self), probes.results.map(\.name) == names
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
        try DeviceCache.write(self, to: path)
    }
}
