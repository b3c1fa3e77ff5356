import Resin
import ResinPlan
import ResinTestDevices
import Testing

/// Every OpenCL device of this machine; tests that need one run on each.
let openCLDevices = devices.filter { $0.details.type != .reference && !OpenCLDevices.areLeftOut }
let referenceDevice = devices.first { $0.details.type == .reference }!
/// What behaviour is checked on: the first OpenCL device, and the reference.
let executors = Array(openCLDevices.prefix(1)) + [referenceDevice]

/// A list that cannot be made is no empty one.
private let devices = try! ComputeDevice.all()

extension ComputeDevice: CustomTestStringConvertible {
    public var testDescription: String { details.name }
}
