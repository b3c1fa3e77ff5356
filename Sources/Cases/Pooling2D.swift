import ResinGraph
import ResinPlan
import ResinTensor

/// A pooling layer in training: two cases, forward and gradient.
struct PoolingConfiguration: Checkable, Sendable {
    var network: String
    var input: Shape
    var window: Window
    /// With the mask of a ReLU before it in the gradient.
    var fused: Bool
    /// For average pooling.
    var countsPadding: Bool
    /// The output's size.
    var roundsUp: Bool
    var data: CaseData
    var output: Shape
    var isChecked = false

    /// - Parameter gives: output height and width.
    init(
        network: String = "", _ input: Shape, _ kernel: Extent, stride: Extent = 1, padding: Extent = 0,
        sides: Padding? = nil, dilation: Extent = 1, fused: Bool = false, countsPadding: Bool = true,
        roundsUp: Bool = false, data: CaseData = .uniform,
        gives height: Int, _ width: Int
    ) {
        self.network = network
        self.input = input
        window = Window(
            kernel: kernel, stride: stride, padding: sides ?? Padding(padding), dilation: dilation)
        self.fused = fused
        self.countsPadding = countsPadding
        self.roundsUp = roundsUp
        self.data = data
        output = Shape(images: input.images, height: height, width: width, channels: input.channels)
    }

    private var name: String {
        (network.isEmpty ? "" : "\(network), ") + "\(input) by \(window.kernel)\(window.settings)"
            + (fused ? ", ReLU" : "") + (countsPadding ? "" : ", padding not counted")
            + (roundsUp ? ", rounded up" : "")
            + (data == .uniform ? "" : ", ties")
    }

    private var settings: [String: [Double]] {
        var settings: [String: [Double]] = [
            "stride": window.stride.doubles, "padding": window.padding.doubles,
            "kernel": window.kernel.doubles, "countsPadding": [countsPadding ? 1 : 0],
        ]
        if roundsUp { settings["roundsUp"] = [1] }
        if window.dilation != 1 { settings["dilation"] = window.dilation.doubles }
        return settings
    }

    var maxCases: [OpCase] {
        let op = Op.MaxPool2D(window: window, givesIndices: true, roundsUp: roundsUp)
        let gradient = Op.MaxPool2DGradient(window: window, inputShape: input)
        var forward = OpCase(
            "max pooling, \(name)", "max_pool2d", settings: settings, inputs: [.tensor(input, data)],
            outputs: [.value(output)]
        ) { graph, inputs in
            let op = Op.MaxPool2D(window: op.window, givesIndices: false, roundsUp: op.roundsUp)
            return try graph.apply(.maxPool2D(op), to: inputs, name: "pool")
        }
        // The forward pass is part of this case: it gives the indices.
        var backward = OpCase(
            "max pooling's gradient, \(name)", "max_pool2d_gradient", settings: settings,
            inputs: [.tensor(input, data), .tensor(output)] + (fused ? [.tensor(input)] : []),
            outputs: [.value(output), .value(input)]
        ) { [fused] graph, inputs in
            let pooled = try graph.apply(.maxPool2D(op), to: [inputs[0]], name: "pool")
            var dx = try graph.apply(.maxPool2DGradient(gradient), to: [inputs[1], pooled[1]], name: "pool")
            if fused { dx = try graph.apply(.reluGradient, to: [dx[0], inputs[2]], name: "relu") }
            return [pooled[0], dx[0]]
        }
        // The mask is not what was pooled, so that the ReLU's gradient stays apart.
        backward.launches = fused ? 3 : 2
        forward.isExactOnIntegers = true
        backward.isExactOnIntegers = true
        return [forward, backward].map { $0.checked(if: isChecked) }
    }

    private var mask: [CaseInput] { fused ? [.tensor(input, .integers)] : [] }

    var averageCases: [OpCase] {
        let op = Op.AveragePool2D(window: window, countsPadding: countsPadding, roundsUp: roundsUp)
        let gradient = Op.AveragePool2DGradient(forward: op, inputShape: input)
        var forward = OpCase(
            "average pooling, \(name)", "average_pool2d", settings: settings, inputs: [.tensor(input, data)],
            outputs: [.value(output)]
        ) { graph, inputs in try graph.apply(.averagePool2D(op), to: inputs, name: "pool") }
        var backward = OpCase(
            "average pooling's gradient, \(name)", "average_pool2d_gradient",
            settings: settings.merging(["image": input.extents.map(Double.init)]) { $1 },
            inputs: [.tensor(output)] + mask, outputs: [.value(input)]
        ) { [fused] graph, inputs in
            let dx = try graph.apply(.averagePool2DGradient(gradient), to: [inputs[0]], name: "pool")
            return fused ? try graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx
        }
        // Only a division by a power of two is exact whether it is done as one or by the reciprocal.
        let isExact = countsPadding && !roundsUp && window.kernel.area.isPowerOfTwo
        forward.isExactOnIntegers = isExact
        backward.isExactOnIntegers = isExact
        return [forward, backward].map { $0.checked(if: isChecked) }
    }
}

/// Global average pooling, forward and gradient, of one shape; the latter perhaps with the mask of a ReLU.
private func globalAverageCases(_ input: Shape, fused: Bool) -> [OpCase] {
    let output: Shape = [input.images, input.channels]
    let extent = Extent(input.height, input.width)
    var forward = OpCase(
        "global average pooling, \(input)", "global_average_pool", inputs: [.tensor(input)],
        outputs: [.value(output)]
    ) { graph, inputs in try graph.apply(.globalAveragePool, to: inputs, name: "pool") }
    var backward = OpCase(
        "global average pooling's gradient, \(input)\(fused ? ", ReLU" : "")",
        "global_average_pool_gradient", settings: ["image": input.extents.map(Double.init)],
        inputs: [.tensor(output)] + (fused ? [.tensor(input, .integers)] : []), outputs: [.value(input)]
    ) { graph, inputs in
        let op = Op.GlobalAveragePoolGradient(extent: extent)
        let dx = try graph.apply(.globalAveragePoolGradient(op), to: [inputs[0]], name: "pool")
        return fused ? try graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx
    }
    forward.isExactOnIntegers = extent.area.isPowerOfTwo
    backward.isExactOnIntegers = extent.area.isPowerOfTwo
    return [forward.checked, backward.checked]
}

extension OpCase {
    package static let pooling2D =
        maxPoolConfigurations.flatMap(\.maxCases) + averagePoolConfigurations.flatMap(\.averageCases)
        + globalAverageShapes.enumerated().flatMap { globalAverageCases($1, fused: $0 % 2 == 1) }
        + adaptivePooling

    private static let adaptivePooling: [OpCase] = adaptiveConfigurations.enumerated().flatMap {
        index, parts in
        adaptiveCases(parts.input, parts.output, fused: index % 2 == 1).map { $0.checked(if: index < 4) }
    }
}

/// Adaptive average pooling, forward and gradient, perhaps with a ReLU.
private func adaptiveCases(_ input: Shape, _ extent: Extent, fused: Bool) -> [OpCase] {
    let output = Shape(
        images: input.images, height: extent.height, width: extent.width, channels: input.channels)
    let name = "\(input) to \(extent)\(fused ? ", ReLU" : "")"
    let forward = OpCase(
        "adaptive average pooling, \(name)", "adaptive_average_pool2d",
        settings: ["output": extent.doubles, "relu": [fused ? 1 : 0]], inputs: [.tensor(input)],
        outputs: [.value(output)]
    ) { graph, inputs in
        let y = try graph.apply(
            .adaptiveAveragePool2D(Op.AdaptiveAveragePool2D(extent)), to: inputs, name: "pool")
        return [try graph.finished(y[0], adding: nil, fused)]
    }
    let backward = OpCase(
        "adaptive average pooling's gradient, \(name)", "adaptive_average_pool2d_gradient",
        settings: ["output": extent.doubles, "relu": [0], "image": input.extents.map(Double.init)],
        inputs: [.tensor(output)] + (fused ? [.tensor(input, .integers)] : []), outputs: [.value(input)]
    ) { graph, inputs in
        let op = Op.AdaptiveAveragePool2DGradient(inputShape: input)
        let dx = try graph.apply(.adaptiveAveragePool2DGradient(op), to: [inputs[0]], name: "pool")
        return fused ? try graph.apply(.reluGradient, to: dx + inputs.suffix(1), name: "relu") : dx
    }
    return [forward, backward]
}

/// AlexNet's and VGG's at other sizes than theirs, then parts that share rows, that are larger than the image, and one.
private let adaptiveConfigurations: [(input: Shape, output: Extent)] = [
    ([2, 13, 9, 32], Extent(6)), ([3, 5, 8, 17], Extent(7)), ([2, 7, 7, 5], Extent(3, 2)),
    ([1, 1, 3, 33], Extent(2, 5)), ([5, 4, 6, 1], Extent(3, 4)), ([2, 10, 1, 10], Extent(1)),
]

/// NiN's and ResNet-18's last, then odd ones.
private let globalAverageShapes: [Shape] = [
    [1, 5, 5, 10], [1, 7, 7, 512], [2, 4, 4, 96], [3, 1, 1, 5], [5, 2, 2, 33], [7, 3, 5, 17], [1, 8, 4, 1],
    [2, 13, 11, 3], [1, 1, 9, 100], [3, 16, 16, 7], [1, 56, 56, 10], [2, 6, 6, 1],
]

extension Int {
    fileprivate var isPowerOfTwo: Bool { nonzeroBitCount == 1 }
}
