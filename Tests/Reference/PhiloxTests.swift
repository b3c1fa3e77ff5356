import ResinPlan
import ResinTensor
import Testing

@Suite struct PhiloxTests {
    @Test(
        "Philox4x32-10 gives the known answers of the Random123 distribution",
        arguments: [
            (
                Philox.Block(0, 0, 0, 0), SIMD2<UInt32>(0, 0),
                Philox.Block(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
            ),
            (
                Philox.Block(repeating: .max), SIMD2<UInt32>(repeating: .max),
                Philox.Block(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
            ),
            (
                Philox.Block(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
                SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
                Philox.Block(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
            ),
        ])
    func knownAnswer(counter: Philox.Block, key: SIMD2<UInt32>, answer: Philox.Block) {
        var philox = Philox(seed: 0, stream: .dropout)
        philox.key = key
        #expect(philox(counter) == answer)
    }

    @Test("A permutation holds every number once, and every epoch has another")
    func permutation() {
        let philox = Philox(seed: 7, stream: .shuffling)
        let first = philox.permutation(of: 100, epoch: 0)
        #expect(first.sorted() == Array(0..<100))
        #expect(first != philox.permutation(of: 100, epoch: 1))
        #expect(first == philox.permutation(of: 100, epoch: 0))
    }

    @Test("A step's uniforms keep the whole seed")
    func uniforms() {
        #expect(
            StepUniforms(seed: 0x1234_5678_9abc_def0, step: 1, imageCount: 1).seed == 0x1234_5678_9abc_def0)
    }
}
