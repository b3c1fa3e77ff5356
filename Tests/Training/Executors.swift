import Resin
import ResinPlan
import Testing

/// Every OpenCL device of this machine; tests that need one run on each.
let openCLDevices = devices.filter { $0.details.type != .reference }
let referenceDevice = devices.first { $0.details.type == .reference }!
/// What behaviour is checked on: the first OpenCL device, and the reference.
let executors = Array(openCLDevices.prefix(1)) + [referenceDevice]

private let devices = (try? ComputeDevice.all()) ?? []

extension Trait where Self == ConditionTrait {
    static var needsDevice: Self {
        .enabled(if: !openCLDevices.isEmpty, "no OpenCL device on this machine")
    }
}

extension ComputeDevice: CustomTestStringConvertible {
    public var testDescription: String { details.name }
}
