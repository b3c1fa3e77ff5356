import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

@Suite struct BlockComparisonTests {
    /// A block with a name of its own: 1×1 to 16 channels, then 5×5.
    private struct Bottleneck: Layer {
        var channels: Int

        func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
            let narrow = try scope.apply(Convolution2D(16, kernel: 1), to: input, name: "conv1")
            return try scope.apply(
                Convolution2D(channels, kernel: 5, padding: 2), to: narrow, name: "conv2")
        }
    }

    private func comparisons(_ blocks: [any Layer]) throws -> [BlockComparison] {
        try Network(input: ImageShape(channels: 192, side: 28), classes: 10) {
            Sequential { blocks }
            GlobalAveragePool2D()
            Dense(10)
        }.summary().blockComparisons()
    }

    /// 192·256·9 + 256 parameters and 28²·192·256·9 multiply-adds; 25 for 9 with 5×5.
    @Test func plainConvolutionsOfGoogLeNetsFirstInceptionBlock() throws {
        let comparison = try #require(try comparisons([Bottleneck(channels: 256)]).first)
        #expect(comparison.block.name == "0.0" && comparison.block.type == "Bottleneck")
        #expect(comparison.block.parameters == 192 * 16 + 16 + 16 * 256 * 25 + 256)
        #expect(comparison.block.multiplyAdds == 28 * 28 * (192 * 16 + 16 * 256 * 25))
        #expect(comparison.plain.map(\.name) == ["3×3", "5×5"])
        #expect(comparison.plain.map(\.parameters) == [442_624, 1_229_056])
        #expect(comparison.plain.map(\.multiplyAdds) == [346_816_512, 963_379_200])
        #expect(comparison.plain.map(\.output) == [[256, 28, 28], [256, 28, 28]])
    }

    @Test func aKindOfBlockIsComparedOnce() throws {
        let blocks: [any Layer] = [
            Bottleneck(channels: 192), Bottleneck(channels: 192), Bottleneck(channels: 64),
        ]
        #expect(try comparisons(blocks).map(\.block.name) == ["0.0", "0.2"])
    }

    @Test func aPlainConvolutionHasTheBlocksStride() throws {
        let comparisons = try Network.resNet18().summary().blockComparisons()
        #expect(comparisons.map(\.block.name) == ["1.0", "2.0", "2.1", "3.0", "3.1", "4.0", "4.1"])
        #expect(comparisons[1].block.output == [128, 28, 28])
        #expect(
            comparisons[1].plain.map(\.multiplyAdds) == [28 * 28 * 64 * 128 * 9, 28 * 28 * 64 * 128 * 25])
    }

    @Test func withoutNamedBlocksTheInnermostSequencesAreCompared() throws {
        let comparisons = try Network.nin().summary().blockComparisons()
        #expect(comparisons.map(\.block.name) == ["0", "2", "4", "7"])
        // 11×11 without padding: no smaller window gives 54 pixels of 224.
        #expect(comparisons[0].plain.isEmpty)
        #expect(comparisons[1].plain.map(\.parameters) == [96 * 256 * 9 + 256, 96 * 256 * 25 + 256])
    }

    @Test func theTableShowsTheBlockAndHowMuchMoreTheOthersTake() throws {
        #expect(
            NetworkSummary.table(of: try comparisons([Bottleneck(channels: 256)])) == """
                block                    input shape  output shape  parameters  multiply-adds  times
                ────────────────────────────────────────────────────────────────────────────────────
                0.0 (Bottleneck)           192×28×28     256×28×28     105,744     82,690,048   1.00
                  plain 3×3 convolution    192×28×28     256×28×28     442,624    346,816,512   4.19
                  plain 5×5 convolution    192×28×28     256×28×28   1,229,056    963,379,200  11.65
                """)
    }
}
