import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    mutating func convolution() throws -> Activation {
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

    func imageShape(
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
    func vector(_ constant: ConstantTensor, _ count: Int, _ name: String) throws -> [Float] {
        guard constant.count == count else {
            throw ModelFlaw("its \(name) has \(constant.count) elements, not \(count)")
        }
        return try constant.floats()
    }

    mutating func gemm() throws -> Activation {
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
    mutating func matrixProduct() throws -> Activation {
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
}
