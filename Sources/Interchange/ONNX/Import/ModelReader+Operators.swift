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
