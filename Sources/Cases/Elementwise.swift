import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let elementwise: [OpCase] =
        elementwiseShapes.enumerated().flatMap { index, shape in
            var cases = plain(shape)
            if index < 6 { cases += fused(shape) }
            if index < 4 { cases += [overwriting(shape), sumReadAgain(shape)] }
            if shape.rank == 4 { cases.append(flatten(shape)) }
            return cases.map { $0.checked(if: index < 4) }
        } + familyMembers + dropout

    /// Of families those with other parameters than the table's: also of gradients that read the input, and of none.
    private static let familyMembers = [
        Activation.leakyReLU(slope: 0.2), .leakyReLU(slope: -0.5), .leakyReLU(slope: 0), .elu(alpha: 0.5),
        .elu(alpha: -1e-5),
    ].flatMap {
        [activation($0, [2, 7, 5, 33]), gradient(of: $0, [3, 17]).checked, add([5, 19], .activation($0))]
    }

    private static func plain(_ shape: Shape) -> [OpCase] {
        Activation.all.flatMap { [activation($0, shape), gradient(of: $0, shape)] }
            + [add(shape), scale(shape, by: 0.5), multiply(shape)]
    }

    private static func fused(_ shape: Shape) -> [OpCase] {
        Activation.all.map { add(shape, .activation($0)) } + [add(shape, .reluMask), doubled(shape)]
            + [multiplyAdd(shape), squared(shape)]
    }

    /// Of −64 ..< 64: from where an exponential is beyond float32's precision to where it overflows nothing. GELU has one number
    /// where nothing cancels: what is left below zero may be less than float32 holds.
    private static func data(for function: Activation, _ shape: Shape) -> CaseData {
        if function == .relu { return .uniform }
        return [.gelu, .geluTanh].contains(function) && shape.count == 1 ? .positive : .large
    }

    private static func activation(_ function: Activation, _ shape: Shape) -> OpCase {
        OpCase(
            "\(function.name), \(shape)", function.identifier, settings: function.settings,
            inputs: [.tensor(shape, data(for: function, shape))], outputs: [.value(shape)]
        ) { graph, inputs in try graph.apply(.activation(function), to: inputs, name: "activation") }
    }

    private static func gradient(of function: Activation, _ shape: Shape) -> OpCase {
        let (name, operation) = ("\(function.name)'s gradient, \(shape)", function.identifier + "_gradient")
        let op = Op.activationGradient(function)
        guard function != .relu else {
            // Of outputs many of which are zero.
            return OpCase(
                name, operation, inputs: [.tensor(shape), .tensor(shape, .integers)],
                outputs: [.value(shape)]
            ) { graph, inputs in try graph.apply(op, to: inputs, name: "activation") }
        }
        // The forward pass is part of the case. The output of sigmoid and tanh is 1 where the input is large.
        let data = [.sigmoid, .tanh].contains(function) ? .uniform : data(for: function, shape)
        var result = OpCase(
            name, operation, settings: function.settings,
            inputs: [.tensor(shape, data), .tensor(shape)],
            outputs: [.value(shape), .value(shape)]
        ) { graph, inputs in
            let y = try graph.apply(.activation(function), to: [inputs[0]], name: "activation")
            let operand = function.gradientOperand == .output ? y[0] : inputs[0]
            return y + (try graph.apply(op, to: [inputs[1], operand], name: "activation"))
        }
        result.launches = 2
        // An output is rounded too before it is read.
        result.roundings = 2
        return result
    }

    private static func scale(_ shape: Shape, by factor: Float) -> OpCase {
        var result = OpCase(
            "scaling by \(factor), \(shape)", "scale", settings: ["factor": [Double(factor)]],
            inputs: [.tensor(shape)], outputs: [.value(shape)]
        ) { graph, inputs in try graph.apply(.scale(Op.Scale(by: factor)), to: inputs, name: "scale") }
        result.isExactOnIntegers = true
        return result
    }

    private static func add(_ shape: Shape, _ epilogue: Epilogue = .none) -> OpCase {
        let isOfTable = epilogue.activation.map { $0 != .relu } ?? false
        return OpCase(
            "addition, \(shape), \(epilogue == .reluMask ? "reluMask" : "\(epilogue)")"
                + (epilogue.activation?.settings["parameter"].map { " \($0[0])" } ?? ""),
            isOfTable ? "add_\(epilogue)" : "add",
            settings: (epilogue.activation?.settings ?? [:]).merging(["relu": [epilogue == .relu ? 1 : 0]]) {
                $1
            },
            inputs: [.tensor(shape), .tensor(shape)]
                + (epilogue == .reluMask ? [.tensor(shape, .integers)] : []),
            outputs: [.value(shape)]
        ) { graph, inputs in
            let sum = try graph.apply(.add(Op.Add()), to: Array(inputs.prefix(2)), name: "add")
            return switch epilogue {
            case .none, .sum: sum
            case .activation(let function):
                try graph.apply(.activation(function), to: sum, name: "activation")
            case .activationGradient(let function):
                try graph.apply(.activationGradient(function), to: [sum[0], inputs[2]], name: "activation")
            }
        }
    }

    private static func multiply(_ shape: Shape) -> OpCase {
        var result = OpCase(
            "multiplication, \(shape)", "multiply", inputs: [.tensor(shape), .tensor(shape)],
            outputs: [.value(shape)]
        ) { graph, inputs in
            try graph.apply(.multiplication(Op.Multiplication()), to: inputs, name: "multiply")
        }
        result.isExactOnIntegers = true
        return result
    }

    /// max(a · b + c, 0), at once.
    private static func multiplyAdd(_ shape: Shape) -> OpCase {
        var result = OpCase(
            "multiplication, addition and ReLU, \(shape)", "multiply_add_relu",
            inputs: Array(repeating: .tensor(shape), count: 3), outputs: [.value(shape)]
        ) { graph, inputs in
            let product = try graph.apply(
                .multiplication(Op.Multiplication()), to: Array(inputs.prefix(2)), name: "multiply")
            return [try graph.finished(product[0], adding: inputs[2], true)]
        }
        result.isExactOnIntegers = true
        return result
    }

    private static func squared(_ shape: Shape) -> OpCase {
        OpCase(
            "multiplication by itself, \(shape)", "square", inputs: [.tensor(shape)], outputs: [.value(shape)]
        ) {
            graph, inputs in
            try graph.apply(
                .multiplication(Op.Multiplication()), to: [inputs[0], inputs[0]], name: "multiply")
        }
    }

    private static func doubled(_ shape: Shape) -> OpCase {
        OpCase("addition to itself, \(shape)", "double", inputs: [.tensor(shape)], outputs: [.value(shape)]) {
            graph, inputs in try graph.apply(.add(Op.Add()), to: [inputs[0], inputs[0]], name: "add")
        }
    }

    /// Each node may overwrite what it reads: (a + b) masked by c, plus a, all in one place.
    private static func overwriting(_ shape: Shape) -> OpCase {
        var result = OpCase(
            "addition, mask and addition in place, \(shape)", "add_mask_add",
            inputs: [.tensor(shape), .tensor(shape), .tensor(shape, .integers)], outputs: [.value(shape)]
        ) { graph, inputs in
            let sum = try graph.apply(.add(Op.Add()), to: [inputs[0], inputs[1]], name: "first")
            let masked = try graph.apply(.reluGradient, to: [sum[0], inputs[2]], name: "mask")
            return try graph.apply(.add(Op.Add()), to: [inputs[0], masked[0]], name: "second")
        }
        result.launches = 2
        return result
    }

    /// What is read later must not be overwritten: s = a + b, relu(s) + s.
    private static func sumReadAgain(_ shape: Shape) -> OpCase {
        var result = OpCase(
            "addition that is read again, \(shape)", "add_relu_add",
            inputs: [.tensor(shape), .tensor(shape)], outputs: [.value(shape)]
        ) { graph, inputs in
            let sum = try graph.apply(.add(Op.Add()), to: inputs, name: "first")
            let rectified = try graph.apply(.relu, to: sum, name: "relu")
            return try graph.apply(.add(Op.Add()), to: [rectified[0], sum[0]], name: "second")
        }
        result.launches = 3
        return result
    }

    /// Through a ReLU, so that the view is of something computed; back again, and on to an addition.
    private static func flatten(_ shape: Shape) -> OpCase {
        let flat: Shape = [shape.images, shape.count / shape.images]
        var result = OpCase(
            "flatten, \(shape)", "flatten", inputs: [.tensor(shape)], outputs: [.value(flat), .value(shape)]
        ) { graph, inputs in
            let rectified = try graph.apply(.relu, to: inputs, name: "relu")
            let flat = try graph.apply(.flatten, to: rectified, name: "flatten")
            let back = try graph.apply(.unflatten(Op.Unflatten(shape: shape)), to: flat, name: "unflatten")
            let sum = try graph.apply(.add(Op.Add()), to: [inputs[0], back[0]], name: "add")
            return [flat[0], sum[0]]
        }
        result.launches = 2
        return result
    }
}

extension Activation {
    /// What make_goldens.py has to know of it.
    fileprivate var settings: [String: [Double]] { parameter.map { ["parameter": [Double($0)]] } ?? [:] }
}

/// Counts that no vector width and no number of work-items divides, and one large.
private let elementwiseShapes: [Shape] = [
    [1, 56, 56, 64], [2, 7, 5, 33], [1, 1, 1, 1], [3, 17], [5, 3, 1, 3], [7, 10], [1, 4, 4, 4],
    [2, 13, 11, 5], [1, 1031], [3, 96],
]

extension OpCase {
    private static let dropout: [OpCase] = [
        dropout([1, 5, 5, 384], 0.5).checked, dropout([3, 7, 5, 33], 0.2).checked,
        dropout([1, 1], 0.5).checked,
        dropout([2, 3], 0.9, node: 3),
        dropout([7, 100], 0.25, node: 1, seed: 0xDEAD_BEEF_0123_4567).checked,
        dropout([5, 17], 0.5, step: 4_000_000_000), dropout([2, 4, 4, 10], 0), dropout([1, 4099], 0.999),
        dropout([1, 12, 12, 96], 0.5, node: .max, seed: .max, step: 77),
        dropout([3, 5], 0.1, seed: 1 << 32), dropout([3, 7, 5, 33], 0.2, masked: true).checked,
        dropout([2, 4, 4, 16], 0.5, step: 7, masked: true),
    ]

    private static func dropout(
        _ shape: Shape, _ probability: Float, node: UInt32 = 0, seed: UInt64 = 1, step: Int = 1,
        masked: Bool = false
    ) -> OpCase {
        let op = Op.Dropout(probability: probability, node: node)
        return OpCase(
            "dropout \(probability), \(shape), node \(node), seed \(seed), step \(step)\(masked ? ", ReLU" : "")",
            "dropout",
            settings: [
                "probability": [Double(probability)], "node": [Double(node)], "step": [Double(step)],
                "seed": [Double(UInt32(truncatingIfNeeded: seed)), Double(seed >> 32)],
            ],
            inputs: [.tensor(shape)] + (masked ? [.tensor(shape, .integers)] : []), outputs: [.value(shape)],
            steps: StepUniforms.single(images: shape.images, seed: seed, step: step)
        ) { graph, inputs in
            let y = try graph.apply(.dropout(op), to: [inputs[0]], name: "dropout")
            return masked ? try graph.apply(.reluGradient, to: y + inputs.suffix(1), name: "relu") : y
        }
    }
}
