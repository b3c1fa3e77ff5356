import Resin
import ResinCases
import ResinDevice
import ResinOpenCL
import ResinTestDevices
import Testing

@Suite(.needsDevice)
struct DeviceTests {
    @Test(
        "Every OpenCL device agrees with the reference", arguments: OpCase.all, OpenCLDevices.all.indices)
    func agreement(of opCase: OpCase, onDevice index: Int) throws {
        try expectAgreement(of: opCase, .own(.exact, ofDevice: index), ofDevice: index)
    }

    @Test("Winograd's convolution is within its bound of the reference", arguments: OpenCLDevices.all.indices)
    func winograd(onDevice index: Int) throws {
        let traits = DeviceTraits.own(.fast, ofDevice: index)
        let cases = try OpCase.convolution2D.filter { opCase in
            try SharedExecutors.use(traits, ofDevice: index) { try opCase.usesWinograd(on: $0) }
        }
        for opCase in cases {
            try expectAgreement(of: opCase, traits, ofDevice: index, arithmetic: .winograd)
        }
        // Devices with short work-items have it for other shapes, see StagedWinogradTests.
        if OpenCLDevices.all[index].type == .cpu { #expect(cases.count >= 24) }
    }

    @Test(
        "On integers every OpenCL device gives the reference's very numbers",
        arguments: OpCase.all.filter(\.isExactOnIntegers), OpenCLDevices.all.indices)
    func integers(_ opCase: OpCase, onDevice index: Int) throws {
        try expectExactness(of: opCase, .own(.exact, ofDevice: index), ofDevice: index)
    }
}
