import ResinDevice
import ResinOpenCL
import ResinTensor

/// A program as a device's driver builds it.
public struct BuiltProgram: Sendable {
    /// Its last file's name, and a number made of its text and options: the same program has the same name.
    public var name: String
    /// What the driver keeps, on NVIDIA's the text of its PTX; empty where it does not build.
    public var binary: [UInt8]
    /// What the compiler said, often nothing; why it does not build.
    public var log: String
    public var builds: Bool
    public var seconds: Double
}

extension ComputeDevice {
    /// Builds a program without running it. Drivers that keep what they have compiled have it from then on.
    ///
    /// - Throws: `ResinError`: `.usage` for the reference executor, `.noDevice` where the device cannot be used at all.
    public func build(_ program: Explanation.Program) throws -> BuiltProgram {
        guard let openCL else {
            throw ResinError(
                .usage, "'\(details.name)' builds no programs; name an OpenCL device with --device")
        }
        let context = try translatingErrors { try Context(device: openCL) }
        var result = BuiltProgram(name: program.name, binary: [], log: "", builds: true, seconds: 0)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let built = try Program(
                context: context, source: program.source, options: openCL.compilerOptions(program.options))
            result.seconds = (clock.now - start) / .seconds(1)
            result.log = try built.buildLog()
            result.binary = try built.binary()
        } catch let error as OpenCLError {
            result.log = "\(error)"
            result.builds = false
        }
        return result
    }
}

extension Explanation.Program {
    fileprivate var name: String {
        let number = (options + [source]).joined(separator: " ").utf8.fingerprint
        return "\(files.last ?? "")-\(String(number, radix: 16))"
    }
}
