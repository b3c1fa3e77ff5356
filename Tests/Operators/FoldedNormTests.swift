import ResinCases
import ResinGraph
import ResinReference
import ResinTensor
import ResinTestDevices
import Testing

/// A batch norm folded into the convolution before it, against the same two operators apart.
struct FoldedNormTests {
    /// A shape for each form of the convolution: Winograd with 8 and 6 points, rows, packed patches, strides,
    /// groups of a channel, a few and many; with and without bias, with and without a shortcut that is added behind the norm.
    private static let cases:
        [(
            image: Shape, channels: Int, kernel: Int, stride: Int, groups: Int, hasBias: Bool,
            hasShortcut: Bool
        )] = [
            ([4, 24, 24, 16], 24, 3, 1, 1, true, true), ([48, 4, 4, 20], 33, 3, 1, 1, false, false),
            ([2, 20, 20, 1], 6, 5, 1, 1, true, true), ([3, 9, 7, 40], 72, 1, 1, 1, false, true),
            ([2, 11, 9, 3], 50, 3, 2, 1, true, false), ([2, 9, 9, 40], 70, 3, 2, 1, false, true),
            ([2, 9, 8, 24], 24, 3, 2, 24, true, true), ([2, 9, 8, 32], 32, 3, 1, 8, false, true),
            ([2, 7, 7, 36], 40, 3, 1, 2, true, false),
        ]

    /// - Parameter showsSum: whether the convolution's own result is read too, which keeps the two apart.
    private func makeCase(_ index: Int, showsSum: Bool) throws -> OpCase {
        let (image, channels, kernel, stride, groups, hasBias, hasShortcut) = Self.cases[index]
        let window = Window(
            kernel: Extent(kernel), stride: Extent(stride), padding: Extent(kernel / 2))
        let size = try window.output(for: image)
        let result = Shape(images: image.images, height: size.height, width: size.width, channels: channels)
        let convolution: Op =
            groups == 1
            ? .convolution2D(.init(window: window, outputChannels: channels, hasBias: hasBias))
            : .groupedConvolution2D(
                .init(window: window, groups: groups, outputChannels: channels, hasBias: hasBias))
        let norm = Op.BatchNormInference(epsilon: 0.001)
        var opCase = OpCase(
            "folded batch norm \(index)", "folded",
            inputs: [
                .tensor(image),
                .filter(outputs: channels, inputs: image.channels / groups, Extent(kernel)),
            ] + (hasBias ? [.vector(channels)] : []) + [
                .vector(channels, .positive), .vector(channels), .statistic(channels, .uniform),
                .statistic(channels, .positive),
            ] + (hasShortcut ? [.tensor(result)] : []),
            outputs: [.value(result)] + (showsSum ? [.value(result)] : [])
        ) { graph, inputs in
            let sum = try graph.apply(
                convolution, to: Array(inputs.prefix(hasBias ? 3 : 2)), name: "convolution")
            let y = try graph.apply(
                .batchNormInference(norm), to: sum + inputs.dropFirst(hasBias ? 3 : 2).prefix(4), name: "norm"
            )
            let end =
                hasShortcut
                ? try graph.apply(.add(Op.Add()), to: y + inputs.suffix(1), name: "add") : y
            return try graph.apply(.relu, to: end, name: "relu") + (showsSum ? sum : [])
        }
        opCase.launches = !showsSum ? 1 : hasShortcut ? 3 : 2
        opCase.tolerance = 2e-5
        return opCase
    }

    @Test("the reference computes the same folded and apart", arguments: cases.indices)
    func reference(index: Int) throws {
        let folded = try makeCase(index, showsSum: false)
        let apart = try makeCase(index, showsSum: true).run(on: ReferenceExecutor())
        expectClose(try folded.run(on: ReferenceExecutor()), [apart[0]], of: folded)
    }

    @Test(
        "a device's folded batch norm agrees with the reference's, as a CPU and as a GPU", .needsDevice,
        arguments: cases.indices, [false, true])
    func device(index: Int, asGPU: Bool) throws {
        let folded = try makeCase(index, showsSum: false)
        let apart = try makeCase(index, showsSum: true).run(on: ReferenceExecutor())
        let outputs = try folded.outputs(asGPU ? .gpu(math: .fast) : .own(.fast))
        expectClose(outputs, [apart[0]], of: folded)
    }
}
