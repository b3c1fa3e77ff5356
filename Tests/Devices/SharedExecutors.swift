import Foundation
import ResinDevice
import ResinOpenCL
import ResinPlan
import Synchronization

/// Executors of OpenCL devices, one for each choice of kernels in the whole process, so that a kernel is
/// compiled once; who uses the same one takes turns.
package enum SharedExecutors {
    private final class Shared: @unchecked Sendable {
        private let executor: DeviceExecutor
        private let turn = NSLock()

        init(_ executor: DeviceExecutor) { self.executor = executor }

        func use<Result>(_ body: (DeviceExecutor) throws -> Result) rethrows -> Result {
            try turn.withLock { try body(executor) }
        }
    }

    private struct Key: Hashable {
        var index: Int
        var traits: DeviceTraits
    }

    private static let made = Mutex<[Key: Shared]>([:])

    /// - Parameter index: the device's place among `OpenCLDevices.all`.
    package static func use<Result>(
        _ traits: DeviceTraits, ofDevice index: Int = 0, _ body: (DeviceExecutor) throws -> Result
    ) throws -> Result {
        let shared = try made.withLock { made in
            let key = Key(index: index, traits: traits)
            if let shared = made[key] { return shared }
            let shared = Shared(
                try DeviceExecutor(device: OpenCLDevices.all[index], index: index, traits: traits))
            made[key] = shared
            return shared
        }
        return try shared.use(body)
    }
}

extension DeviceTraits {
    /// The device's own kernels.
    package static func own(_ math: MathMode, ofDevice index: Int = 0) -> DeviceTraits {
        DeviceTraits(OpenCLDevices.all[index], math: math)
    }

    /// A GPU's, which any device runs: tensor cores and copies are imitated where it has none.
    ///
    /// - Parameter tile: the only one; the smallest meets most edges, and a CPU's compiler is quickest with
    ///   it.
    package static func gpu(
        _ tile: GroupTile = GroupTile.all.last!, math: MathMode = .exact, staging: Staging = .words
    ) -> DeviceTraits {
        var traits = DeviceTraits(
            OpenCLDevices.all[0], math: math, asGPU: true, fence: DeviceFence(of: OpenCLDevices.all[0]))
        traits.groupTiles = [tile]
        traits.staging = staging
        // What is tested is small: pieces would not pay.
        traits.leastPieceProducts = 0
        return traits
    }
}
