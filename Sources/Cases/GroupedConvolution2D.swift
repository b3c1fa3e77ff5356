import ResinGraph

extension OpCase {
    package static let groupedConvolution2D =
        ConvolutionConfiguration.grouped.flatMap(\.cases)
        + ConvolutionConfiguration.groupedForms.flatMap { layer in
            var plain = layer
            plain.fused = false
            return [layer, plain].flatMap { [$0.sum.checked, $0.inputGradientSum.checked] }
                + Activation.all.filter { $0 == .hardSwish || $0 == .silu }.map { function in
                    var layer = layer
                    layer.activation = function
                    return layer.forward
                }
        }
}

extension ConvolutionConfiguration {
    /// A layer a form.
    package static let groupedForms: [ConvolutionConfiguration] = [
        .init([2, 9, 11, 24], to: 24, 3, padding: 1, groups: 24, bias: true, fused: true, gives: 9, 11)
            .checked,
        .init([2, 9, 10, 32], to: 32, 3, stride: 2, padding: 1, groups: 8, fused: true, gives: 5, 5).checked,
        .init([2, 7, 9, 48], to: 48, 3, padding: 1, groups: 2, bias: true, fused: true, gives: 7, 9).checked,
    ]

    package static let grouped = groupedForms + depthwise + inGroups
}

/// A filter for each channel.
private let depthwise: [ConvolutionConfiguration] = [
    // MobileNetV2 at 224 (Sandler et al., 2018), narrower rows; EfficientNet-B0's 5×5 (Tan and Le, 2019); ConvNeXt's 7×7
    // (Liu et al., 2022).
    .init([1, 112, 112, 32], to: 32, 3, padding: 1, groups: 32, gives: 112, 112),
    .init([1, 56, 57, 24], to: 24, 3, stride: 2, padding: 1, groups: 24, gives: 28, 29),
    .init([2, 14, 14, 96], to: 96, 3, padding: 1, groups: 96, gives: 14, 14).checked,
    .init([2, 7, 7, 80], to: 80, 5, padding: 2, groups: 80, bias: true, gives: 7, 7).checked,
    .init([2, 28, 28, 40], to: 40, 5, stride: 2, padding: 2, groups: 40, gives: 14, 14).checked,
    .init([1, 14, 13, 20], to: 20, 7, padding: 3, groups: 20, bias: true, fused: true, gives: 14, 13).checked,
    // Enough rows that a GPU adds up their sums by two launches.
    .init([3, 48, 6, 8], to: 8, 3, padding: 1, groups: 8, bias: true, gives: 48, 6).checked,
    // Several results a channel.
    .init([2, 8, 9, 12], to: 24, 3, padding: 1, groups: 12, bias: true, fused: true, gives: 8, 9).checked,
    .init([2, 9, 8, 7], to: 21, 3, stride: 2, padding: 1, groups: 7, gives: 5, 4),
    // Channels that no vector divides, one pixel, every kind of window.
    .init([3, 5, 6, 2], to: 2, 3, padding: 1, groups: 2, bias: true, gives: 5, 6),
    .init([2, 6, 5, 17], to: 17, 3, stride: 2, groups: 17, fused: true, gives: 2, 2),
    .init([2, 9, 7, 33], to: 33, [1, 3], padding: [0, 1], groups: 33, gives: 9, 7),
    .init(
        [2, 9, 7, 19], to: 19, [3, 1], stride: [2, 1], padding: [1, 0], groups: 19, bias: true, gives: 5, 7),
    .init([3, 1, 1, 18], to: 18, 3, padding: 1, groups: 18, bias: true, gives: 1, 1).checked,
    .init([2, 7, 8, 5], to: 5, 2, stride: 3, padding: 1, groups: 5, gives: 3, 3),
    .init([2, 10, 9, 6], to: 6, 1, stride: 2, groups: 6, bias: true, gives: 5, 5),
    .init([2, 11, 19, 4], to: 4, 4, stride: 4, padding: 2, groups: 4, gives: 3, 5),
    .init([1, 12, 13, 10], to: 10, 3, padding: 4, groups: 10, gives: 18, 19),
    .init(
        [2, 12, 10, 16], to: 16, 3, stride: 2, sides: Padding(bottom: 1, right: 1), groups: 16, fused: true,
        gives: 6, 5
    ).checked,
    .init([2, 13, 14, 16], to: 16, 3, padding: 2, dilation: 2, groups: 16, bias: true, gives: 13, 14).checked,
    .init([2, 13, 15, 9], to: 9, 5, stride: [3, 2], padding: 4, dilation: [2, 3], groups: 9, gives: 5, 6),
    .init([1, 17, 16, 6], to: 12, 3, stride: 2, padding: 3, dilation: 3, groups: 6, gives: 9, 8),
    // Rows of a filter that are not unrolled.
    .init([1, 14, 15, 12], to: 12, 9, padding: 4, groups: 12, bias: true, fused: true, gives: 14, 15).checked,
    .init([1, 20, 41, 5], to: 5, 3, stride: [1, 5], padding: 1, groups: 5, gives: 20, 9),
]

/// Several channels a group.
private let inGroups: [ConvolutionConfiguration] = [
    // ResNeXt-50 32×4d (Xie et al., 2017), RegNetY-400MF's (Radosavovic et al., 2020), AlexNet's two.
    .init([1, 28, 28, 128], to: 128, 3, padding: 1, groups: 32, gives: 28, 28).checked,
    .init([1, 14, 14, 256], to: 256, 3, stride: 2, padding: 1, groups: 32, gives: 7, 7),
    .init([1, 14, 13, 512], to: 512, 3, padding: 1, groups: 32, gives: 14, 13),
    .init([2, 15, 14, 104], to: 104, 3, stride: 2, padding: 1, groups: 13, gives: 8, 7).checked,
    .init([2, 13, 13, 96], to: 64, 5, padding: 2, groups: 2, bias: true, fused: true, gives: 13, 13).checked,
    .init([1, 10, 11, 64], to: 128, 3, padding: 1, groups: 2, bias: true, gives: 10, 11),
    .init([2, 8, 7, 144], to: 144, 3, padding: 1, groups: 6, gives: 8, 7),
    .init([3, 6, 6, 64], to: 64, 1, groups: 4, bias: true, fused: true, gives: 6, 6),
    // Enough rows that a GPU adds up their sums by two launches.
    .init([3, 48, 6, 16], to: 16, 3, padding: 1, groups: 4, bias: true, gives: 48, 6).checked,
    // Inputs and outputs that differ, that no vector divides, one output a group.
    .init([2, 6, 7, 12], to: 18, 3, padding: 1, groups: 6, bias: true, fused: true, gives: 6, 7).checked,
    .init([2, 7, 6, 30], to: 10, 3, padding: 1, groups: 10, gives: 7, 6),
    .init([2, 6, 9, 15], to: 35, [2, 3], padding: [0, 1], groups: 5, bias: true, gives: 5, 9),
    .init([1, 9, 8, 16], to: 16, 3, stride: 2, padding: 1, groups: 8, gives: 5, 4),
    .init([2, 5, 5, 66], to: 66, 3, padding: 1, groups: 2, bias: true, gives: 5, 5),
    .init([3, 1, 1, 24], to: 24, 3, padding: 1, groups: 3, bias: true, fused: true, gives: 1, 1).checked,
    .init([2, 7, 8, 8], to: 8, 2, stride: 3, padding: 1, groups: 2, gives: 3, 3),
    .init([2, 11, 19, 8], to: 12, 4, stride: 4, padding: 2, groups: 4, gives: 3, 5),
    .init(
        [2, 12, 10, 32], to: 32, 3, stride: 2, sides: Padding(bottom: 1, right: 1), groups: 4, fused: true,
        gives: 6, 5
    ).checked,
    .init([2, 13, 14, 32], to: 32, 3, padding: 2, dilation: 2, groups: 8, bias: true, gives: 13, 14).checked,
    .init(
        [2, 13, 15, 32], to: 64, 3, stride: [3, 2], padding: 4, dilation: [2, 3], groups: 2, gives: 6, 9),
    .init(
        [1, 17, 16, 12], to: 12, 3, stride: 2, padding: 3, dilation: 3, groups: 3, bias: true, gives: 9, 8),
]
