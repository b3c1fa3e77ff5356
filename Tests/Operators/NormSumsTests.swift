import ResinCases
import ResinDevice
import ResinPlan
import ResinTensor
import ResinTestDevices
import Testing

/// What a convolution's launch sums for the batch norm beside it, on whatever OpenCL device is here.
@Suite(
    .needsDevice,
    .enabled(if: DeviceTraits.gpu().fence != nil, "the device has no fence between groups"))
struct NormSumsTests {
    private static let cases = OpCase.convolution2D.filter { $0.operation.hasPrefix("convolution2d_norm") }

    /// Kernels of a case, in the order of their launches.
    private func kernels(of opCase: OpCase, _ traits: DeviceTraits) throws -> [String] {
        let graph = try opCase.makeGraph()
        return try SharedExecutors.use(traits) { executor in
            executor.launches(of: executor.makePlan(graph)).map(\.kernel)
        }
    }

    @Test("Nothing reads a convolution's result for sums alone", arguments: cases)
    func launches(of opCase: OpCase) throws {
        let kernels = try kernels(of: opCase, .gpu())
        if opCase.operation == "convolution2d_norm" {
            #expect(kernels == ["convolution2d_statistics_tiled", "batch_norm_normalise"])
        } else if opCase.name.contains("stride") {
            // A launch a phase.
            #expect(kernels.count { $0 == "convolution2d_tiled" } == 4)
            #expect(kernels.suffix(2) == ["batch_norm_gradient_sums_whole_reduction", "batch_norm_gradient"])
        } else {
            #expect(kernels.suffix(2) == ["convolution2d_gradient_sums_tiled", "batch_norm_gradient"])
        }
    }

    @Test("Not on a CPU, without a fence, and where sums are Winograd's")
    func selection() throws {
        var withoutFence = DeviceTraits.gpu()
        withoutFence.fence = nil
        var winograd = DeviceTraits.gpu(math: .fast)
        winograd.leastWinogradChannels = 1
        for opCase in Self.cases {
            let isWinograd = opCase.name.contains("3×3") && !opCase.name.contains("stride")
            for traits in [.own(.fast), withoutFence] + (isWinograd ? [winograd] : []) {
                let kernels = try kernels(of: opCase, traits)
                #expect(!kernels.contains { $0.hasSuffix("statistics_tiled") || $0.hasSuffix("sums_tiled") })
            }
        }
    }

    @Test("In 16 bits they agree with the reference", arguments: cases)
    func halves(of opCase: OpCase) throws { try expectAgreement(of: opCase, .gpu(), in: .mixed) }

    /// The largest tiles, whose local memory is full, and the widest warp's. A CPU's compiler takes seconds for each.
    /// Operands come word by word and in pieces.
    @Test(
        "With other tiles they agree",
        arguments: [
            (GroupTile.all[0], Staging.words), (GroupTile.onTensorCores[0], .asynchronousPieces),
            (GroupTile.onTensorCores[3], .pieces),
        ])
    func tiles(_ tile: GroupTile, staging: Staging) throws {
        let traits = DeviceTraits.gpu(tile, staging: staging)
        for opCase in Self.cases where opCase.name.contains("64 to 64") {
            try expectAgreement(of: opCase, traits, arithmetic: tile.usesTensorCores ? .tensorCores : .direct)
        }
    }

    @Test("Twice the same run gives the same bits", arguments: cases)
    func reproducible(_ opCase: OpCase) throws {
        let runs = try (0..<2).map { _ in try opCase.outputs(.gpu()).map { $0.map(\.bitPattern) } }
        #expect(runs[0] == runs[1])
    }
}
