import ResinGraph

extension ConvolutionConfiguration {
    package static let all = networkConvolutions + shapeConvolutions + windowConvolutions

    /// Every activation but ReLU, which the others have, behind a layer of a form each, the next one's for the next.
    package static let activatedInTurn = Activation.all.filter { $0 != .relu }.enumerated()
        .map { layersOfForms[$0 % layersOfForms.count].with($1) }

    /// And some behind a form of each kind: minimal filtering's, rows of one channel, packed patches, and a dense layer.
    package static let activated =
        activatedInTurn
        + [Activation.sigmoid, .relu6, .hardSwish, .silu].enumerated().flatMap { number, function in
            layersOfForms.indices.filter { $0 != number }.map { layersOfForms[$0].with(function) }
        }

    private func with(_ activation: Activation) -> ConvolutionConfiguration {
        var layer = self
        layer.activation = activation
        return layer
    }

    /// Those with an addition at their end, and the same with nothing behind that.
    static let summed =
        layersOfForms
        + layersOfForms.map { layer in
            var layer = layer
            layer.fused = false
            return layer
        }

    /// A layer a form.
    package static let layersOfForms: [ConvolutionConfiguration] = [
        .init([4, 24, 24, 16], to: 24, 3, padding: 1, bias: true, fused: true, gives: 24, 24),
        .init([2, 20, 20, 1], to: 6, 5, padding: 2, bias: true, fused: true, gives: 20, 20),
        .init([3, 9, 7, 40], to: 72, 1, fused: true, gives: 9, 7),
        .init([2, 11, 9, 3], to: 50, 3, stride: 2, padding: 1, bias: true, fused: true, gives: 6, 5),
        .init(dense: [5, 33], to: 40, fused: true),
    ]
}

/// Layers of known networks, and every kind of window.
private let networkConvolutions: [ConvolutionConfiguration] = [
    // Network in Network at 224, one channel (Lin, Chen and Yan, 2014).
    .init(network: "NiN", [1, 224, 224, 1], to: 96, 11, stride: 4, bias: true, fused: true, gives: 54, 54),
    .init(network: "NiN", [1, 54, 54, 96], to: 96, 1, bias: true, fused: true, gives: 54, 54),
    .init(network: "NiN", [1, 26, 26, 96], to: 256, 5, padding: 2, bias: true, fused: true, gives: 26, 26),
    .init(network: "NiN", [1, 26, 26, 256], to: 256, 1, bias: true, fused: true, gives: 26, 26),
    .init(network: "NiN", [1, 12, 12, 256], to: 384, 3, padding: 1, bias: true, fused: true, gives: 12, 12),
    .init(network: "NiN", [1, 12, 12, 384], to: 384, 1, bias: true, fused: true, gives: 12, 12),
    .init(network: "NiN", [1, 5, 5, 384], to: 10, 3, padding: 1, bias: true, fused: true, gives: 5, 5),
    .init(network: "NiN", [1, 5, 5, 10], to: 10, 1, bias: true, fused: true, gives: 5, 5),
    // ResNet-18 at 224 (He, Zhang, Ren and Sun, 2016).
    .init(network: "ResNet-18", [1, 224, 224, 3], to: 64, 7, stride: 2, padding: 3, gives: 112, 112),
    .init(network: "ResNet-18", [1, 224, 224, 1], to: 64, 7, stride: 2, padding: 3, gives: 112, 112),
    .init(network: "ResNet-18", [1, 56, 56, 64], to: 64, 3, padding: 1, gives: 56, 56),
    .init(network: "ResNet-18", [1, 56, 56, 64], to: 128, 3, stride: 2, padding: 1, gives: 28, 28),
    .init(network: "ResNet-18", [1, 28, 28, 128], to: 128, 3, padding: 1, gives: 28, 28),
    .init(network: "ResNet-18", [1, 56, 56, 64], to: 128, 1, stride: 2, gives: 28, 28),
    .init(network: "ResNet-18", [1, 28, 28, 128], to: 256, 3, stride: 2, padding: 1, gives: 14, 14),
    .init(network: "ResNet-18", [1, 14, 14, 256], to: 256, 3, padding: 1, gives: 14, 14),
    .init(network: "ResNet-18", [1, 28, 28, 128], to: 256, 1, stride: 2, gives: 14, 14),
    .init(network: "ResNet-18", [1, 14, 14, 256], to: 512, 3, stride: 2, padding: 1, gives: 7, 7),
    .init(network: "ResNet-18", [1, 7, 7, 512], to: 512, 3, padding: 1, gives: 7, 7),
    .init(network: "ResNet-18", [1, 14, 14, 256], to: 512, 1, stride: 2, gives: 7, 7),
    // Enough channels and tiles for Winograd's algorithm: partial tiles, odd channels, every padding, two
    // chunks.
    .init([6, 14, 13, 16], to: 16, 3, padding: 1, bias: true, fused: true, gives: 14, 13).checked,
    .init([8, 12, 12, 20], to: 37, 3, padding: 1, bias: true, gives: 12, 12).checked,
    .init([12, 9, 11, 33], to: 18, 3, gives: 7, 9),
    .init([12, 9, 11, 18], to: 33, 3, padding: 2, fused: true, gives: 11, 13),
    .init([4, 48, 50, 16], to: 16, 3, padding: 1, bias: true, fused: true, gives: 48, 50),
    .init([4, 13, 15, 24], to: 19, 5, padding: 2, bias: true, fused: true, gives: 13, 15).checked,
    .init([8, 10, 9, 17], to: 32, 5, bias: true, gives: 6, 5),
    .init([5, 9, 8, 48], to: 16, 5, padding: 4, fused: true, gives: 13, 12),
    // Many images of fewer pixels than a tile's, which the algorithm would compute in vain.
    .init([64, 2, 2, 24], to: 24, 3, padding: 1, bias: true, gives: 2, 2),
    // One pixel, which a single tap of the filter meets; few channels, and many.
    .init([5, 1, 1, 32], to: 48, 3, padding: 1, bias: true, fused: true, gives: 1, 1),
    .init([3, 1, 1, 64], to: 40, 5, stride: 2, padding: 2, gives: 1, 1),
    .init([16, 1, 1, 256], to: 260, 3, padding: 1, bias: true, gives: 1, 1),
    // LeNet (LeCun et al., 1998): so few channels that they do not fill a vector.
    .init(network: "LeNet", [3, 28, 28, 1], to: 6, 5, padding: 2, bias: true, fused: true, gives: 28, 28),
    .init(network: "LeNet", [3, 14, 14, 6], to: 16, 5, bias: true, gives: 10, 10).checked,
    // Every kernel with every stride; images that the stride does not divide.
    .init([2, 10, 8, 3], to: 7, 1, bias: true, gives: 10, 8),
    .init([2, 8, 9, 3], to: 7, 1, stride: 2, gives: 4, 5),
    .init([2, 6, 10, 3], to: 7, 1, stride: 3, bias: true, fused: true, gives: 2, 4),
    .init([2, 9, 5, 3], to: 7, 1, stride: 4, gives: 3, 2),
    .init([2, 7, 11, 3], to: 7, 2, padding: 1, bias: true, gives: 8, 12),
    .init([2, 10, 6, 3], to: 7, 2, stride: 2, fused: true, gives: 5, 3),
    .init([2, 8, 7, 3], to: 7, 2, stride: 3, padding: 1, bias: true, gives: 3, 3),
    .init([2, 11, 8, 3], to: 7, 2, stride: 4, gives: 3, 2),
    .init([2, 9, 8, 3], to: 7, 3, padding: 1, bias: true, fused: true, gives: 9, 8),
    .init([2, 12, 9, 3], to: 7, 3, stride: 2, gives: 5, 4),
    .init([2, 10, 10, 3], to: 7, 3, stride: 3, padding: 1, bias: true, gives: 4, 4),
    .init([2, 8, 11, 3], to: 7, 3, stride: 4, fused: true, gives: 2, 3),
    .init([2, 11, 11, 3], to: 7, 4, padding: 2, bias: true, gives: 12, 12),
    .init([2, 9, 12, 3], to: 7, 4, stride: 2, gives: 3, 5),
    .init([2, 12, 13, 3], to: 7, 4, stride: 3, padding: 2, bias: true, fused: true, gives: 5, 5).checked,
    .init([2, 10, 8, 3], to: 7, 4, stride: 4, gives: 2, 2),
    .init([2, 13, 14, 3], to: 7, 5, padding: 2, bias: true, gives: 13, 14),
    .init([2, 11, 9, 3], to: 7, 5, stride: 2, fused: true, gives: 4, 3),
    .init([2, 14, 10, 3], to: 7, 5, stride: 3, padding: 2, bias: true, gives: 5, 4),
    .init([2, 12, 11, 3], to: 7, 5, stride: 4, gives: 2, 2),
    .init([2, 12, 14, 3], to: 7, 7, padding: 3, bias: true, fused: true, gives: 12, 14),
    .init([2, 15, 15, 3], to: 7, 7, stride: 2, gives: 5, 5),
    .init([2, 13, 16, 3], to: 7, 7, stride: 3, padding: 3, bias: true, gives: 5, 6),
    .init([2, 16, 11, 3], to: 7, 7, stride: 4, fused: true, gives: 3, 2),
    .init([2, 20, 20, 3], to: 7, 11, padding: 5, bias: true, gives: 20, 20),
    .init([2, 18, 15, 3], to: 7, 11, stride: 2, gives: 4, 3),
    .init([2, 16, 16, 3], to: 7, 11, stride: 3, padding: 5, bias: true, fused: true, gives: 6, 6),
    .init([2, 19, 17, 3], to: 7, 11, stride: 4, gives: 3, 2),
    // Every padding, also beyond the kernel's half.
    .init([1, 11, 12, 5], to: 10, 1, stride: 2, bias: true, gives: 6, 6),
    .init([1, 11, 12, 5], to: 10, 3, stride: 2, fused: true, gives: 5, 5),
    .init([1, 11, 12, 5], to: 10, 5, stride: 2, bias: true, gives: 4, 4),
    .init([1, 11, 12, 5], to: 10, 11, stride: 2, gives: 1, 1),
    .init([1, 11, 12, 5], to: 10, 1, padding: 1, bias: true, fused: true, gives: 13, 14),
    .init([1, 11, 12, 5], to: 10, 3, padding: 1, gives: 11, 12),
    .init([1, 11, 12, 5], to: 10, 5, padding: 1, bias: true, gives: 9, 10),
    .init([1, 11, 12, 5], to: 10, 11, padding: 1, fused: true, gives: 3, 4),
    .init([1, 11, 12, 5], to: 10, 1, stride: 2, padding: 2, bias: true, gives: 8, 8),
    .init([1, 11, 12, 5], to: 10, 3, stride: 2, padding: 2, gives: 7, 7),
    .init([1, 11, 12, 5], to: 10, 5, stride: 2, padding: 2, bias: true, fused: true, gives: 6, 6),
    .init([1, 11, 12, 5], to: 10, 11, stride: 2, padding: 2, gives: 3, 3),
    .init([1, 11, 12, 5], to: 10, 1, padding: 3, bias: true, gives: 17, 18),
    .init([1, 11, 12, 5], to: 10, 3, padding: 3, fused: true, gives: 15, 16),
    .init([1, 11, 12, 5], to: 10, 5, padding: 3, bias: true, gives: 13, 14),
    .init([1, 11, 12, 5], to: 10, 11, padding: 3, gives: 7, 8),
    .init([1, 11, 12, 5], to: 10, 1, stride: 2, padding: 4, bias: true, fused: true, gives: 10, 10),
    .init([1, 11, 12, 5], to: 10, 3, stride: 2, padding: 4, gives: 9, 9),
    .init([1, 11, 12, 5], to: 10, 5, stride: 2, padding: 4, bias: true, gives: 8, 8),
    .init([1, 11, 12, 5], to: 10, 11, stride: 2, padding: 4, fused: true, gives: 5, 5),
    .init([1, 11, 12, 5], to: 10, 1, padding: 5, bias: true, gives: 21, 22),
    .init([1, 11, 12, 5], to: 10, 3, padding: 5, gives: 19, 20),
    .init([1, 11, 12, 5], to: 10, 5, padding: 5, bias: true, fused: true, gives: 17, 18),
    .init([1, 11, 12, 5], to: 10, 11, padding: 5, gives: 11, 12),
    // Kernels, strides and paddings that differ in height and width.
    .init([2, 13, 10, 7], to: 17, [1, 3], padding: [0, 1], bias: true, gives: 13, 10),
    .init([2, 13, 10, 7], to: 17, [3, 1], padding: [1, 0], fused: true, gives: 13, 10),
    .init([2, 13, 10, 7], to: 17, [5, 2], bias: true, gives: 9, 9),
    .init([2, 13, 10, 7], to: 17, [1, 3], stride: [1, 2], gives: 13, 4),
    .init(
        [2, 13, 10, 7], to: 17, [3, 1], stride: [2, 1], padding: [1, 0], bias: true, fused: true, gives: 7, 10
    ),
    .init([2, 13, 10, 7], to: 17, [5, 2], stride: 2, padding: [2, 1], gives: 7, 6),
    .init([2, 13, 10, 7], to: 17, [2, 5], stride: [3, 1], padding: [0, 2], bias: true, gives: 4, 10),
    .init([2, 13, 10, 7], to: 17, 3, stride: [1, 2], padding: [2, 0], fused: true, gives: 15, 4),
    .init([2, 13, 10, 7], to: 17, [1, 7], padding: [0, 3], bias: true, gives: 13, 10).checked,
    .init([2, 13, 10, 7], to: 17, [7, 1], padding: [3, 0], gives: 13, 10),
    .init(
        [2, 13, 10, 7], to: 17, [4, 2], stride: [2, 3], padding: 1, bias: true, fused: true, gives: 6, 4),
    .init([2, 13, 10, 7], to: 17, 1, stride: [2, 1], gives: 7, 10),
]

/// Paddings that differ from side to side, and dilation, for every form that serves them and those that do not.
private let windowConvolutions: [ConvolutionConfiguration] = [
    // As TensorFlow pads by "SAME", and beyond what the window reaches.
    .init(
        [2, 12, 10, 3], to: 24, 3, stride: 2, sides: Padding(bottom: 1, right: 1), bias: true, fused: true,
        gives: 6, 5
    ).checked,
    .init([2, 8, 9, 20], to: 33, 3, sides: Padding(top: 2, right: 1), bias: true, gives: 8, 8),
    .init([4, 16, 14, 16], to: 16, 3, sides: Padding(left: 2, bottom: 2), fused: true, gives: 16, 14).checked,
    .init([3, 7, 9, 40], to: 72, 1, sides: Padding(bottom: 1, right: 2), bias: true, gives: 8, 11).checked,
    .init([3, 9, 7, 5], to: 7, 2, sides: Padding(top: 1, left: 0, bottom: 4, right: 3), gives: 13, 9),
    .init([1, 11, 12, 1], to: 6, 5, sides: Padding(top: 1, left: 2, bottom: 3, right: 0), gives: 11, 10),
    .init(
        [2, 13, 10, 7], to: 17, [4, 2], stride: [2, 3], sides: Padding(top: 0, left: 1, bottom: 2, right: 0),
        bias: true, fused: true, gives: 6, 4),
    .init([3, 1, 1, 40], to: 32, 3, sides: Padding(left: 2, bottom: 2), bias: true, gives: 1, 1),
    // Dilation alone; with a stride that divides it, is divided by it, and neither; and beyond the image.
    .init([2, 14, 13, 16], to: 24, 3, padding: 2, dilation: 2, bias: true, fused: true, gives: 14, 13)
        .checked,
    .init([2, 12, 15, 3], to: 7, 3, padding: 1, dilation: [1, 3], bias: true, gives: 12, 11),
    .init([2, 15, 12, 5], to: 40, [3, 2], padding: 1, dilation: [3, 1], gives: 11, 13),
    .init([2, 14, 15, 20], to: 33, 3, stride: 2, padding: 2, dilation: 2, bias: true, gives: 7, 8).checked,
    .init([1, 17, 16, 8], to: 16, 3, stride: 2, padding: 3, dilation: 3, fused: true, gives: 9, 8),
    .init(
        [2, 16, 19, 4], to: 12, 4, stride: [4, 3], padding: 3, dilation: [2, 2], bias: true, gives: 4, 7),
    .init([2, 20, 13, 4], to: 12, [5, 2], stride: [6, 2], padding: 1, dilation: [4, 3], gives: 1, 6),
    .init([1, 6, 5, 10], to: 9, 3, padding: 4, dilation: 4, bias: true, gives: 6, 5),
    .init([3, 1, 1, 16], to: 20, 3, padding: 2, dilation: 2, bias: true, gives: 1, 1),
    .init(
        [2, 10, 9, 12], to: 20, 3, sides: Padding(top: 3, left: 2, bottom: 1, right: 4), dilation: 2,
        bias: true, fused: true, gives: 10, 11),
    // DeepLab's, of enough channels for the tiles of GPUs (Chen et al., 2017, table 5).
    .init([1, 14, 14, 64], to: 64, 3, padding: 6, dilation: 6, gives: 14, 14).checked,
]

/// Every kind of channel count, batch and image.
private let shapeConvolutions: [ConvolutionConfiguration] = [
    // Channels and outputs that no vector width divides.
    .init([1, 6, 7, 1], to: 1, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 1], to: 10, 3, padding: 1, fused: true, gives: 6, 7),
    .init([1, 6, 7, 1], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 1], to: 100, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 3], to: 1, 3, padding: 1, bias: true, fused: true, gives: 6, 7),
    .init([1, 6, 7, 3], to: 10, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 3], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 3], to: 100, 3, padding: 1, fused: true, gives: 6, 7),
    .init([1, 6, 7, 5], to: 1, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 5], to: 10, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 5], to: 33, 3, padding: 1, bias: true, fused: true, gives: 6, 7),
    .init([1, 6, 7, 5], to: 100, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 7], to: 1, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 7], to: 10, 3, padding: 1, fused: true, gives: 6, 7),
    .init([1, 6, 7, 7], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 7], to: 100, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 10], to: 1, 3, padding: 1, bias: true, fused: true, gives: 6, 7),
    .init([1, 6, 7, 10], to: 10, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 10], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 10], to: 100, 3, padding: 1, fused: true, gives: 6, 7),
    .init([1, 6, 7, 17], to: 1, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 17], to: 10, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 17], to: 33, 3, padding: 1, bias: true, fused: true, gives: 6, 7),
    .init([1, 6, 7, 17], to: 100, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 33], to: 1, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 33], to: 10, 3, padding: 1, fused: true, gives: 6, 7).checked,
    .init([1, 6, 7, 33], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 33], to: 100, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 96], to: 1, 3, padding: 1, bias: true, fused: true, gives: 6, 7),
    .init([1, 6, 7, 96], to: 10, 3, padding: 1, gives: 6, 7),
    .init([1, 6, 7, 96], to: 33, 3, padding: 1, bias: true, gives: 6, 7),
    .init([1, 6, 7, 96], to: 100, 3, padding: 1, fused: true, gives: 6, 7),
    .init([3, 5, 3, 1], to: 1, 1, bias: true, gives: 5, 3),
    .init([3, 5, 3, 1], to: 10, 1, gives: 5, 3),
    .init([3, 5, 3, 1], to: 33, 1, bias: true, fused: true, gives: 5, 3),
    .init([3, 5, 3, 1], to: 100, 1, gives: 5, 3),
    .init([3, 5, 3, 5], to: 1, 1, bias: true, gives: 5, 3),
    .init([3, 5, 3, 5], to: 10, 1, fused: true, gives: 5, 3),
    .init([3, 5, 3, 5], to: 33, 1, bias: true, gives: 5, 3),
    .init([3, 5, 3, 5], to: 100, 1, gives: 5, 3),
    .init([3, 5, 3, 33], to: 1, 1, bias: true, fused: true, gives: 5, 3),
    .init([3, 5, 3, 33], to: 10, 1, gives: 5, 3),
    .init([3, 5, 3, 33], to: 33, 1, bias: true, gives: 5, 3),
    .init([3, 5, 3, 33], to: 100, 1, fused: true, gives: 5, 3),
    .init([3, 5, 3, 96], to: 1, 1, bias: true, gives: 5, 3),
    .init([3, 5, 3, 96], to: 10, 1, gives: 5, 3),
    .init([3, 5, 3, 96], to: 33, 1, bias: true, fused: true, gives: 5, 3),
    .init([3, 5, 3, 96], to: 100, 1, gives: 5, 3),
    // Batches.
    .init([1, 7, 7, 8], to: 16, 3, padding: 1, bias: true, gives: 7, 7),
    .init([1, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, fused: true, gives: 6, 5),
    .init([1, 5, 5, 33], to: 10, 1, bias: true, gives: 5, 5),
    .init([2, 7, 7, 8], to: 16, 3, padding: 1, gives: 7, 7),
    .init([2, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, bias: true, fused: true, gives: 6, 5).checked,
    .init([2, 5, 5, 33], to: 10, 1, gives: 5, 5),
    .init([3, 7, 7, 8], to: 16, 3, padding: 1, bias: true, gives: 7, 7),
    .init([3, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, fused: true, gives: 6, 5),
    .init([3, 5, 5, 33], to: 10, 1, bias: true, gives: 5, 5),
    .init([5, 7, 7, 8], to: 16, 3, padding: 1, gives: 7, 7),
    .init([5, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, bias: true, fused: true, gives: 6, 5),
    .init([5, 5, 5, 33], to: 10, 1, gives: 5, 5),
    .init([7, 7, 7, 8], to: 16, 3, padding: 1, bias: true, gives: 7, 7),
    .init([7, 11, 9, 3], to: 17, 5, stride: 2, padding: 2, fused: true, gives: 6, 5),
    .init([7, 5, 5, 33], to: 10, 1, bias: true, gives: 5, 5),
    // Images as small as the window, of one pixel, and narrow ones.
    .init([2, 1, 1, 5], to: 7, 1, gives: 1, 1),
    .init([2, 3, 3, 5], to: 7, 3, bias: true, fused: true, gives: 1, 1),
    .init([1, 1, 1, 17], to: 10, 3, padding: 1, gives: 1, 1).checked,
    .init([3, 11, 11, 1], to: 5, 11, stride: 4, bias: true, gives: 1, 1),
    .init([1, 1, 19, 3], to: 10, [1, 3], padding: [0, 1], fused: true, gives: 1, 19),
    .init([1, 23, 1, 3], to: 10, [3, 1], stride: 2, bias: true, gives: 11, 1),
    .init([1, 2, 2, 1], to: 1, 2, stride: 2, gives: 1, 1),
    .init([1, 1, 1, 1], to: 1, 1, bias: true, fused: true, gives: 1, 1),
    .init([2, 14, 14, 16], to: 32, 3, stride: 4, padding: 1, gives: 4, 4),
    .init([1, 31, 29, 4], to: 8, 3, stride: 3, padding: 2, bias: true, gives: 11, 11),
    .init([1, 17, 17, 32], to: 64, 3, padding: 1, fused: true, gives: 17, 17),
    .init([2, 15, 13, 64], to: 48, 3, stride: 2, padding: 1, bias: true, fused: true, gives: 8, 7).checked,
    .init([1, 8, 40, 12], to: 24, 3, gives: 6, 38),
    .init([1, 33, 5, 6], to: 100, 3, padding: 1, bias: true, fused: true, gives: 33, 5),
    .init([1, 13, 13, 96], to: 100, 5, padding: 2, fused: true, gives: 13, 13).checked,
    // One channel under a large window, and enough channels for minimal filtering on GPUs.
    .init([1, 33, 31, 1], to: 96, 11, stride: 4, bias: true, fused: true, gives: 6, 6).checked,
    .init([2, 15, 13, 128], to: 100, 3, padding: 1, bias: true, fused: true, gives: 15, 13).checked,
    .init([3, 8, 8, 100], to: 96, 3, gives: 6, 6).checked,
    // Enough rows and columns for the largest tiles, forward and backward.
    .init([8, 64, 64, 8], to: 128, 1, bias: true, fused: true, gives: 64, 64).checked,
    .init([8, 64, 64, 128], to: 8, 1, gives: 64, 64).checked,
    // Dense layers, among them ResNet-18's, and one of many rows.
    .init(dense: [64, 70], to: 1100).checked,
    .init(dense: [1, 512], to: 10),
    .init(dense: [1, 512], to: 1000, fused: true),
    .init(dense: [5, 400], to: 120, bias: false),
    .init(dense: [2, 120], to: 84),
    .init(dense: [7, 84], to: 10, fused: true).checked,
    .init(dense: [1, 1], to: 1, bias: false),
    .init(dense: [3, 1], to: 10),
    .init(dense: [2, 17], to: 1, fused: true),
    .init(dense: [5, 33], to: 33, bias: false),
    .init(dense: [3, 96], to: 100),
    .init(dense: [7, 5], to: 7, fused: true),
    .init(dense: [2, 1000], to: 33, bias: false).checked,
    .init(dense: [1, 7], to: 100),
    .init(dense: [3, 3], to: 3, fused: true),
]
