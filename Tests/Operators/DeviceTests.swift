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
        var byDevice: [Key: DeviceExecutor] = [:]
    }
    private struct Key: Hashable {
        var index: Int
        var math: MathMode
    }
    private static let executors = Mutex(Executors())

    private static func with<Result>(
        _ index: Int, _ math: MathMode, _ body: (DeviceExecutor) throws -> sending Result
    ) throws -> sending Result {
        try executors.withLock { executors in
            let key = Key(index: index, math: math)
            let executor =
                try executors.byDevice[key] ?? DeviceExecutor(device: found[index], index: index, math: math)
            executors.byDevice[key] = executor
            return try body(executor)
        }
    }

    static func outputs(of opCase: OpCase, onDevice index: Int, _ math: MathMode) throws -> [[Float]] {
        try with(index, math) { try opCase.run(on: $0) }
    }

    static func usesWinograd(_ opCase: OpCase, onDevice index: Int) throws -> Bool {
        let graph = try opCase.makeGraph()
        return try with(index, .fast) { executor in
            graph.nodes.contains { executor.usesWinograd(for: $0, in: graph) }
        }
    }
}

@Suite(.enabled(if: !Devices.found.isEmpty, "no OpenCL device found"))
struct DeviceTests {
    @Test(
        "Every OpenCL device agrees with the reference", arguments: OpCase.all, Devices.found.indices)
    func agreement(of opCase: OpCase, onDevice index: Int) throws {
        expectClose(
            try Devices.outputs(of: opCase, onDevice: index, .exact),
            try ReferenceResults.outputs(of: opCase),
            of: opCase)
    }

    /// oneDNN's bound on Winograd's error is 2e-5 of the largest result. The filter gradient sums products that are worth
    /// more than the result, over thousands of tiles: measured up to 1.1e-4.
    @Test("Winograd's convolution is within its bound of the reference", arguments: Devices.found.indices)
    func winograd(onDevice index: Int) throws {
        let cases = try OpCase.convolution2D.filter { try Devices.usesWinograd($0, onDevice: index) }
        // Devices with short work-items do not have it.
        for var opCase in cases {
            opCase.tolerance = opCase.name.contains("filter gradient") ? 2e-4 : 2e-5
            expectClose(
                try Devices.outputs(of: opCase, onDevice: index, .fast),
                try ReferenceResults.outputs(of: opCase), of: opCase)
        }
        if Devices.found[index].type == .cpu { #expect(cases.count >= 24) }
    }

    @Test(
        "On integers every OpenCL device gives the reference's very numbers",
        arguments: OpCase.all.filter(\.isExactOnIntegers).map(\.onIntegers), Devices.found.indices)
    func integers(_ opCase: OpCase, onDevice index: Int) throws {
        let outputs = try Devices.outputs(of: opCase, onDevice: index, .exact)
        for (output, exact) in zip(outputs, try opCase.run(on: ReferenceExecutor())) {
            #expect(output.elementsEqual(exact))
        }
    }
}
