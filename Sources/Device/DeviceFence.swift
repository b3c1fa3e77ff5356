import ResinOpenCL

/// How a work-group sees what another one wrote in the same launch, so that the last one can put together what all have
/// computed (Kernels/gpu/last_group.cl). OpenCL 1.2 has no way.
package enum DeviceFence: Hashable, Sendable {
    /// By inline PTX.
    case ptx
    /// By OpenCL C's own fence, in a standard that has it, such as `CL3.0`.
    case openCL(standard: String)

    /// The one that a device would have; on a GPU a probe finds out whether it works.
    package init?(of device: Device) {
        if device.vendor.lowercased().contains("nvidia") {
            self = .ptx
        } else if let standard = device.deviceFenceStandard {
            self = .openCL(standard: standard)
        } else {
            return nil
        }
    }

    /// What the programs are built with.
    var options: [String] {
        switch self {
        case .ptx: ["-DFENCE=1"]
        case .openCL(let standard): ["-cl-std=\(standard)", "-DFENCE=2"]
        }
    }
}
