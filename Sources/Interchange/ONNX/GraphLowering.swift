import ResinGraph
import ResinTensor

/// Nodes of a network's graph, whose images lie `[N, H, W, C]`, as ONNX's, whose images lie `[N, C, H, W]`.
struct GraphLowering {
    private let source: Graph
    private let tensors: (_ name: String) -> [Float]
    var builder: GraphBuilder
    /// What ONNX calls the values that are there already.
    var names: [ValueID: String] = [:]
    /// Features that were an image: they lie channels × height × width in ONNX, as in files.
    private var flattened: [ValueID: Shape] = [:]
    /// The batch norm that becomes part of a convolution, by the convolution's output.
    private var folded: [ValueID: (index: Int, norm: Op.BatchNormInference)] = [:]

    init(_ source: Graph, opset: Int, foldsNorms: Bool, tensors: @escaping (_ name: String) -> [Float]) {
        self.source = source
        self.tensors = tensors
        builder = GraphBuilder(opset: opset)
        guard foldsNorms else { return }
        for (index, node) in source.nodes.enumerated() {
            guard case .batchNormInference(let norm) = node.op,
                let producer = source.nodes.first(where: { $0.outputs.contains(node.inputs[0]) }),
                producer.op.body.folding(norm) != nil, source.consumers(of: node.inputs[0]) == [index]
            else { continue }
            folded[node.inputs[0]] = (index, norm)
        }
    }

    // MARK: Values

    /// The name of an input: a value's, or that of the constant that a parameter is.
    private mutating func name(of id: ValueID, shape: [Int]? = nil) -> String {
        if let name = names[id] { return name }
        let (label, own) = parameter(id)
        let name = builder.constant(tensors(label), shape: shape ?? own, name: label)
        // Under another shape it is another constant.
        if shape == nil { names[id] = name }
        return name
    }

    private func parameter(_ id: ValueID) -> (name: String, shape: [Int]) {
        switch source[id].source {
        case .parameter(let index):
            (source.parameters[index].name, source.parameters[index].layout.externalShape)
        case .statistic(let index): (source.statistics[index].name, [source.statistics[index].count])
        case .node, .gradient, .region:
            preconditionFailure("a value is read before it is computed")
        }
    }

    /// A number a channel, beside images `[N, C, H, W]` or features `[N, C]`.
    private mutating func channels(_ id: ValueID, beside value: ValueID) -> String {
        let count = source.shape(of: id).count
        let rank = source.shape(of: value).rank
        return name(of: id, shape: rank == 4 && count > 1 ? [count, 1, 1] : [count])
    }

    // MARK: Nodes

    /// - Throws: `ResinError(.usage)` that names the layer for an operator that only training has.
    mutating func lower(_ index: Int) throws {
        let node = source.nodes[index]
        let input = node.inputs[0]
        let output = node.outputs[0]
        let shape = source.shape(of: input)
        let result = source.shape(of: output)
        /// Adds what takes the node's first input.
        func add(_ type: String, _ attributes: [GraphBuilder.Attribute] = []) -> String {
            builder.add(type, [name(of: input)], attributes, name: node.name)
        }
        switch node.op {
        case .convolution2D(let op):
            names[output] = convolution(node, op.window, groups: 1, hasBias: op.hasBias)
            return
        case .groupedConvolution2D(let op):
            names[output] = convolution(node, op.window, groups: op.groups, hasBias: op.hasBias)
            return
        case .batchNormInference(let op):
            if let fold = folded[input], fold.index == index {
                names[output] = names[input]
                return
            }
            names[output] = builder.add(
                "BatchNormalization", node.inputs.map { name(of: $0) }, [.float("epsilon", op.epsilon)],
                name: node.name)
        case .maxPool2D(let op):
            names[output] = add(
                "MaxPool",
                window(op.window) + [.ints("dilations", op.window.dilation.list)] + rounding(op.roundsUp))
        case .averagePool2D(let op):
            names[output] = add(
                "AveragePool",
                window(op.window) + [.int("count_include_pad", op.countsPadding ? 1 : 0)]
                    + rounding(op.roundsUp))
        case .adaptiveAveragePool2D(let op):
            names[output] = adaptiveAverage(node, from: shape, to: op.output)
        case .globalAveragePool:
            let pooled = add("GlobalAveragePool")
            names[output] = builder.add("Flatten", [pooled], name: node.name)
        case .activation(let activation):
            names[output] = try self.activation(activation, of: name(of: input), name: node.name)
        case .scale(let op):
            let factor = builder.constant(op.factor, name: "\(node.name).factor")
            names[output] = builder.add("Mul", [name(of: input), factor], name: node.name)
        case .add:
            names[output] = builder.add("Add", node.inputs.map { name(of: $0) }, name: node.name)
        case .multiplication:
            names[output] = builder.add("Mul", node.inputs.map { name(of: $0) }, name: node.name)
        case .channelScaling:
            names[output] = builder.add(
                "Mul", [name(of: input), factors(node)], name: node.name)
        case .parametricReLU:
            let slopes = channels(node.inputs[1], beside: input)
            names[output] = builder.add("PRelu", [name(of: input), slopes], name: node.name)
        case .concatenation:
            names[output] = builder.add(
                "Concat", node.inputs.map { name(of: $0) }, [.int("axis", 1)], name: node.name)
        case .channelSlice(let op):
            names[output] = slice(name(of: input), op.channels, name: node.name)
        case .channelShuffle(let op):
            let split = reshape(
                name(of: input), [0, op.groups, shape.channels / op.groups, shape.height, shape.width],
                name: node.name)
            let turned = transpose(split, [0, 2, 1, 3, 4], name: node.name)
            names[output] = reshape(
                turned, [0, shape.channels, shape.height, shape.width], name: node.name)
        case .softmax:
            names[output] = add("Softmax", [.int("axis", 1)])
        case .layerNorm(let op):
            names[output] = layerNorm(node, epsilon: op.epsilon)
        case .groupNorm(let op):
            names[output] = groupNorm(node, groups: op.groups, epsilon: op.epsilon)
        case .localResponseNorm(let op):
            names[output] = add(
                "LRN",
                [
                    .int("size", op.size), .float("alpha", op.alpha), .float("beta", op.beta),
                    .float("bias", op.k),
                ])
        case .upsampling(let op):
            names[output] = upsampling(node, op, from: shape)
        case .flatten:
            names[output] = builder.add("Flatten", [name(of: input)], name: node.name)
            flattened[output] = shape
        case .unflatten:
            names[output] = try unflatten(node, to: result)
        case .imageInput, .labelInput, .imageCrop, .imageAdjustments, .imageNormalisation, .sampleLabels,
            .convolution2DInputGradient, .convolution2DFilterGradient, .groupedConvolution2DInputGradient,
            .groupedConvolution2DFilterGradient, .maxPool2DGradient, .averagePool2DGradient,
            .adaptiveAveragePool2DGradient, .globalAveragePoolGradient, .activationGradient, .dropout,
            .batchNorm, .batchNormGradient, .channelProductSum, .parametricReLUGradient, .stochasticDepth,
            .channelSplit, .channelPad, .softmaxGradient, .layerNormGradient, .normParameterSums,
            .groupNormGradient, .localResponseNormGradient, .upsamplingGradient, .softmaxCrossEntropy,
            .softmaxCrossEntropyGradient, .binaryCrossEntropy, .binaryCrossEntropyGradient, .recordMetrics,
            .lossStep, .channelActivity, .regionSum, .shardMetrics, .optimizer, .movingAverage:
            throw ResinError(
                .usage,
                "layer '\(node.name)' (\(node.op.body.summary)) is not of a network that predicts: ONNX has no form for it"
            )
        }
        if node.op.body.keepsFeaturesInPlace, let image = flattened[input] { flattened[output] = image }
    }

    private func window(_ window: Window) -> [GraphBuilder.Attribute] {
        let padding = window.padding
        return [
            .ints("kernel_shape", window.kernel.list), .ints("strides", window.stride.list),
            .ints("pads", [padding.top, padding.left, padding.bottom, padding.right]),
        ]
    }

    private func rounding(_ roundsUp: Bool) -> [GraphBuilder.Attribute] {
        roundsUp ? [.int("ceil_mode", 1)] : []
    }

    private mutating func reshape(_ value: String, _ shape: [Int], name: String) -> String {
        let shape = builder.constant(shape, name: "\(name).shape")
        return builder.add("Reshape", [value, shape], name: name)
    }

    private mutating func transpose(_ value: String, _ order: [Int], name: String) -> String {
        builder.add("Transpose", [value], [.ints("perm", order)], name: name)
    }

    private mutating func slice(_ value: String, _ channels: Range<Int>, name: String) -> String {
        let bounds = [
            ("starts", channels.lowerBound), ("ends", channels.upperBound), ("axes", 1),
        ].map { builder.constant([$1], name: "\(name).\($0)") }
        return builder.add("Slice", [value] + bounds, name: name)
    }

    // MARK: Convolutions

    /// A convolution of images, or a dense layer over features, with the batch norm that is folded into it.
    private mutating func convolution(
        _ node: Node, _ window: Window, groups: Int, hasBias: Bool
    ) -> String {
        let isDense = source.shape(of: node.inputs[0]).rank == 2
        var (label, shape) = parameter(node.inputs[1])
        // A dense layer over each pixel's channels has a filter of two dimensions in files.
        if !isDense && shape.count == 2 { shape += [1, 1] }
        var operands = [name(of: node.inputs[0])]
        if let fold = folded[node.outputs[0]] {
            let (filter, bias) = foldedWeights(node, fold.norm, source.nodes[fold.index], hasBias: hasBias)
            let prefix = label.hasSuffix(".weight") ? String(label.dropLast(".weight".count)) : label
            operands.append(builder.constant(filter, shape: shape, name: label))
            operands.append(builder.constant(bias, shape: [shape[0]], name: "\(prefix).bias"))
        } else {
            operands += node.inputs.dropFirst().enumerated().map {
                name(of: $1, shape: $0 == 0 ? shape : nil)
            }
        }
        if isDense { return builder.add("Gemm", operands, [.int("transB", 1)], name: node.name) }
        return builder.add(
            "Conv", operands,
            self.window(window) + [.ints("dilations", window.dilation.list), .int("group", groups)],
            name: node.name)
    }

    /// A filter and a bias that give what the batch norm made of the convolution's results: with s = scale / √(variance + ε),
    /// s · filter and shift + s · (bias − mean), each rounded once.
    private func foldedWeights(
        _ node: Node, _ norm: Op.BatchNormInference, _ normNode: Node, hasBias: Bool
    ) -> (filter: [Float], bias: [Float]) {
        func values(_ id: ValueID) -> [Float] { tensors(parameter(id).name) }
        let filter = values(node.inputs[1])
        let own = hasBias ? values(node.inputs[2]) : nil
        let (scale, shift) = (values(normNode.inputs[1]), values(normNode.inputs[2]))
        let (mean, variance) = (values(normNode.inputs[3]), values(normNode.inputs[4]))
        let factors = zip(scale, variance).map {
            Double($0) / (Double($1) + Double(norm.epsilon)).squareRoot()
        }
        let taps = filter.count / factors.count
        return (
            filter.indices.map { Float(Double(filter[$0]) * factors[$0 / taps]) },
            factors.indices.map {
                Float(Double(shift[$0]) + factors[$0] * (Double(own?[$0] ?? 0) - Double(mean[$0])))
            }
        )
    }

    // MARK: Pooling and resizing

    /// PyTorch's adaptive pooling: pixel i is the mean of those from ⌊i · n / m⌋ up to ⌈(i + 1) · n / m⌉. Where m divides n
    /// these are windows like others; else two products with a matrix of shares.
    private mutating func adaptiveAverage(_ node: Node, from shape: Shape, to size: Extent) -> String {
        let input = name(of: node.inputs[0])
        if shape.height % size.height == 0 && shape.width % size.width == 0 {
            let kernel = Extent(shape.height / size.height, shape.width / size.width)
            return builder.add(
                "AveragePool", [input], window(Window(kernel: kernel, stride: kernel)), name: node.name)
        }
        /// `[outputs, inputs]`.
        func shares(_ inputs: Int, _ outputs: Int) -> [[Float]] {
            (0..<outputs).map { output in
                let range = output * inputs / outputs..<((output + 1) * inputs + outputs - 1) / outputs
                return (0..<inputs).map { range.contains($0) ? 1 / Float(range.count) : 0 }
            }
        }
        let rows = shares(shape.height, size.height)
        let columns = shares(shape.width, size.width)
        let left = builder.constant(
            rows.flatMap { $0 }, shape: [size.height, shape.height], name: "\(node.name).rows")
        let right = builder.constant(
            (0..<shape.width).flatMap { column in columns.map { $0[column] } },
            shape: [shape.width, size.width], name: "\(node.name).columns")
        let pooled = builder.add("MatMul", [left, input], name: node.name)
        return builder.add("MatMul", [pooled, right], name: node.name)
    }

    private mutating func upsampling(_ node: Node, _ op: Op.Upsampling, from shape: Shape) -> String {
        let factors = [
            1, 1, Float(op.size.height) / Float(shape.height), Float(op.size.width) / Float(shape.width),
        ]
        let scales = builder.constant(factors, shape: [4], name: "\(node.name).scales")
        let attributes: [GraphBuilder.Attribute] =
            switch op.method {
            case .nearest:
                [
                    .string("mode", "nearest"), .string("coordinate_transformation_mode", "asymmetric"),
                    .string("nearest_mode", "floor"),
                ]
            case .bilinear(let alignsCorners):
                [
                    .string("mode", "linear"),
                    .string(
                        "coordinate_transformation_mode", alignsCorners ? "align_corners" : "half_pixel"),
                ]
            }
        return builder.add("Resize", [name(of: node.inputs[0]), "", scales], attributes, name: node.name)
    }

    /// Features as images. Those that were an image lie channels × height × width, others as on the device.
    private mutating func unflatten(_ node: Node, to shape: Shape) throws -> String {
        let input = name(of: node.inputs[0])
        let (height, width, channels) = (shape.height, shape.width, shape.channels)
        if let image = flattened[node.inputs[0]], image.height * image.width > 1 {
            guard (image.height, image.width, image.channels) == (height, width, channels) else {
                throw ResinError(
                    .usage, "layer '\(node.name)': a flattened image of another shape has no form in ONNX")
            }
            return reshape(input, [0, channels, height, width], name: node.name)
        }
        if height * width == 1 { return reshape(input, [0, channels, 1, 1], name: node.name) }
        let image = reshape(input, [0, height, width, channels], name: node.name)
        return transpose(image, [0, 3, 1, 2], name: node.name)
    }

    // MARK: Channels

    /// What each channel is multiplied by: a parameter, or a value an image and channel.
    private mutating func factors(_ node: Node) -> String {
        let (image, factors) = (node.inputs[0], node.inputs[1])
        guard source[factors].source == .node else { return channels(factors, beside: image) }
        guard source.shape(of: factors).rank == 2, source.shape(of: image).rank == 4 else {
            return name(of: factors)
        }
        return reshape(
            name(of: factors), [0, source.shape(of: factors).channels, 1, 1], name: "\(node.name).factors")
    }

    /// Its operator, which came with opset 17, takes the last dimensions.
    private mutating func layerNorm(_ node: Node, epsilon: Float) -> String {
        let input = node.inputs[0]
        if builder.opset >= 17 {
            let isImage = source.shape(of: input).rank == 4
            var value = name(of: input)
            if isImage { value = transpose(value, [0, 2, 3, 1], name: node.name) }
            value = builder.add(
                "LayerNormalization", [value, name(of: node.inputs[1]), name(of: node.inputs[2])],
                [.int("axis", -1), .float("epsilon", epsilon)], name: node.name)
            return isImage ? transpose(value, [0, 3, 1, 2], name: node.name) : value
        }
        let mean = channelMean(name(of: input), name: "\(node.name).mean")
        let centred = builder.add("Sub", [name(of: input), mean], name: "\(node.name).centred")
        let squares = builder.add("Mul", [centred, centred], name: "\(node.name).squares")
        let variance = channelMean(squares, name: "\(node.name).variance")
        let least = builder.constant(epsilon, name: "\(node.name).epsilon")
        let sum = builder.add("Add", [variance, least], name: "\(node.name).sum")
        let deviation = builder.add("Sqrt", [sum], name: "\(node.name).deviation")
        let normal = builder.add("Div", [centred, deviation], name: "\(node.name).normal")
        return scaleAndShift(normal, node)
    }

    /// The mean over the channels, which stay as one. Its axes became an input with opset 18.
    private mutating func channelMean(_ value: String, name: String) -> String {
        if builder.opset < 18 {
            return builder.add(
                "ReduceMean", [value], [.ints("axes", [1]), .int("keepdims", 1)], name: name)
        }
        let axes = builder.constant([1], name: "\(name).axes")
        return builder.add("ReduceMean", [value, axes], [.int("keepdims", 1)], name: name)
    }

    /// Each group as a channel of an instance norm: the operator of that name came late, and changed since.
    private mutating func groupNorm(_ node: Node, groups: Int, epsilon: Float) -> String {
        let shape = source.shape(of: node.inputs[0])
        let split = reshape(name(of: node.inputs[0]), [0, groups, -1], name: node.name)
        let ones = builder.constant(
            [Float](repeating: 1, count: groups), shape: [groups], name: "\(node.name).ones")
        let zeros = builder.constant(
            [Float](repeating: 0, count: groups), shape: [groups], name: "\(node.name).zeros")
        let normal = builder.add(
            "InstanceNormalization", [split, ones, zeros], [.float("epsilon", epsilon)], name: node.name)
        let back = shape.rank == 4 ? [0, shape.channels, shape.height, shape.width] : [0, shape.channels]
        return scaleAndShift(reshape(normal, back, name: node.name), node)
    }

    /// The second and third input as scale and shift of each channel.
    private mutating func scaleAndShift(_ value: String, _ node: Node) -> String {
        let scale = channels(node.inputs[1], beside: node.inputs[0])
        let shift = channels(node.inputs[2], beside: node.inputs[0])
        let scaled = builder.add("Mul", [value, scale], name: node.name)
        return builder.add("Add", [scaled, shift], name: node.name)
    }

    // MARK: Activations

    /// - Throws: `ResinError(.usage)` for one that has no form here.
    private mutating func activation(
        _ activation: Activation, of input: String, name: String
    ) throws -> String {
        func add(_ type: String, _ inputs: [String], _ attributes: [GraphBuilder.Attribute] = []) -> String {
            builder.add(type, inputs, attributes, name: name)
        }
        func constant(_ value: Float) -> String { builder.constant(value, name: "\(name).constant") }
        let sixth: [GraphBuilder.Attribute] = [.float("alpha", 1.0 / 6), .float("beta", 0.5)]
        switch activation {
        case .relu: return add("Relu", [input])
        case .sigmoid: return add("Sigmoid", [input])
        case .relu6: return add("Clip", [input, constant(0), constant(6)])
        case .hardSwish where builder.opset >= 14: return add("HardSwish", [input])
        case .hardSwish: return add("Mul", [input, add("HardSigmoid", [input], sixth)])
        case .hardSigmoid: return add("HardSigmoid", [input], sixth)
        case .silu: return add("Mul", [input, add("Sigmoid", [input])])
        case .tanh: return add("Tanh", [input])
        case .softplus: return add("Softplus", [input])
        case .gelu where builder.opset >= 20: return add("Gelu", [input])
        case .geluTanh where builder.opset >= 20:
            return add("Gelu", [input], [.string("approximate", "tanh")])
        case .gelu:
            let share = add("Erf", [add("Mul", [input, constant(Float(0.5.squareRoot()))])])
            let half = add("Mul", [input, constant(0.5)])
            return add("Mul", [half, add("Add", [share, constant(1)])])
        case .geluTanh:
            let cube = add("Mul", [add("Mul", [input, input]), input])
            let sum = add("Add", [input, add("Mul", [cube, constant(0.044715)])])
            let share = add("Tanh", [add("Mul", [sum, constant(Float((2 / Double.pi).squareRoot()))])])
            let half = add("Mul", [input, constant(0.5)])
            return add("Mul", [half, add("Add", [share, constant(1)])])
        default:
            if let parameter = activation.parameter {
                if activation == .leakyReLU(slope: parameter) {
                    return add("LeakyRelu", [input], [.float("alpha", parameter)])
                }
                if activation == .elu(alpha: parameter) {
                    return add("Elu", [input], [.float("alpha", parameter)])
                }
            }
            throw ResinError(.usage, "layer '\(name)': \(activation.name) has no form in ONNX here")
        }
    }
}

extension Extent {
    var list: [Int] { [height, width] }
}
