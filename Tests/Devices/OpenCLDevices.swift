import Foundation
import ResinOpenCL
import Testing

/// The OpenCL devices of this machine, which tests run on. A machine without one fails the test "There is an
/// OpenCL device": suites that need one are off then, but never silently.
package enum OpenCLDevices {
    /// `RESIN_TESTS_WITHOUT_OPENCL=1`: none is asked for, and none used.
    package static let areLeftOut = ProcessInfo.processInfo.environment["RESIN_TESTS_WITHOUT_OPENCL"] == "1"

    package static let listing: Result<[Device], any Error> =
        areLeftOut ? .success([]) : Result { try Device.all() }

    /// Empty where there is none, or they could not be listed.
    package static let all = (try? listing.get()) ?? []

    package static func isPoCL(_ index: Int) -> Bool {
        all[index].platformName == "Portable Computing Language"
    }
}

extension Trait where Self == ConditionTrait {
    package static var needsDevice: Self {
        .enabled(
            if: !OpenCLDevices.all.isEmpty,
            OpenCLDevices.areLeftOut
                ? "RESIN_TESTS_WITHOUT_OPENCL=1 leaves it out" : "no OpenCL device on this machine")
    }
}

extension Device: CustomTestStringConvertible {
    public var testDescription: String { name }
}
