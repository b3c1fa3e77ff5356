import ResinGraph
import ResinPlan
import ResinTensor

/// Configurations that meet every kind of edge: counts that no vector, tile or work-group divides, one pixel, one
/// channel, strides that leave rows out, a batch's rows that hold no image; and a few as large as real layers, so
/// that the kernels for large work run too. `Tests/OpCases` has a thousand more.
extension OperatorTrial {
    // MARK: Convolution

    static let convolutions: [OperatorTrial] = [
        convolution([2, 13, 11, 3], to: 17, Window(kernel: 5, stride: 2, padding: 2), bias: true),
        convolution([1, 33, 31, 1], to: 96, Window(kernel: 11, stride: 4), bias: true),
        convolution([3, 7, 9, 33], to: 10, Window(kernel: 3, padding: 1), bias: false),
        convolution([5, 100], to: 10, Window(kernel: 1), bias: true),
        convolution([3, 700], to: 101, Window(kernel: 1), bias: true),
        convolution([64, 70], to: 1100, Window(kernel: 1), bias: true),
        convolution([3, 14, 14, 6], to: 16, Window(kernel: 5), bias: true),
        convolution([2, 9, 12, 6], to: 7, Window(kernel: 4, stride: 3, padding: 2), bias: true),
        convolution([1, 1, 1, 17], to: 5, Window(kernel: 3, padding: 1), bias: true),
        convolution(
            [2, 13, 10, 7], to: 12, Window(kernel: Extent(1, 7), padding: Extent(0, 3)), bias: false),
        convolution([4, 14, 14, 64], to: 96, Window(kernel: 3, padding: 1), bias: true),
        convolution([2, 28, 28, 32], to: 64, Window(kernel: 3, stride: 2, padding: 1), bias: false),
        convolution([4, 12, 13, 24], to: 40, Window(kernel: 5, padding: 2), bias: true),
        // Enough rows and columns for the largest tiles, forward and backward.
        convolution([8, 64, 64, 8], to: 128, Window(kernel: 1), bias: true),
        convolution([8, 64, 64, 128], to: 8, Window(kernel: 1), bias: false),
        // Enough channels for a GPU's minimal filtering.
        convolution([2, 15, 13, 128], to: 100, Window(kernel: 3, padding: 1), bias: true),
        convolution([1, 12, 12, 96], to: 128, Window(kernel: 5, padding: 2), bias: true),
        convolution([3, 8, 8, 100], to: 96, Window(kernel: 3), bias: false),
    ]

    /// All three passes, with the ReLU after it and the mask of one before it.
    private static func convolution(
        _ image: Shape, to outputs: Int, _ window: Window, bias hasBias: Bool
    ) -> OperatorTrial {
        let op = Op.Convolution2D(window: window, outputChannels: outputs, hasBias: hasBias)
        return OperatorTrial(name: "\(image) to \(outputs) by \(window.kernel)") { trial in
            let x = try trial.tensor(image)
            let weights = trial.filter(window, inputs: image.channels, outputs: outputs)
            let bias = hasBias ? [trial.vector(outputs)] : []
            let y = try trial.apply(.relu, to: trial.apply(.convolution2D(op), to: [x, weights] + bias))
            let gradient = try trial.tensor(trial.graph.shape(of: y[0]))
            let inputGradient = Op.Convolution2DInputGradient(window: window, inputShape: image)
            let dx = try trial.apply(.convolution2DInputGradient(inputGradient), to: gradient, weights)
            let filterGradient = Op.Convolution2DFilterGradient(window: window, hasBias: hasBias)
            let sums = try trial.apply(.convolution2DFilterGradient(filterGradient), to: x, gradient)
            return y + (try trial.apply(.reluGradient, to: dx[0], x)) + sums
        }
    }

    // MARK: Pooling

    static let pooling: [OperatorTrial] = [
        pooling([2, 13, 11, 33], Window(kernel: 3, stride: 2)),
        pooling([1, 5, 7, 1], Window(kernel: 2, stride: 2, padding: 1)),
        pooling([3, 8, 9, 6], Window(kernel: 3, stride: 1, padding: 1)),
        pooling([3, 9, 10, 6], Window(kernel: 2, stride: 2)),
        pooling([2, 9, 9, 96], Window(kernel: 5, stride: 3, padding: 2)),
        pooling([2, 28, 28, 64], Window(kernel: 3, stride: 2, padding: 1)),
    ]

    /// Maximum, average of both kinds, of everything, and their gradients.
    private static func pooling(_ image: Shape, _ window: Window) -> OperatorTrial {
        OperatorTrial(name: "\(image) by \(window.kernel)") { trial in
            let x = try trial.tensor(image)
            let maximum = try trial.apply(.maxPool2D(Op.MaxPool2D(window: window, givesIndices: true)), to: x)
            let gradient = try trial.tensor(trial.graph.shape(of: maximum[0]))
            let back = Op.MaxPool2DGradient(window: window, inputShape: image)
            let dx = try trial.apply(.maxPool2DGradient(back), to: gradient, maximum[1])
            var results = [maximum[0]] + (try trial.apply(.reluGradient, to: dx[0], x))
            for countsPadding in [true, false] {
                let average = Op.AveragePool2D(window: window, countsPadding: countsPadding)
                let back = Op.AveragePool2DGradient(forward: average, inputShape: image)
                results += try trial.apply(.averagePool2D(average), to: x)
                results += try trial.apply(.averagePool2DGradient(back), to: gradient)
            }
            let global = try trial.apply(.globalAveragePool, to: x)
            let spread = Op.GlobalAveragePoolGradient(extent: Extent(image.height, image.width))
            return results + global + (try trial.apply(.globalAveragePoolGradient(spread), to: global))
        }
    }

    // MARK: Batch norm

    static let batchNorm: [OperatorTrial] = [
        batchNorm([2, 9, 11, 5]), batchNorm([1, 2, 1, 17]), batchNorm([8, 100]), batchNorm([7, 4, 4, 10]),
        batchNorm([3, 5, 7, 1]), batchNorm([4, 28, 28, 64]), batchNorm([2, 33, 31, 5], .offset),
        batchNorm([2, 7, 7, 512]), batchNorm([2, 56, 57, 24], .offset),
    ]

    /// Training with the ReLU after it, the gradient, and prediction.
    private static func batchNorm(
        _ shape: Shape, _ numbers: TrialGraph.Numbers = .uniform
    ) -> OperatorTrial {
        // Two values are normalised to ±1 whatever they are, so that a small epsilon leaves no gradient.
        let epsilon: Float = shape.pixels == 2 ? 0.25 : 1e-5
        var result = OperatorTrial(name: "\(shape)" + (numbers == .offset ? ", mean 17" : "")) { trial in
            let x = try trial.tensor(shape, numbers)
            let (scale, shift) = (trial.vector(shape.channels, .positive), trial.vector(shape.channels))
            let mean = trial.statistic(shape.channels, .uniform)
            let variance = trial.statistic(shape.channels, .positive)
            let op = Op.BatchNorm(epsilon: epsilon)
            let norm = try trial.apply(.batchNorm(op), to: x, scale, shift, mean, variance)
            // At once: fusion puts both where the ReLU is, and the gradient reads what batch norm gives.
            let y = try trial.apply(.relu, to: norm[0]) + norm[1...]
            let gradient = try trial.tensor(shape)
            let gradients = try trial.apply(.batchNormGradient, to: gradient, x, scale, norm[1], norm[2])
            let still = try trial.apply(
                .batchNormInference(Op.BatchNormInference(epsilon: epsilon)), to: x, scale, shift, mean,
                variance)
            return try y + gradients + trial.apply(.relu, to: still[0])
        }
        // A mean of 17 in float32 is off by up to 17 · 2⁻²⁴, against a deviation of 0.58.
        if numbers == .offset { result.tolerance = 2e-5 }
        result.steps = (1...2).map { StepUniforms(seed: 5, step: $0, imageCount: shape.images) }
        return result
    }

    // MARK: Loss and metrics

    static let loss: [OperatorTrial] = [
        loss(images: 7, classes: 10), loss(images: 5, classes: 33, imageCount: 3),
        loss(images: 1, classes: 1000), loss(images: 130, classes: 10, smoothing: 0.1),
        loss(images: 3, classes: 2, .logits), loss(images: 6, classes: 100, .logits, smoothing: 0.25),
    ]

    static let metrics: [OperatorTrial] = [
        metrics(images: 1), metrics(images: 64, slot: 2), metrics(images: 300, imageCount: 291),
        activity([2, 5, 5, 10], offset: 7), activity([1, 1, 1, 33], offset: 0),
        activity([2, 28, 28, 64], offset: 3),
    ]

    private static func loss(
        images: Int, classes: Int, imageCount: Int? = nil, _ numbers: TrialGraph.Numbers = .uniform,
        smoothing: Float = 0
    ) -> OperatorTrial {
        var result = OperatorTrial(name: "\(images) × \(classes)") { trial in
            let logits = try trial.tensor([images, classes], numbers)
            let data = trial.dataset([images, 1, 1, 1], classes: classes)
            let labels = try trial.apply(.labelInput, to: data.labels, data.order, logits)[0]
            let op = Op.SoftmaxCrossEntropy(labelSmoothing: smoothing)
            let gradient = Op.SoftmaxCrossEntropyGradient(labelSmoothing: smoothing)
            return try trial.apply(.softmaxCrossEntropy(op), to: logits, labels)
                + trial.apply(.softmaxCrossEntropyGradient(gradient), to: logits, labels)
        }
        result.steps = [StepUniforms(seed: 5, step: 1, imageCount: imageCount ?? images)]
        return result
    }

    private static func metrics(images: Int, imageCount: Int? = nil, slot: Int = 0) -> OperatorTrial {
        var result = OperatorTrial(name: "\(images) images in slot \(slot)") { trial in
            let logits = try trial.tensor([images, 10])
            let data = trial.dataset([images, 1, 1, 1])
            let labels = try trial.apply(.labelInput, to: data.labels, data.order, logits)[0]
            let rows = try trial.apply(.softmaxCrossEntropy(), to: logits, labels)
            return try trial.apply(
                .recordMetrics, to: rows[0], trial.region(.metrics(.train), TensorType([4, 4])))
        }
        result.steps = [StepUniforms(seed: 5, step: 1, imageCount: imageCount ?? images, slot: slot)]
        return result
    }

    private static func activity(_ shape: Shape, offset: Int) -> OperatorTrial {
        OperatorTrial(name: "\(shape) from \(offset)") { trial in
            let x = try trial.tensor(shape)
            let flags = trial.region(.activity, TensorType([shape.channels + 2 * offset], .int32))
            return try trial.apply(.channelActivity(Op.ChannelActivity(offset: offset)), to: x, flags)
        }
    }

    // MARK: Element-wise

    static let elementwise: [OperatorTrial] =
        ([[2, 7, 5, 33], [1, 1, 1, 1], [3, 17], [2, 28, 28, 64]] as [Shape])
        .map { shape in
            OperatorTrial(name: "\(shape)") { trial in
                let (a, b) = (try trial.tensor(shape), try trial.tensor(shape))
                let sigmoid = try trial.apply(.sigmoid, to: trial.tensor(shape, .logits))
                let dropout = Op.Dropout(probability: 0.3, node: 3)
                let sum = try trial.apply(.add(Op.Add()), to: a, b)
                let masked = try trial.apply(.reluGradient, to: trial.apply(.add(Op.Add()), to: b, a)[0], a)
                let plain = try trial.apply(.relu, to: a) + trial.apply(.reluGradient, to: a, b)
                let smooth = try sigmoid + trial.apply(.sigmoidGradient, to: b, sigmoid[0])
                let others =
                    try trial.apply(.scale(Op.Scale(by: 0.5)), to: a)
                    + trial.apply(.dropout(dropout), to: b)
                return try trial.apply(.relu, to: sum) + masked + plain + smooth + others
            }
        }

    static let concatenation: [OperatorTrial] = [
        concatenation([2, 6, 5], [64, 128, 32]), concatenation([5, 4, 9], [3, 17, 1, 33]),
        concatenation([7], [10, 5]), concatenation([1, 1, 1], [1, 1]), concatenation([2, 28, 28], [16, 24]),
        branches([2, 28, 28, 16], [24, 17, 32]), branches([3, 9, 5, 3], [7, 16]),
    ]

    private static func concatenation(_ pixels: [Int], _ channels: [Int]) -> OperatorTrial {
        OperatorTrial(name: "\(Shape(pixels)) × \(channels)") { trial in
            let inputs = try channels.map { try trial.tensor(Shape(pixels + [$0])) }
            let whole = try trial.apply(.concatenation, to: inputs)
            var results = whole
            var first = 0
            for count in channels {
                results += try trial.apply(
                    .channelSlice(Op.ChannelSlice(first..<first + count)), to: whole[0])
                first += count
            }
            return results
        }
    }

    /// Convolutions with ReLUs side by side, of odd and even kernels, and the gradients of their ReLUs from the whole's:
    /// what devices may write and read in place.
    private static func branches(_ image: Shape, _ channels: [Int]) -> OperatorTrial {
        OperatorTrial(name: "branches of \(image) to \(channels)") { trial in
            let x = try trial.tensor(image)
            let branches = try channels.enumerated().flatMap { index, count in
                let window = Window(kernel: 2 * index + 1, padding: index)
                let op = Op.Convolution2D(window: window, outputChannels: count, hasBias: false)
                let weights = trial.filter(window, inputs: image.channels, outputs: count)
                return try trial.apply(.relu, to: trial.apply(.convolution2D(op), to: [x, weights]))
            }
            let whole = try trial.apply(.concatenation, to: branches)
            let gradient = try trial.tensor(trial.graph.shape(of: whole[0]))
            var results = whole
            var first = 0
            for (branch, count) in zip(branches, channels) {
                let slice = try trial.apply(
                    .channelSlice(Op.ChannelSlice(first..<first + count)), to: gradient)
                results += try trial.apply(.reluGradient, to: slice[0], branch)
                first += count
            }
            return results
        }
    }

    // MARK: Input

    static let input: [OperatorTrial] = [
        input([10, 28, 28, 1], batch: 4, to: Extent(28)), input([10, 28, 28, 1], batch: 3, to: Extent(96)),
        input([5, 32, 32, 3], batch: 2, to: Extent(16)), input([4, 9, 7, 3], batch: 3, to: Extent(5, 13)),
        input([9, 7, 5, 3], batch: 7, to: Extent(7, 5), cropPadding: 2, flips: true),
        input([6, 32, 32, 3], batch: 5, to: Extent(64), cropPadding: 4, flips: true),
    ]

    private static func input(
        _ source: Shape, batch: Int, to size: Extent, cropPadding: Int = 0, flips: Bool = false
    ) -> OperatorTrial {
        let channels = 0..<source.channels
        let op = Op.ImageInput(
            batch: batch, size: size, mean: channels.map { 0.25 + 0.125 * Float($0) },
            standardDeviation: channels.map { 0.5 - 0.0625 * Float($0) }, cropPadding: cropPadding,
            flips: flips)
        var result = OperatorTrial(name: "\(source) to \(size)") { trial in
            let data = trial.dataset(source)
            return try trial.apply(.imageInput(op), to: data.0, data.order)
        }
        result.steps = [StepUniforms(seed: 1 << 40 | 5, step: 9, firstImage: 1, imageCount: batch - 1)]
        return result
    }

    // MARK: Optimizers

    static let optimizers: [OperatorTrial] = [
        optimizer(.sgd(momentum: 0, nesterov: false, weightDecay: 0)),
        optimizer(momentum),
        optimizer(.sgd(momentum: 0.9, nesterov: true, weightDecay: 5e-4)),
        optimizer(.adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, isDecoupled: false)),
        optimizer(adamW),
        optimizer(momentum, LossScale(scale: 16)),
        optimizer(momentum, LossScale(scale: 16), .infinite),
        // It doubles after the second step.
        optimizer(adamW, LossScale(scale: 8, steadySteps: LossScale.growthInterval - 2, skippedSteps: 3)),
        optimizer(adamW, LossScale(scale: 8), .infinite),
    ]

    private static let momentum = Op.Optimizer.sgd(momentum: 0.9, nesterov: false, weightDecay: 0.01)
    private static let adamW = Op.Optimizer.adam(
        beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, isDecoupled: true)

    /// - Parameter last: what the last parameter's gradients are.
    private static func optimizer(
        _ op: Op.Optimizer, _ lossScale: LossScale? = nil, _ last: TrialGraph.Numbers = .uniform
    ) -> OperatorTrial {
        var name = "\(op)"
        if let lossScale { name += ", \(last) gradients of the loss times \(lossScale.scale)" }
        var result = OperatorTrial(name: name) { trial in
            for count in [1000, 7, 129] { _ = trial.vector(count) }
            _ = trial.vector(20_011, gradients: last)
            guard let lossScale else { return try trial.apply(.optimizer(op), to: []) }
            let metrics = trial.region(.metrics(.train), TensorType([1, Op.SoftmaxCrossEntropy.columns]))
            return try trial.apply(.optimizer(op), to: metrics, trial.lossScale(lossScale))
        }
        result.steps = (1...3).map {
            StepUniforms(seed: 5, step: $0, imageCount: 1, learningRate: 0.05, optimizer: op)
        }
        return result
    }
}
