import ResinDevice
import ResinOpCases
import ResinOpenCL
import ResinPlan
import ResinReference
import Synchronization
import Testing

/// One executor a device, so that a kernel is compiled once for all cases; cases take turns.
private enum Devices {
    static let found = (try? Device.all()) ?? []

    private struct Executors: @unchecked Sendable {
        var byIndex: [Int: DeviceExecutor] = [:]
    }
    private static let executors = Mutex(Executors())

    static func outputs(of opCase: OpCase, onDevice index: Int) throws -> [[Float]] {
        try executors.withLock { executors in
            let executor =
                try executors.byIndex[index] ?? DeviceExecutor(device: found[index], index: index)
            executors.byIndex[index] = executor
            return try opCase.run(on: executor)
        }
    }
}

@Suite(.enabled(if: !Devices.found.isEmpty, "no OpenCL device found"))
struct DeviceTests {
    @Test(
        "Every OpenCL device agrees with the reference", arguments: OpCase.all, Devices.found.indices)
    func agreement(of opCase: OpCase, onDevice index: Int) throws {
        expectClose(
            try Devices.outputs(of: opCase, onDevice: index), try ReferenceResults.outputs(of: opCase),
            of: opCase)
    }

    @Test(
        "On integers every OpenCL device gives the reference's very numbers",
        arguments: OpCase.all.filter(\.isExactOnIntegers).map(\.onIntegers), Devices.found.indices)
    func integers(_ opCase: OpCase, onDevice index: Int) throws {
        let outputs = try Devices.outputs(of: opCase, onDevice: index)
        for (output, exact) in zip(outputs, try opCase.run(on: ReferenceExecutor())) {
            #expect(output.elementsEqual(exact))
        }
    }
}
