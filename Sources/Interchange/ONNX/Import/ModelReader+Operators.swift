import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    /// The operators that are known, for errors that name another.
    static let operators: Set = [
        "Add", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Constant",
        "ConstantOfShape",
        "Conv", "Div", "Dropout", "Elu", "Erf", "Flatten", "Floor", "Gather", "Gelu", "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity",
        "InstanceNormalization", "LRN",
        "LayerNormalization", "LeakyRelu", "LogSoftmax", "MatMul", "MaxPool", "Mul", "Neg", "PRelu", "Pad",
        "ReduceMean",
        "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Split", "Sqrt",
        "Squeeze", "Sub",
        "Sum", "Tanh", "Transpose", "Unsqueeze", "Upsample",
    ]

    /// What the node gives, which depends on the images.
    ///
    /// - Throws: `ModelFlaw`.
    mutating func apply() throws -> [Value] {
        switch node.type {
        case "Conv": return [.activation(try convolution())]
        case "Gemm": return [.activation(try gemm())]
        case "MatMul": return [.activation(try matrixProduct())]
        case "BatchNormalization": return [.activation(try batchNorm())]
        case "LayerNormalization": return [.activation(try layerNorm())]
        case "InstanceNormalization": return [.activation(try instanceNorm())]
        case "GroupNormalization": return [.activation(try groupNorm())]
        case "LRN": return [.activation(try localResponseNorm())]
        case "MaxPool", "AveragePool", "GlobalMaxPool": return [.activation(try pooling())]
        case "GlobalAveragePool": return [.activation(try globalAverage(keepsDimensions: true))]
        case "ReduceMean": return [.activation(try mean())]
        case "Resize", "Upsample": return [.activation(try resizing())]
        case "Relu", "Sigmoid", "Tanh", "Softplus", "Elu", "LeakyRelu", "HardSwish", "HardSigmoid", "Gelu",
            "Clip",
            "PRelu", "Erf", "Softmax", "LogSoftmax":
            return [try function()]
        case "Add", "Sub", "Mul", "Div", "Sum", "Neg": return [try arithmetic()]
        case "Concat": return [.activation(try concatenation())]
        case "Split": return try split().map { .activation($0) }
        case "Slice": return [.activation(try slice())]
        case "Pad": return [.activation(try pad())]
        case "Dropout": return [.activation(try dropout())]
        case "Identity", "Cast":
            if node.type == "Cast", ![1, 10, 11, 16].contains(try node.int("to", default: 1)) {
                throw ModelFlaw("it makes whole numbers of what depends on the images")
            }
            return [try value(0)]
        case "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze": return [.activation(try rearranged())]
        default: throw ModelFlaw("\(node.type) is not known of what depends on the images")
        }
    }

    // MARK: Products

    private mutating func convolution() throws -> Activation {
        var input = try activation(0)
        let padding = input.padding
        input.padding = Padding()
        let (number, channels, size) = try image(input)
        let filter = try constant(1)
        let bias = try optionalConstant(2)
        let groups = try node.int("group", default: 1)
        guard filter.shape.count == 4, groups > 0, channels % groups == 0,
            filter.shape[1] == channels / groups,
            filter.shape[0] > 0, filter.shape[0] % groups == 0
        else {
            throw ModelFlaw(
                "a filter of shape \(filter.shape) in \(groups) groups does not fit images of \(channels) channels"
            )
        }
        let outputs = filter.shape[0]
        let window = try node.window(kernel: Array(filter.shape[2...]), image: size, padding: padding)
        guard [window.kernel.height, window.kernel.width] == Array(filter.shape[2...]) else {
            throw ModelFlaw("its kernel_shape is not that of its filter, \(filter.shape)")
        }
        var weights = [("weight", filter.shape, try filter.floats())]
        if let bias { weights.append(("bias", [outputs], try vector(bias, outputs, "bias"))) }
        return try add(
            Convolution2D(outputs, window: window, groups: groups, bias: bias != nil), to: number,
            giving: try imageShape(outputs, size, window), name: layerName(ofWeight: 1), weights: weights)
    }

    private func imageShape(
        _ channels: Int, _ size: Extent, _ window: Window, roundsUp: Bool = false
    ) throws -> ValueShape {
        do {
            let result = try window.output(
                for: Shape(images: 1, height: size.height, width: size.width, channels: channels),
                roundsUp: roundsUp)
            guard result.height > 0, result.width > 0 else {
                throw ModelFlaw("it leaves no pixel of \(size)")
            }
            return .image(channels: channels, height: result.height, width: result.width)
        } catch let error as ShapeError {
            throw ModelFlaw(error.message)
        }
    }

    /// A number a channel.
    private func vector(_ constant: ConstantTensor, _ count: Int, _ name: String) throws -> [Float] {
        guard constant.count == count else {
            throw ModelFlaw("its \(name) has \(constant.count) elements, not \(count)")
        }
        return try constant.floats()
    }

    private mutating func gemm() throws -> Activation {
        try node.require("transA", 0)
        let alpha = try node.float("alpha", default: 1)
        let beta = try node.float("beta", default: 1)
        var filter = try constant(1)
        guard filter.shape.count == 2 else { throw ModelFlaw("its matrix has shape \(filter.shape)") }
        if try node.int("transB", default: 0) == 0 { filter = try filter.transposed([1, 0]) }
        if alpha != 1 {
            filter = ConstantTensor(.floats(try filter.floats().map { alpha * $0 }), shape: filter.shape)
        }
        var bias: [Float]?
        if let constant = try optionalConstant(2) {
            let values = try constant.floats()
            guard values.count == filter.shape[0] || values.count == 1 else {
                throw ModelFlaw("its bias has \(values.count) elements, not \(filter.shape[0])")
            }
            bias = (0..<filter.shape[0]).map { beta * values[values.count == 1 ? 0 : $0] }
        }
        return try dense(try activation(0), filter, bias)
    }

    /// - Parameter filter: `[outputs, inputs]`.
    private mutating func dense(
        _ input: Activation, _ filter: ConstantTensor, _ bias: [Float]?
    ) throws -> Activation {
        let (outputs, inputs) = (filter.shape[0], filter.shape[1])
        let (features, order) = try features(input)
        guard features.shape.channels == inputs, outputs > 0 else {
            throw ModelFlaw(
                "a matrix of \(inputs) inputs does not fit \(features.shape.channels) features; are the images of another "
                    + "size?")
        }
        var values = try filter.floats()
        if order == .channelsLast, case .image(let channels, let height, let width) = input.shape {
            values = try ConstantTensor(.floats(values), shape: [outputs, height, width, channels])
                .transposed([
                    0, 3, 1, 2,
                ]).floats()
        }
        var weights = [("weight", [outputs, inputs], values)]
        if let bias { weights.append(("bias", [outputs], bias)) }
        return try add(
            Dense(outputs, bias: bias != nil), to: features.number,
            giving: .features(outputs, isFlattenedImage: false), name: layerName(ofWeight: 1),
            weights: weights)
    }

    /// With a matrix behind: a dense layer, or one over each pixel's channels.
    private mutating func matrixProduct() throws -> Activation {
        let filter = try constant(1)
        guard filter.shape.count == 2 else {
            throw ModelFlaw("its matrix has shape \(filter.shape); known are two dimensions")
        }
        let turned = try filter.transposed([1, 0])
        let input = try unpadded(try activation(0))
        if input.arrangement.rank == 2 { return try dense(input, turned, nil) }
        guard case .image(let channels, let height, let width) = input.shape,
            input.arrangement.dimension(ofChannels: channels) == input.arrangement.rank - 1
        else { throw ModelFlaw("\(input.arrangement.described) does not have the channels last") }
        guard filter.shape[0] == channels, filter.shape[1] > 0 else {
            throw ModelFlaw("a matrix of shape \(filter.shape) does not fit \(channels) channels")
        }
        let outputs = filter.shape[1]
        return try add(
            Convolution2D(outputs, kernel: 1, bias: false), to: input.number,
            giving: .image(channels: outputs, height: height, width: width),
            try input.arrangement.replacingChannels(channels, by: outputs), name: layerName(ofWeight: 1),
            weights: [("weight", [outputs, channels, 1, 1], try turned.floats())])
    }

    // MARK: Norms

    private mutating func batchNorm() throws -> Activation {
        try node.require("spatial", 1)
        try node.require("training_mode", 0)
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        guard input.arrangement.dimension(ofChannels: channels) == 1 else {
            throw ModelFlaw("the second dimension of \(input.arrangement.described) is not the channels")
        }
        var weights: [(String, [Int], [Float])] = []
        for (index, name) in ["weight", "bias", "running_mean", "running_var"].enumerated() {
            weights.append((name, [channels], try vector(try constant(index + 1), channels, name)))
        }
        let epsilon = try node.float("epsilon", default: 1e-5)
        // ONNX's is the share of the old statistics.
        let momentum = 1 - (try node.float("momentum", default: 0.9))
        return try add(
            BatchNorm(epsilon: epsilon, momentum: momentum), to: input.number, giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1), weights: weights)
    }

    private mutating func layerNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        let axis = try input.arrangement.index(try node.int("axis", default: -1))
        guard axis == input.arrangement.rank - 1, input.arrangement.dimension(ofChannels: channels) == axis
        else {
            throw ModelFlaw("known is one axis, the last, that of the channels")
        }
        let scale = try vector(try constant(1), channels, "scale")
        let shift = try optionalConstant(2).map { try vector($0, channels, "shift") }
        return try add(
            LayerNorm(epsilon: try node.float("epsilon", default: 1e-5)), to: input.number,
            giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1),
            weights: [
                ("weight", [channels], scale),
                ("bias", [channels], shift ?? [Float](repeating: 0, count: channels)),
            ])
    }

    /// Over what is in the second dimension a group of the channels, or one of them.
    private mutating func instanceNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let (arrangement, own) = (input.arrangement, input.shape.arrangement)
        let channels = input.shape.channels
        let groups = arrangement.sizes.count > 1 ? arrangement.sizes[1] : 0
        guard groups > 0, channels % groups == 0, arrangement.dimensions[0] == own.dimensions[0],
            arrangement.factors(1..<arrangement.rank) == own.factors(1..<own.rank),
            groups == 1 || arrangement.dimensions[1].allSatisfy({ $0.axis == .channels })
        else { throw ModelFlaw("the second dimension of \(arrangement.described) is no group of channels") }
        let scale = try vector(try constant(1), groups, "scale")
        let shift = try vector(try constant(2), groups, "shift")
        return try groupNorm(input, groups, scale, shift)
    }

    /// Scale and shift were a number a group before opset 21.
    private mutating func groupNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        guard let groups = try node.int("num_groups"), groups > 0, channels % groups == 0,
            input.arrangement.dimension(ofChannels: channels) == 1
        else { throw ModelFlaw("the channels of \(input.arrangement.described) are not its num_groups") }
        let count = opset < 21 ? groups : channels
        return try groupNorm(
            input, groups, try vector(try constant(1), count, "scale"),
            try vector(try constant(2), count, "shift"))
    }

    private mutating func groupNorm(
        _ input: Activation, _ groups: Int, _ scale: [Float], _ shift: [Float]
    ) throws -> Activation {
        let channels = input.shape.channels
        func spread(_ values: [Float]) -> [Float] {
            (0..<channels).map { values[$0 / (channels / values.count)] }
        }
        let epsilon = try node.float("epsilon", default: 1e-5)
        return try add(
            GroupNorm(groups: groups, epsilon: epsilon), to: input.number, giving: input.shape,
            input.arrangement, name: layerName(ofWeight: 1),
            weights: [("weight", [channels], spread(scale)), ("bias", [channels], spread(shift))])
    }

    private mutating func localResponseNorm() throws -> Activation {
        let input = try unpadded(try activation(0))
        guard input.arrangement.dimension(ofChannels: input.shape.channels) == 1 else {
            throw ModelFlaw("the second dimension of \(input.arrangement.described) is not the channels")
        }
        let (size, k) = (try node.int("size", default: 0), try node.float("bias", default: 1))
        guard (1...1 << 16).contains(size), k > 0 else {
            throw ModelFlaw("its size is \(size) and its bias \(k); both have to be above 0")
        }
        return try add(
            LocalResponseNorm(
                size: size, alpha: try node.float("alpha", default: 1e-4),
                beta: try node.float("beta", default: 0.75), k: k), to: input)
    }

    // MARK: Pooling

    private mutating func pooling() throws -> Activation {
        let input = try unpadded(try activation(0))
        let (number, channels, size) = try image(input)
        if node.type == "GlobalMaxPool" {
            guard size.area <= 256 else {
                throw ModelFlaw("its images have \(size) pixels; at most 256 are known")
            }
            let pooled = try add(
                GlobalMaxPool2D(), to: number, giving: .features(channels, isFlattenedImage: false))
            return Activation(
                number: pooled.number, shape: pooled.shape, arrangement: .image(channels, 1, 1))
        }
        if node.outputs.count > 1, !node.outputs[1].isEmpty {
            throw ModelFlaw("its second output, which place was the largest, is not known")
        }
        let window = try node.window(image: size)
        let roundsUp = try node.int("ceil_mode", default: 0) != 0
        let shape = try imageShape(channels, size, window, roundsUp: roundsUp)
        let padding = window.padding
        guard
            2 * max(padding.top, padding.bottom) <= window.extent.height,
            2 * max(padding.left, padding.right) <= window.extent.width
        else { throw ModelFlaw("its padding is more than half of the window") }
        if node.type == "MaxPool" {
            guard window.kernel.area <= 256 else {
                throw ModelFlaw("its window has \(window.kernel.area) places; at most 256 are known")
            }
            return try add(MaxPool2D(window: window, roundsUp: roundsUp), to: number, giving: shape)
        }
        guard window.dilation == Extent(1) else { throw ModelFlaw("a dilated average is not known") }
        let countsPadding = try node.int("count_include_pad", default: 0) != 0
        return try add(
            AveragePool2D(window: window, countsPadding: countsPadding, roundsUp: roundsUp), to: number,
            giving: shape)
    }

    /// - Parameter keepsDimensions: whether the result has height and width of 1.
    private mutating func globalAverage(keepsDimensions: Bool) throws -> Activation {
        let input = try unpadded(try activation(0))
        guard case .image(let channels, _, _) = input.shape else {
            throw ModelFlaw("it needs images, but its input is \(input.arrangement.described)")
        }
        let places = input.arrangement.dimensions.indices.filter { place in
            let factors = input.arrangement.dimensions[place]
            return place > 0 && factors.allSatisfy { $0.axis == .height || $0.axis == .width }
        }
        return try average(input, channels, over: places, keepsDimensions: keepsDimensions)
    }

    private mutating func average(
        _ input: Activation, _ channels: Int, over places: [Int], keepsDimensions: Bool
    ) throws -> Activation {
        let own = input.shape.arrangement
        let factors = input.arrangement.factors(places)
        guard factors == own.factors([2, 3]) || factors == own.factors([3, 2]) else {
            throw ModelFlaw("known is the mean over height and width alone")
        }
        let pooled = try add(
            GlobalAveragePool2D(), to: input.number, giving: .features(channels, isFlattenedImage: false))
        return Activation(
            number: pooled.number, shape: pooled.shape,
            arrangement: input.arrangement.reduced(places, keepsDimensions: keepsDimensions))
    }

    private mutating func mean() throws -> Activation {
        let input = try unpadded(try activation(0))
        guard case .image(let channels, _, _) = input.shape else {
            throw ModelFlaw("known is the mean over height and width of images")
        }
        let axes = try node.ints("axes") ?? (try optionalConstant(1)?.ints())
        guard let axes else { throw ModelFlaw("its axes are all; known is the mean over height and width") }
        let places = try axes.map { try input.arrangement.index($0) }.sorted()
        let keeps = try node.int("keepdims", default: 1) != 0
        return try average(input, channels, over: places, keepsDimensions: keeps)
    }

    private mutating func resizing() throws -> Activation {
        let (number, channels, size) = try image(try unpadded(try activation(0)))
        let mode = try node.string("mode", default: "nearest")
        var target: [Int]?
        var factors: [Float]?
        if node.type == "Upsample" {
            factors = try node.floats("scales") ?? (try optionalConstant(1)?.floats())
        } else if opset < 11 {
            factors = try constant(1).floats()
        } else {
            factors = try optionalConstant(2)?.floats()
            target = try optionalConstant(3)?.ints()
            if factors?.isEmpty == true { factors = nil }
        }
        let axes = try node.ints("axes") ?? Array(0..<4)
        guard try node.string("keep_aspect_ratio_policy", default: "stretch") == "stretch",
            (factors == nil) != (target == nil),
            try node.int("antialias", default: 0) == 0,
            (factors ?? []).count + (target ?? []).count == axes.count,
            Set(axes).isSubset(of: 0..<4), Set(axes).count == axes.count
        else { throw ModelFlaw("known are scales or sizes of all axes, stretched, without antialias") }
        var result = [size.height, size.width]
        for (place, axis) in axes.enumerated() {
            if axis < 2 {
                let isSame =
                    factors.map { $0[place] == 1 }
                    ?? [channels, ConstantTensor.batch].contains(target![place])
                guard isSame || axis == 0 && target?[place] == images else {
                    throw ModelFlaw("it changes the number of channels or images")
                }
                continue
            }
            let old = result[axis - 2]
            let new = factors.map { Double(old) * Double($0[place]) } ?? Double(target![place])
            guard new >= 1, new <= Double(Limits.side) else {
                throw ModelFlaw("it makes a side of \(new) pixels")
            }
            result[axis - 2] = Int(new)
        }
        let new = Extent(result[0], result[1])
        // Before opset 11 there was one way to count.
        let places = try node.string(
            "coordinate_transformation_mode", default: opset < 11 ? "asymmetric" : "half_pixel")
        let rounding = try node.string("nearest_mode", default: opset < 11 ? "floor" : "round_prefer_floor")
        let isByWholeFactor = new.height % size.height == 0 && new.width % size.width == 0
        let method: Op.Upsampling.Method
        switch (mode, places) {
        case ("nearest", "asymmetric") where rounding == "floor": method = .nearest
        // By a whole factor it is the same pixel.
        case ("nearest", "half_pixel") where isByWholeFactor && rounding == "round_prefer_floor":
            method = .nearest
        case ("linear", "half_pixel"): method = .bilinear(alignsCorners: false)
        case ("linear", "pytorch_half_pixel") where new.height > 1 && new.width > 1:
            method = .bilinear(alignsCorners: false)
        case ("linear", "align_corners"): method = .bilinear(alignsCorners: true)
        default: throw ModelFlaw("mode '\(mode)' with coordinates '\(places)' is not known")
        }
        return try add(
            Upsample(to: new, method), to: number,
            giving: .image(channels: channels, height: new.height, width: new.width))
    }

    // MARK: Channels

    private mutating func concatenation() throws -> Activation {
        let inputs = try node.inputs.indices.map { try unpadded(try activation($0)) }
        guard !inputs.isEmpty else { throw ModelFlaw("it has no input") }
        let axis = try inputs[0].arrangement.index(try node.int("axis", default: 1))
        guard inputs.allSatisfy({ $0.arrangement.dimension(ofChannels: $0.shape.channels) == axis }) else {
            throw ModelFlaw("axis \(axis) is not that of the channels of all its inputs")
        }
        let channels = inputs.reduce(0) { $0 + $1.shape.channels }
        if inputs.allSatisfy({ $0.arrangement.rank == 2 }) {
            let values = try inputs.map { try features($0).value }
            guard values.allSatisfy({ if case .features(_, true) = $0.shape { false } else { true } }) else {
                throw ModelFlaw("it puts flattened images together")
            }
            return try add(
                .concatenate, values.map(\.number), giving: .features(channels, isFlattenedImage: false))
        }
        // In whatever order, as long as all have the same.
        let isAlike = try inputs.allSatisfy {
            try $0.arrangement.replacingChannels($0.shape.channels, by: 1)
                == inputs[0].arrangement.replacingChannels(inputs[0].shape.channels, by: 1)
        }
        guard isAlike, case .image(_, let height, let width) = inputs[0].shape,
            inputs.allSatisfy({ if case .image = $0.shape { true } else { false } })
        else {
            let values = try inputs.map { try image($0) }
            guard values.allSatisfy({ $0.size == values[0].size }) else { throw misfit(inputs) }
            return try add(
                .concatenate, values.map(\.number),
                giving: .image(channels: channels, height: values[0].size.height, width: values[0].size.width)
            )
        }
        return try add(
            .concatenate, inputs.map(\.number),
            giving: .image(channels: channels, height: height, width: width),
            try inputs[0].arrangement.replacingChannels(inputs[0].shape.channels, by: channels))
    }

    private func misfit(_ inputs: [Activation]) -> ModelFlaw {
        ModelFlaw(
            "its inputs do not fit each other: " + inputs.map(\.arrangement.described).joined(separator: ", ")
        )
    }

    private mutating func channels(_ range: Range<Int>, of input: Activation) throws -> Activation {
        let shape: ValueShape =
            switch input.shape {
            case .image(_, let height, let width): .image(channels: range.count, height: height, width: width)
            case .features(_, let isFlattenedImage):
                if isFlattenedImage {
                    throw ModelFlaw("it takes some features of a flattened image")
                } else {
                    .features(range.count, isFlattenedImage: false)
                }
            }
        return try add(
            SlicedChannels(channels: range), to: input.number, giving: shape,
            try input.arrangement.replacingChannels(input.shape.channels, by: range.count))
    }

    private mutating func split() throws -> [Activation] {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        let axis = try input.arrangement.index(try node.int("axis", default: 0))
        guard input.arrangement.dimension(ofChannels: channels) == axis else {
            throw ModelFlaw("axis \(axis) of \(input.arrangement.described) is not that of the channels")
        }
        let parts = node.outputs.count
        let part = (channels + parts - 1) / parts
        let counts =
            try node.ints("split") ?? (try optionalConstant(1)?.ints())
            ?? (0..<parts).map { min(part, channels - $0 * part) }
        guard counts.count == parts, counts.allSatisfy({ $0 > 0 && $0 <= channels }),
            counts.reduce(0, +) == channels
        else {
            throw ModelFlaw("\(channels) channels are not \(counts)")
        }
        var first = 0
        return try counts.map { count in
            defer { first += count }
            return try self.channels(first..<first + count, of: input)
        }
    }

    private mutating func slice() throws -> Activation {
        var input = try unpadded(try activation(0))
        func setting(_ name: String, _ index: Int) throws -> [Int]? {
            try node.ints(name) ?? (try optionalConstant(index)?.ints())
        }
        guard let starts = try setting("starts", 1), let ends = try setting("ends", 2),
            starts.count == ends.count
        else {
            throw ModelFlaw("its starts and ends do not fit each other")
        }
        let axes = try setting("axes", 3) ?? Array(starts.indices)
        let steps = try setting("steps", 4) ?? starts.map { _ in 1 }
        guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 == 1 }) else {
            throw ModelFlaw("known are steps of 1")
        }
        for (place, axis) in axes.enumerated() {
            let axis = try input.arrangement.index(axis)
            let size = input.arrangement.sizes[axis]
            if size == ConstantTensor.batch {
                guard starts[place] == 0, ends[place] >= 1 << 30 || ends[place] == ConstantTensor.batch else {
                    throw ModelFlaw("it takes some of the images")
                }
                continue
            }
            func clamped(_ index: Int) -> Int { min(max(index < 0 ? index &+ size : index, 0), size) }
            let (first, end) = (clamped(starts[place]), clamped(ends[place]))
            if first == 0 && end == size { continue }
            guard first < end, input.arrangement.dimension(ofChannels: input.shape.channels) == axis else {
                throw ModelFlaw("it takes pixels, or nothing; known are channels")
            }
            input = try channels(first..<end, of: input)
        }
        return input
    }

    /// Zeros around an image wait for the convolution behind.
    private mutating func pad() throws -> Activation {
        var input = try activation(0)
        guard try node.string("mode", default: "constant") == "constant",
            let pads = try node.ints("pads") ?? (try optionalConstant(1)?.ints())
        else { throw ModelFlaw("known is padding by a constant") }
        let value =
            try node.float("value") ?? (node.input(2) == nil ? 0 : try constant(2).floats().first ?? 0)
        let rank = input.arrangement.rank
        let axes = try optionalConstant(3)?.ints().map { try input.arrangement.index($0) } ?? Array(0..<rank)
        guard pads.count == 2 * axes.count, Set(axes).count == axes.count else {
            throw ModelFlaw("its \(pads.count) pads do not fit \(rank) dimensions")
        }
        var sides = [[Int]](repeating: [0, 0], count: rank)
        for (place, axis) in axes.enumerated() { sides[axis] = [pads[place], pads[place + axes.count]] }
        if sides.allSatisfy({ $0 == [0, 0] }) { return input }
        guard value == 0, rank == 4, sides[0] == [0, 0], sides[1] == [0, 0],
            sides.joined().allSatisfy({ (0...1 << 16).contains($0) })
        else { throw ModelFlaw("known are zeros above, below and beside images [N, C, H, W]") }
        let (number, _, _) = try image(
            Activation(number: input.number, shape: input.shape, arrangement: input.arrangement))
        if number != input.number { throw ModelFlaw("it pads shuffled channels") }
        input.padding.top += sides[2][0]
        input.padding.bottom += sides[2][1]
        input.padding.left += sides[3][0]
        input.padding.right += sides[3][1]
        return input
    }

    private mutating func dropout() throws -> Activation {
        let input = try activation(0)
        guard node.outputs.count < 2 || node.outputs[1].isEmpty else {
            throw ModelFlaw("its second output, what was dropped, is not known")
        }
        let ratio = try node.float("ratio") ?? (try optionalConstant(1)?.floats().first) ?? 0.5
        guard ratio >= 0, ratio < 1 else { throw ModelFlaw("its ratio is \(ratio); it lies in 0 ..< 1") }
        return try add(Dropout(ratio), to: input)
    }

    private func rearranged() throws -> Activation {
        var input = try unpadded(try activation(0))
        let arrangement = input.arrangement
        switch node.type {
        case "Reshape":
            // With opset 5 the shape became an input.
            let target = try node.ints("shape") ?? (try constant(1).ints())
            input.arrangement = try arrangement.reshaped(target, images: images)
        case "Flatten":
            let axis = try node.int("axis", default: 1)
            guard axis == 1 || axis == 1 - arrangement.rank else {
                throw ModelFlaw("known is axis 1, not \(axis)")
            }
            input.arrangement = try arrangement.reshaped([0, -1], images: images)
        case "Transpose":
            input.arrangement = try arrangement.transposed(
                try node.ints("perm") ?? arrangement.dimensions.indices.reversed())
        default:
            let axes = try node.ints("axes") ?? (try optionalConstant(1)?.ints())
            input.arrangement =
                node.type == "Squeeze"
                ? try arrangement.squeezed(axes) : try arrangement.unsqueezed(axes ?? [])
        }
        return input
    }
}
