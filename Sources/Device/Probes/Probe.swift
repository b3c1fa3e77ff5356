import ResinKernels
import ResinOpenCL
import ResinTensor

/// Something that one driver can do and another cannot, whatever it says: found out by compiling a small kernel
/// (Kernels/probes), running it, and comparing its numbers with the host's.
package enum Probe: String, CaseIterable, Sendable {
    case halfStorage = "half storage"
    case halfArithmetic = "half arithmetic"
    case inlinePTX = "inline PTX"
    case tf32 = "mma.sync tf32"
    case bfloat16 = "mma.sync bf16"
    case float16 = "mma.sync f16"
    case ldmatrix = "ldmatrix"
    case cpAsync = "cp.async"
    case shuffle = "shfl.sync"
    case subGroups = "sub-groups"
    case subGroupShuffles = "sub-group shuffles"
    case longLoops = "long loops"
    case localMemory = "local memory"
    case deviceFence = "device fence"
    case largestAllocation = "largest allocation"
    case pinnedStaging = "pinned staging"

    /// PTX is assembly: another maker's compiler may take it for its own and do anything.
    private var isForNVIDIAOnly: Bool {
        switch self {
        case .inlinePTX, .tf32, .bfloat16, .float16, .ldmatrix, .cpAsync, .shuffle: true
        case .halfStorage, .halfArithmetic, .subGroups, .subGroupShuffles, .longLoops, .localMemory,
            .deviceFence, .largestAllocation, .pinnedStaging:
            false
        }
    }

    /// Tries it. Whatever fails is an answer, not an error; but a driver that crashes ends the process, so a
    /// program that wants to live runs this in a child process.
    package func run(on device: Device) -> ProbeResult {
        if isForNVIDIAOnly && !device.vendor.lowercased().contains("nvidia") {
            return no("PTX is NVIDIA's, and this device's vendor is '\(device.vendor)'")
        }
        do {
            switch self {
            case .deviceFence: return try fence(on: device)
            case .largestAllocation: return try largestAllocation(on: device)
            case .pinnedStaging: return try pinnedStaging(on: device)
            default: break
            }
            let trial = ProbeTrial(self, on: device)
            if let problem = try trial.run(on: device) { return no(problem) }
            return yes(byteCount: self == .localMemory ? device.localMemoryByteCount : nil)
        } catch {
            return no("\(error)")
        }
    }

    package func yes(byteCount: Int? = nil) -> ProbeResult {
        ProbeResult(name: rawValue, works: true, byteCount: byteCount)
    }

    /// A compiler's log may be long; its beginning says what is wrong.
    package func no(_ reason: String) -> ProbeResult {
        ProbeResult(name: rawValue, works: false, reason: String(reason.prefix(4000)))
    }

    /// Changes when a kernel of the probes does, so that old answers are not taken for new ones.
    package static var fingerprint: UInt64 {
        let text = allCases.map(\.rawValue) + ProbeTrial.files.map { String(cString: kernel_source($0)) }
        return text.joined().utf8.fingerprint
    }
}

/// What a probe found.
public struct ProbeResult: Codable, Hashable, Sendable {
    public var name: String
    public var works: Bool
    /// How much there is, of what has a size.
    public var byteCount: Int?
    /// Why it does not work.
    public var reason: String?

    public init(name: String, works: Bool, byteCount: Int? = nil, reason: String? = nil) {
        self.name = name
        self.works = works
        self.byteCount = byteCount
        self.reason = reason
    }
}
