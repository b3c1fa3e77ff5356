import Resin
import ResinCases
import ResinDevice
import ResinGraph
import ResinPlan
import ResinTestDevices
import Testing

/// Minimal filtering as GPUs run it, on whatever OpenCL device is here.
@Suite(.needsDevice)
struct StagedWinogradTests {
    /// For all channels, in as many chunks as a small workspace takes. What is large takes a CPU too long in
    /// this form.
    @Test(
        "On GPUs it is within its bound of the reference",
        arguments: [\ConvolutionConfiguration.forward, \.inputGradient, \.filterGradient])
    func agreement(_ pass: KeyPath<ConvolutionConfiguration, OpCase> & Sendable) throws {
        var traits = DeviceTraits.gpu(math: .fast)
        traits.leastWinogradChannels = 1
        traits.winogradByteCount = 1 << 20
        let cases = try ConvolutionConfiguration.all.map { $0[keyPath: pass] }.filter { opCase in
            try opCase.makeGraph().cost.flops < 80_000_000
                && SharedExecutors.use(traits) { try opCase.usesWinograd(on: $0) }
        }
        #expect(cases.count >= 8)
        for opCase in cases { try expectAgreement(of: opCase, traits, arithmetic: .winograd) }
    }

    @Test("Not with few channels, in mixed precision, on tensor cores or with exact mathematics")
    func selection() throws {
        let wide = ConvolutionConfiguration([1, 14, 14, 256], to: 256, 3, padding: 1, gives: 14, 14)
        func isUsed(
            for layer: ConvolutionConfiguration, _ traits: DeviceTraits = .gpu(math: .fast),
            in precision: Precision = .float32
        ) throws -> Bool {
            try SharedExecutors.use(traits) { try layer.forward.usesWinograd(on: $0, in: precision) }
        }
        #expect(try isUsed(for: wide))
        #expect(try !isUsed(for: wide, in: .mixed))
        #expect(try !isUsed(for: wide, .gpu(GroupTile.onTensorCores.last!, math: .fast)))
        #expect(try !isUsed(for: wide, .gpu(math: .exact)))
        #expect(
            try !isUsed(for: ConvolutionConfiguration([1, 56, 56, 64], to: 64, 3, padding: 1, gives: 56, 56)))
    }
}
